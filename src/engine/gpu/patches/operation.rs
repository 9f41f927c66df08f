//! Filter responses, classes of positions and distances as operations of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

#[cfg(feature = "fusion")]
use super::kernels::{CONTOUR, TABLE};
pub(super) use super::kernels::{Compared, Labelling};

/// A picture and square filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// The number of filters.
    pub(super) filters: usize,
    pub(super) side: usize,
    /// Whether the picture repeats without end.
    pub(super) wraps: bool,
}

impl Geometry {
    /// Rows and columns of the positions of filters.
    pub(super) fn positions(&self) -> [usize; 2] {
        let reach = if self.wraps { 0 } else { self.side - 1 };
        [self.height - reach, self.width - reach]
    }

    pub(super) fn responses(&self) -> Shape {
        let [rows, columns] = self.positions();
        Shape::from([self.filters, rows, columns])
    }

    pub(super) fn labels(&self, banks: usize) -> Shape {
        let [rows, columns] = self.positions();
        Shape::from([banks, rows, columns])
    }

    /// Workgroups down and across the picture.
    pub(super) fn blocks(&self) -> [usize; 2] {
        let [rows, columns] = super::kernels::BLOCK;
        [self.height.div_ceil(rows), self.width.div_ceil(columns)]
    }

    /// The values of the gradient.
    pub(super) fn values(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The gradient, and a sum of distances for each workgroup.
    pub(super) fn gradient(&self) -> Shape {
        let [down, across] = self.blocks();
        Shape::from([self.values() + down * across])
    }
}

/// The banks that filters belong to, and the classes of positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Classes {
    /// Classes of positions; 1 without labels.
    pub(super) count: usize,
    /// Those that are not outside of a mask.
    pub(super) inside: usize,
    /// The bank of the first filter.
    pub(super) first_bank: usize,
    /// The share of a standard deviation below which gradients are linear.
    pub(super) soft: f32,
}

/// A guide of a picture, and how positions are found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuideGeometry {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Pixels of the picture for each of the guide, along both axes.
    pub(super) step: usize,
    /// Banks, whose positions are labelled one by one.
    pub(super) banks: usize,
    pub(super) labelling: Labelling,
}

/// What contours are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ContourWeights {
    /// The gradients at responses.
    pub(super) factor: f32,
    /// The distances of responses.
    pub(super) share: f32,
    /// Positions of the content and of the style inside of their masks.
    pub(super) counts: [usize; 2],
}

/// The comparison of a picture with an exemplar along filters.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait Patches: Backend {
    /// The responses of an image to filters, `[filters, rows, columns]`.
    #[fusion(dtype = DType::F32, shape = geometry.responses())]
    fn filter_responses(
        image: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// The classes of positions, `[banks, rows, columns]`, of a picture with this geometry.
    #[fusion(dtype = DType::F32, shape = geometry.labels(guide_geometry.banks))]
    fn position_classes(
        guide: FloatTensor<Self>,
        splits: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        geometry: Geometry,
        guide_geometry: GuideGeometry,
    ) -> FloatTensor<Self>;

    /// Responses without those outside of a mask, whose place a number takes that no response has.
    #[fusion(dtype = DType::F32, shape = responses)]
    fn hide_responses(
        responses: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// The tables of transport from an image's responses onto an exemplar's, `[filters, classes, TABLE]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([image[0], classes.count, TABLE]))]
    fn transport_tables(
        image: FloatTensor<Self>,
        exemplar: FloatTensor<Self>,
        image_labels: FloatTensor<Self>,
        exemplar_labels: FloatTensor<Self>,
        classes: Classes,
    ) -> FloatTensor<Self>;

    /// The tables of contours from the responses of a content picture and of a style, `[filters, CONTOUR]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([content[0], CONTOUR]))]
    fn contour_tables(
        content: FloatTensor<Self>,
        style: FloatTensor<Self>,
        weights: ContourWeights,
    ) -> FloatTensor<Self>;

    /// The gradient of the distances of responses, and the sums of these distances. `others` are classes of positions, or
    /// responses of the content.
    #[fusion(dtype = DType::F32, shape = geometry.gradient())]
    fn response_gradient(
        responses: FloatTensor<Self>,
        others: FloatTensor<Self>,
        tables: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
        compared: Compared,
        classes: Classes,
    ) -> FloatTensor<Self>;
}

//! Filter responses, classes of positions and distances as operations of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

#[cfg(feature = "fusion")]
use super::kernels::{CONTOUR, ENTRIES, TABLE};
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

/// Positions that are worth a workgroup of their own, and the most workgroups for the responses to a filter.
const POSITIONS: usize = 4096;
const MOST_PARTS: usize = 16;

/// How many parts so many positions are shared out in.
pub(super) fn parts(positions: usize) -> usize {
    positions.div_ceil(POSITIONS).clamp(1, MOST_PARTS)
}

/// The shape of the ranges of responses.
#[cfg(feature = "fusion")]
fn ranges(responses: &Shape, classes: &Classes) -> Shape {
    let [filters, rows, columns] = responses.dims();
    Shape::from([filters, classes.count, parts(rows * columns), 2])
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

/// A part of the tables of contours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ContourPart {
    /// The content, with what gradients and distances of responses are multiplied by.
    Content { factor: f32, share: f32 },
    /// A style, with its weight.
    Style(f32),
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

    /// The smallest and the largest responses in each class, `[filters, classes, parts, 2]`.
    #[fusion(dtype = DType::F32, shape = ranges(responses, classes))]
    fn response_ranges(
        responses: FloatTensor<Self>,
        labels: FloatTensor<Self>,
        classes: Classes,
    ) -> FloatTensor<Self>;

    /// The histograms of responses over these ranges, `[filters, classes, ENTRIES]`.
    #[fusion(dtype = DType::U32, shape = Shape::from([responses[0], classes.count, ENTRIES]))]
    fn response_histograms(
        responses: FloatTensor<Self>,
        labels: FloatTensor<Self>,
        ranges: FloatTensor<Self>,
        classes: Classes,
    ) -> IntTensor<Self>;

    /// The tables of transport from an image's histograms onto those of exemplars, `[exemplars, filters, classes, ENTRIES]`,
    /// with their shares: `[filters, classes, TABLE]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([counts[0], classes.count, TABLE]))]
    fn transport_tables(
        counts: IntTensor<Self>,
        others: IntTensor<Self>,
        shares: FloatTensor<Self>,
        classes: Classes,
    ) -> FloatTensor<Self>;

    /// A part of the tables of contours from responses, of which `count` are inside of a mask: `[filters, CONTOUR]`.
    #[fusion(dtype = DType::F32, shape = Shape::from([responses[0], CONTOUR]))]
    fn contour_tables(
        responses: FloatTensor<Self>,
        count: usize,
        part: ContourPart,
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

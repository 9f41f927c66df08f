//! Filter responses and their distances as operations of Burn's CubeCL backend, with and without Burn's fusion.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

#[cfg(feature = "fusion")]
use crate::engine::tables::ENTRIES;

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

    /// The histograms of an image's and an exemplar's responses, `[2, filters, ENTRIES]`.
    #[fusion(dtype = DType::U32, shape = Shape::from([2, image[0], ENTRIES]))]
    fn response_histograms(
        image: FloatTensor<Self>,
        exemplar: FloatTensor<Self>,
    ) -> IntTensor<Self>;

    /// The gradient of the distances of responses from transported ones, and the sums of these distances.
    #[fusion(dtype = DType::F32, shape = geometry.gradient())]
    fn transport_gradient(
        responses: FloatTensor<Self>,
        tables: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
        soft: f32,
    ) -> FloatTensor<Self>;
}

//! The kernels as operations of Burn's CubeCL backend, with and without Burn's fusion.
//!
//! Feature maps are `[1, height, width, channels]` here. Callers check shapes.

#[cfg(feature = "fusion")]
use burn::backend::DType;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

use super::tiling::Axis;
use super::winograd;
use crate::engine::Padding;

/// The options of a forward or backward pass of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pass {
    /// Height and width of the convolution's input.
    pub(super) size: [usize; 2],
    pub(super) padding: Padding,
    /// Whether 2x2 average pooling of the features is fused.
    pub(super) pooled: bool,
    /// The largest transformed map in bytes. Larger ones are computed in blocks of tile rows.
    pub(super) largest: usize,
}

impl Pass {
    /// The pass over an input that is already padded by one on each side.
    pub(super) fn padded(self) -> Self {
        Self {
            size: self.size.map(|length| length + 2),
            padding: Padding::Zero,
            pooled: false,
            ..self
        }
    }

    pub(super) fn axes(&self) -> [Axis; 2] {
        self.size.map(|length| Axis::new(length, self.padding))
    }

    /// The offset of the first tile on each axis.
    pub(super) fn offsets(&self) -> [usize; 2] {
        self.axes().map(|axis| axis.offset)
    }

    /// The shape of the output.
    pub(super) fn output(&self, channels: usize) -> Shape {
        let size = self
            .size
            .map(|length| if self.pooled { length / 2 } else { length });
        Shape::from([1, size[0], size[1], channels])
    }

    /// The shape of the ReLU mask.
    pub(super) fn mask(&self, channels: usize) -> Shape {
        let [rows, columns] = self.axes().map(|axis| axis.tiles);
        Shape::from([rows * columns, channels / winograd::LANES])
    }
}

/// Shapes and types of the outputs, which Burn's fusion needs before it runs an operation.
#[cfg(feature = "fusion")]
mod specification {
    use burn::backend::fusion::custom::TensorSpec;

    use super::{DType, Pass, Shape};

    pub(super) fn features(
        _: &TensorSpec,
        _: &TensorSpec,
        bias: &TensorSpec,
        pass: &Pass,
    ) -> (TensorSpec, TensorSpec) {
        let channels = bias.shape[0];
        let mask = TensorSpec::new(pass.mask(channels), DType::U32);
        (TensorSpec::new(pass.output(channels), bias.dtype), mask)
    }

    pub(super) fn map(pass: &Pass, channels: usize) -> Shape {
        Shape::from([1, pass.size[0], pass.size[1], channels])
    }
}

/// 3x3 convolutions with stride 1, padding 1 and ReLU.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait Convolutions: Backend {
    /// The features and the ReLU mask, by the Winograd transform. The filter is
    /// `[36, channels in, channels out]`.
    #[fusion(meta = specification::features)]
    fn winograd(
        input: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pass: Pass,
    ) -> (FloatTensor<Self>, IntTensor<Self>);

    /// The input gradient from the gradient at the features. The filter is
    /// `[36, channels out, channels in]`.
    #[fusion(dtype = gradient, shape = specification::map(pass, filter[2]))]
    fn winograd_gradient(
        gradient: FloatTensor<Self>,
        mask: IntTensor<Self>,
        filter: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self>;

    /// The features of an image in f32, by direct convolution. The filter is
    /// `[9, channels in, channels out]`.
    #[fusion(dtype = bias, shape = specification::map(pass, bias[0]))]
    fn first_layer(
        input: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self>;

    /// The image gradient, in f32, from the gradient at the features.
    #[fusion(dtype = DType::F32, shape = specification::map(pass, filter[1]))]
    fn first_layer_gradient(
        gradient: FloatTensor<Self>,
        features: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self>;
}

//! Forward and backward passes of a network's layers, on each kind of device.
//!
//! An [`Engine`] computes single layers. An [`Executor`] runs a chain of layers on an engine. There
//! are three engines: [`cpu`] works on slices of host memory (Flex, NdArray), [`gpu`] runs CubeCL
//! kernels, and [`burn_ops`] uses Burn's operations, on any device and under autodiff. [`compile`]
//! chooses the engine when a network is created.
//!
//! ```text
//! executor ──> Engine: cpu, gpu, burn_ops ──> operation (shapes and weights of layers)
//!         └──> feature_map (features and gradients, for layers and losses) ──> cpu, layout
//! ```
//!
//! Feature maps are NHWC in memory on every engine. Weights are frozen, so no weight gradients are
//! computed and little is saved for backward: the mask of each ReLU, and the argmax of each max
//! pooling.

mod affine;
mod bench;
mod burn_ops;
mod cpu;
mod executor;
mod feature_map;
#[cfg(feature = "cube")]
mod gpu;
mod layout;
mod moments;
mod operation;
mod padding;
mod pooling;
mod precision;
#[cfg(all(test, feature = "flex"))]
mod properties;
mod quantiles;
mod reductions;
pub(crate) mod reference;
pub(crate) mod tables;
mod winograd;

use std::sync::Arc;

use burn::tensor::Device;

pub(crate) use self::affine::Affine;
pub use self::bench::{DeviceLayerBench, LayerBench, LayerWay};
use self::executor::Executor;
pub(crate) use self::executor::{Forward, Tap, Tape, Trunk};
pub(crate) use self::feature_map::FeatureMap;
#[cfg(all(test, feature = "wgpu"))]
pub(crate) use self::gpu::tests::device as gpu_of_tests;
#[cfg(feature = "cube")]
pub(crate) use self::gpu::{adam, patches};
pub(crate) use self::layout::{
    add_maps, channels_last, channels_second, map_from_values, positions_by_channels,
};
pub(crate) use self::moments::{Moments, gram_product};
pub(crate) use self::operation::{
    ConvolutionShape, LazyParameters, Operation, Parameters, Weighted,
};
pub use self::padding::Padding;
pub(crate) use self::pooling::Pool;
pub use self::pooling::Pooling;
pub use self::precision::Precision;
pub(crate) use self::quantiles::{sorts, subtract_quantiles};
pub(crate) use self::reductions::{inner_product, largest_absolute, sum_of_rows, sum_of_squares};
use crate::error::Result;

/// Computes single layers on one kind of device.
///
/// The gradient that is passed from layer to layer is the sum of the input gradient of the layer
/// above and the gradient of the losses at this feature map.
pub(crate) trait Engine: Clone + Send + Sync + 'static {
    /// A convolution with its weights, packed for the kernels at their first use.
    type Convolution: Send + Sync;
    /// A feature map between two layers, or the gradient with respect to one.
    type Map: Send;
    /// The state that a layer saves for its backward pass.
    type Saved: Send + Sync;

    /// A convolution whose weights are drawn or read at its first use.
    fn convolution(
        &self,
        shape: ConvolutionShape,
        parameters: &Arc<LazyParameters>,
    ) -> Self::Convolution;

    /// A convolution with the same packed weights and another padding.
    fn with_padding(&self, convolution: &Self::Convolution, padding: Padding) -> Self::Convolution;

    /// Converts a feature map to this engine's form.
    fn import(&self, map: FeatureMap) -> Result<Self::Map>;

    /// Converts a map of this engine to a feature map.
    fn export(&self, map: Self::Map) -> FeatureMap;

    /// The shape `[1, C, H, W]` of a map.
    fn shape(&self, map: &Self::Map) -> [usize; 4];

    /// Reuses the memory of a map that is no longer needed.
    fn recycle(&self, _map: Self::Map) {}

    /// Frees the memory that is kept for reuse.
    fn release(&self) {}

    /// Whether [`convolve`](Self::convolve) can fuse 2x2 average pooling for an input of this
    /// height and width.
    fn can_pool(&self, convolution: &Self::Convolution, size: [usize; 2]) -> bool;

    /// The features of a convolution and its ReLU, after 2x2 average pooling if `pooled`.
    fn convolve(
        &self,
        convolution: &Arc<Self::Convolution>,
        input: &Self::Map,
        pooled: bool,
    ) -> (Self::Map, Self::Saved);

    /// The output of a pooling layer. `record` tells whether a backward pass follows.
    fn pool(&self, pool: Pool, input: &Self::Map, record: bool) -> (Self::Map, Self::Saved);

    /// Prepares the gradient at the deepest feature map for [`backward`](Self::backward). `saved`
    /// is the state of the layer that made the map.
    fn start_backward(&self, gradient: Self::Map, saved: &Self::Saved) -> Self::Map;

    /// The gradient at a layer's input: the input gradient of the layer plus `loss_gradient`, the
    /// gradient of the losses at the same feature map. `saved_below` is the state of the layer that
    /// made this map, `None` for the image.
    fn backward(
        &self,
        saved: &Self::Saved,
        gradient: Self::Map,
        loss_gradient: Option<Self::Map>,
        saved_below: Option<&Self::Saved>,
    ) -> Self::Map;
}

/// Compiles layers for the engine that serves this device and precision.
pub(crate) fn compile(
    device: &Device,
    precision: Precision,
    layers: &[Weighted],
) -> Arc<dyn Trunk> {
    let device = device.clone().inner();
    if crate::backend::is_in_host_memory(&device) {
        return Executor::compile(cpu::Cpu::new(device, precision), layers);
    }
    #[cfg(feature = "cube")]
    if gpu::serves(&device) {
        return Executor::compile(gpu::Gpu::new(device, precision), layers);
    }
    Executor::compile(burn_ops::BurnOps::new(device), layers)
}

/// Compiles layers to operations that Burn's autodiff can differentiate.
pub(crate) fn compile_differentiable(device: &Device, layers: &[Weighted]) -> Arc<dyn Trunk> {
    Executor::compile(burn_ops::BurnOps::new(device.clone().inner()), layers)
}

/// Whether a device supports half precision.
pub(crate) fn has_half(device: &Device) -> bool {
    #[cfg(feature = "cube")]
    {
        let device = device.clone().inner();
        gpu::serves(&device) && device.supports_dtype(burn::tensor::FloatDType::F16)
    }
    #[cfg(not(feature = "cube"))]
    {
        let _ = device;
        false
    }
}

/// Whether there are half-precision kernels for a convolution of this shape.
pub(crate) fn has_half_kernel(shape: ConvolutionShape) -> bool {
    #[cfg(feature = "cube")]
    {
        gpu::has_kernel(shape)
    }
    #[cfg(not(feature = "cube"))]
    {
        let _ = shape;
        false
    }
}

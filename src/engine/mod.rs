//! How the layers of a network are computed, forward and backward, on one kind of device.
//!
//! An [`Engine`] computes single layers, an [`Executor`] walks a chain of them. Three engines do the
//! same work: [`cpu`] on slices of host memory (Flex, NdArray), [`gpu`] by kernels that CubeCL compiles,
//! and [`burn_ops`] by Burn's own operations, on any device and under autodiff. [`compile`] chooses one
//! when a network is made.
//!
//! ```text
//! executor ──> Engine: cpu, gpu, burn_ops ──> operation (what a layer computes)
//!         └──> feature_map (what passes between layers and losses) ──> cpu, layout
//! ```
//!
//! Feature maps are channels last (NHWC) in memory on every engine. Weights are frozen, so a backward
//! pass needs little of the forward pass: which features each ReLU passed, and where the maxima of a
//! pooling were.

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
pub(crate) mod reference;
mod winograd;

use std::sync::Arc;

use burn::tensor::Device;

pub(crate) use self::affine::Affine;
pub use self::bench::{DeviceLayerBench, LayerBench, LayerWay};
use self::executor::Executor;
pub(crate) use self::executor::{Forward, Tap, Tape, Trunk};
pub(crate) use self::feature_map::FeatureMap;
pub(crate) use self::layout::{
    add_maps, channels_last, channels_second, map_of, positions_by_channels,
};
pub(crate) use self::moments::Moments;
pub(crate) use self::operation::{
    ConvolutionShape, LazyParameters, Operation, Parameters, Weighted,
};
pub use self::padding::Padding;
pub(crate) use self::pooling::Pool;
pub use self::pooling::Pooling;
pub use self::precision::Precision;
use crate::error::Result;

/// Computes single layers on one kind of device.
///
/// A gradient that is handed from layer to layer has been taken through the layer above, and holds
/// what the losses at this feature map added.
pub(crate) trait Engine: Clone + Send + Sync + 'static {
    /// A convolution with its weights, packed as the kernels read them, each form when first used.
    type Convolution: Send + Sync;
    /// A feature map between two layers, or the gradient at one.
    type Map: Send;
    /// What a layer saves for its backward pass.
    type Saved: Send + Sync;

    /// A convolution whose weights are made at its first use.
    fn convolution(
        &self,
        shape: ConvolutionShape,
        parameters: &Arc<LazyParameters>,
    ) -> Self::Convolution;

    /// The same convolution with another padding. It shares the packed weights.
    fn with_padding(&self, convolution: &Self::Convolution, padding: Padding) -> Self::Convolution;

    /// Takes a feature map over.
    fn enter(&self, map: FeatureMap) -> Result<Self::Map>;

    /// Hands a feature map out.
    fn leave(&self, map: Self::Map) -> FeatureMap;

    /// `[1, C, H, W]`.
    fn shape(&self, map: &Self::Map) -> [usize; 4];

    /// Takes back the memory of a map that is no longer needed.
    fn recycle(&self, _map: Self::Map) {}

    /// Frees the memory that was kept for reuse.
    fn release(&self) {}

    /// Whether [`convolve`](Self::convolve) can average 2x2 features of a map of this height and
    /// width as it writes them.
    fn can_pool(&self, convolution: &Self::Convolution, size: [usize; 2]) -> bool;

    /// The features of a convolution and its ReLU; averaged over 2x2 positions if `pooled`.
    fn convolve(
        &self,
        convolution: &Arc<Self::Convolution>,
        input: &Self::Map,
        pooled: bool,
    ) -> (Self::Map, Self::Saved);

    /// A pooling layer; `saved` says whether a backward pass will follow.
    fn pool(&self, pool: Pool, input: &Self::Map, saved: bool) -> (Self::Map, Self::Saved);

    /// Prepares the gradient at the deepest feature map. `saved` is what that map's layer saved.
    fn start(&self, gradient: Self::Map, saved: &Self::Saved) -> Self::Map;

    /// Takes a gradient through a layer to the feature map below it and adds `added`, the gradient of
    /// the losses there. `below` is what the layer that made that map saved; there is none of the
    /// image.
    fn backward(
        &self,
        saved: &Self::Saved,
        gradient: Self::Map,
        added: Option<Self::Map>,
        below: Option<&Self::Saved>,
    ) -> Self::Map;
}

/// The layers of a network on the engine that suits a device and a precision.
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

/// The same layers by operations that Burn's autodiff sees through.
pub(crate) fn compile_differentiable(device: &Device, layers: &[Weighted]) -> Arc<dyn Trunk> {
    Executor::compile(burn_ops::BurnOps::new(device.clone().inner()), layers)
}

/// Whether a device computes in half precision.
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

/// Whether there are kernels in half precision for a convolution of this shape.
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

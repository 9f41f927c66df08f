//! The engine of devices that CubeCL compiles kernels for: Vulkan, Metal, WebGPU, CUDA, ROCm.
//!
//! Burn's own convolutions serve any shape; here are those that VGG is made of. Wide 3x3 layers go
//! through the [Winograd transform](winograd), which multiplies four times less, and images, of few
//! channels, through [sums of products](first_layer). Every other layer is left to
//! [Burn's operations](super::burn_ops).
//!
//! ```text
//! convolution ──> backend (operations of Burn's backend, fused or not)
//!                   └──> winograd ──> winograd_matrices, tiling, relu
//!                   └──> first_layer ──> tiling, relu
//!                   └──> row_blocks
//! ```

mod backend;
mod convolution;
mod first_layer;
mod map;
mod relu;
mod row_blocks;
#[cfg(all(test, feature = "wgpu"))]
mod tests;
mod tiling;
mod winograd;
mod winograd_matrices;

use std::sync::Arc;

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};

pub(super) use self::convolution::has_kernel;
use self::convolution::{KernelConvolution, Passed};
use self::map::Map;
use super::operation::{ConvolutionShape, LazyParameters};
use super::padding::Padding;
use super::pooling::Pool;
use super::precision::Precision;
use super::{Engine, FeatureMap, burn_ops};
use crate::error::Result;

/// Whether the kernels of this engine run on a device.
pub(super) fn serves(device: &Device) -> bool {
    matches!(device.as_dispatch(), DispatchDevice::Cube(_))
}

/// The engine.
#[derive(Clone)]
pub(super) struct Gpu {
    device: Device,
    precision: Precision,
}

/// A convolution: one that has kernels here, or one that is left to Burn.
pub(super) enum Convolution {
    Kernel(Arc<KernelConvolution>),
    Burn(Arc<burn_ops::Convolution>),
}

/// What a layer saves for its backward pass.
pub(super) enum Saved {
    Kernel {
        convolution: Arc<KernelConvolution>,
        passed: Passed,
        /// Height and width of the input.
        input: [usize; 2],
        /// Whether the features were averaged over 2x2 positions.
        pooled: bool,
    },
    Burn(burn_ops::Saved),
}

impl Gpu {
    pub(super) fn new(device: Device, precision: Precision) -> Self {
        Self { device, precision }
    }
}

/// Gradients between layers are not gated: whoever takes one through a convolution does that.
impl Engine for Gpu {
    type Convolution = Convolution;
    type Map = Map;
    type Saved = Saved;

    fn convolution(
        &self,
        shape: ConvolutionShape,
        parameters: &Arc<LazyParameters>,
    ) -> Convolution {
        match KernelConvolution::new(shape, parameters, self.precision) {
            Some(convolution) => Convolution::Kernel(Arc::new(convolution)),
            None => {
                let convolution = burn_ops::Convolution::new(shape, Arc::clone(parameters));
                Convolution::Burn(Arc::new(convolution))
            }
        }
    }

    fn with_padding(&self, convolution: &Convolution, padding: Padding) -> Convolution {
        match convolution {
            Convolution::Kernel(convolution) => {
                Convolution::Kernel(Arc::new(convolution.with_padding(padding)))
            }
            Convolution::Burn(convolution) => {
                Convolution::Burn(Arc::new(convolution.with_padding(padding)))
            }
        }
    }

    fn enter(&self, map: FeatureMap) -> Result<Map> {
        Ok(Map::new(map.into_tensor()))
    }

    fn leave(&self, map: Map) -> FeatureMap {
        FeatureMap::Tensor(map.into_tensor())
    }

    fn shape(&self, map: &Map) -> [usize; 4] {
        map.tensor.dims()
    }

    fn can_pool(&self, convolution: &Convolution, size: [usize; 2]) -> bool {
        match convolution {
            Convolution::Kernel(convolution) => convolution.can_pool(size),
            Convolution::Burn(_) => false,
        }
    }

    fn convolve(&self, convolution: &Arc<Convolution>, input: &Map, pooled: bool) -> (Map, Saved) {
        let tensor: Tensor<4> = input.tensor.clone();
        match &**convolution {
            Convolution::Kernel(convolution) => {
                let [_, _, height, width] = tensor.dims();
                let (output, passed) = convolution.forward(tensor, pooled);
                let saved = Saved::Kernel {
                    convolution: Arc::clone(convolution),
                    passed,
                    input: [height, width],
                    pooled,
                };
                (Map::new(output), saved)
            }
            Convolution::Burn(convolution) => {
                let (output, saved) = burn_ops::convolve(convolution, tensor, &self.device);
                (Map::new(output), Saved::Burn(saved))
            }
        }
    }

    fn pool(&self, pool: Pool, input: &Map, saved: bool) -> (Map, Saved) {
        let (output, saved) = burn_ops::pool(pool, input.tensor.clone(), saved);
        (Map::new(output), Saved::Burn(saved))
    }

    fn start(&self, gradient: Map, _: &Saved) -> Map {
        match self.precision {
            Precision::Half => Map::scaled(gradient.into_tensor()),
            Precision::Single | Precision::Plain => gradient,
        }
    }

    fn backward(&self, saved: &Saved, gradient: Map, added: Option<Map>, _: Option<&Saved>) -> Map {
        let tensor = gradient.tensor.clone();
        let lower = match saved {
            Saved::Kernel {
                convolution,
                passed,
                input,
                pooled,
            } => convolution.input_gradient(tensor, passed, *input, *pooled),
            Saved::Burn(saved) => burn_ops::backward(saved, tensor, &self.device),
        };
        gradient.with(lower).plus(added)
    }
}

//! The engine of devices that CubeCL compiles kernels for: Vulkan, Metal, WebGPU, CUDA, ROCm.
//!
//! It has kernels for the convolutions that VGG is made of. 3x3 layers with many channels use the
//! [Winograd transform](winograd), which takes a quarter of the multiplications. The first layer, which
//! reads an image of few channels, is computed [directly](first_layer). All other layers use
//! [Burn's operations](super::burn_ops).
//!
//! ```text
//! convolution ──> backend (operations of Burn's backend, with and without fusion)
//!                   └──> launches ──> winograd, winograd_gradient ──> winograd_matrices, tiling, relu
//!                                ├──> first_layer ──> tiling, relu
//!                                └──> row_blocks
//! quantiles (sorts the values of distributions)
//! patches (distributions of responses to filters)
//! adam (steps of an optimiser whose state stays on the device)
//! reductions (sums, inner products and largest values of long lists)
//! ```

pub(crate) mod adam;
mod backend;
mod convolution;
mod first_layer;
mod launches;
mod map;
pub(crate) mod patches;
pub(super) mod products;
pub(super) mod quantiles;
pub(super) mod reductions;
mod relu;
mod row_blocks;
#[cfg(all(test, feature = "wgpu"))]
pub(super) mod tests;
mod tiling;
mod winograd;
mod winograd_gradient;
mod winograd_matrices;

use std::sync::Arc;

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};
use burn_cubecl::cubecl::client::Client;

pub(super) use self::convolution::has_kernel;
use self::convolution::{KernelConvolution, ReluMask};
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

/// Whether a device runs workgroups of so many units with so many bytes of shared memory.
fn runs_workgroups(device: &Device, units: usize, shared_bytes: usize) -> bool {
    match device.as_dispatch() {
        DispatchDevice::Cube(device) => has_workgroups(&device.client(), units, shared_bytes),
        _ => false,
    }
}

/// The same of a device's client.
fn has_workgroups(client: &Client, units: usize, shared_bytes: usize) -> bool {
    let hardware = &client.properties().hardware;
    hardware.max_units_per_cube as usize >= units && hardware.max_shared_memory_size >= shared_bytes
}

/// The engine.
#[derive(Clone)]
pub(super) struct Gpu {
    device: Device,
    precision: Precision,
}

/// A convolution.
pub(super) enum Convolution {
    /// Computed by the kernels of this engine.
    Kernel(Arc<KernelConvolution>),
    /// Computed by Burn's operations.
    Burn(Arc<burn_ops::Convolution>),
}

/// The state that a layer saves for its backward pass.
pub(super) enum Saved {
    Kernel {
        convolution: Arc<KernelConvolution>,
        mask: ReluMask,
        /// Height and width of the input.
        input: [usize; 2],
        /// Whether the forward pass fused 2x2 average pooling.
        pooled: bool,
    },
    Burn(burn_ops::Saved),
}

impl Gpu {
    pub(super) fn new(device: Device, precision: Precision) -> Self {
        Self { device, precision }
    }
}

/// A gradient that is passed from layer to layer is the gradient after the ReLU. The backward pass of a
/// convolution applies the ReLU mask when it reads the gradient.
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

    fn import(&self, map: FeatureMap) -> Result<Map> {
        Ok(Map::new(map.into_tensor()))
    }

    fn export(&self, map: Map) -> FeatureMap {
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
                let (output, mask) = convolution.forward(tensor, pooled);
                let saved = Saved::Kernel {
                    convolution: Arc::clone(convolution),
                    mask,
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

    fn pool(&self, pool: Pool, input: &Map, record: bool) -> (Map, Saved) {
        let (output, saved) = burn_ops::pool(pool, input.tensor.clone(), record);
        (Map::new(output), Saved::Burn(saved))
    }

    fn start_backward(&self, gradient: Map, _: &Saved) -> Map {
        match self.precision {
            Precision::Half => Map::scaled(gradient.into_tensor()),
            Precision::Single | Precision::Plain => gradient,
        }
    }

    fn backward(
        &self,
        saved: &Saved,
        gradient: Map,
        loss_gradient: Option<Map>,
        _: Option<&Saved>,
    ) -> Map {
        let tensor = gradient.tensor.clone();
        let input_gradient = match saved {
            Saved::Kernel {
                convolution,
                mask,
                input,
                pooled,
            } => convolution.input_gradient(tensor, mask, *input, *pooled),
            Saved::Burn(saved) => burn_ops::backward(saved, tensor, &self.device),
        };
        gradient.with_same_scale(input_gradient).plus(loss_gradient)
    }
}

//! The engine for tensors in host memory: kernels on slices, with threads by rayon and SIMD by pulp.
//!
//! ```text
//! convolution ──> winograd_convolution ──> winograd ──> source (reads tiles), sink (writes tiles) ──┐
//!            └──> im2col ──> packed_gemm, panels, epilogue, disjoint_slice  <────────────────────────┘
//! both ──> overlap_add (adjoint of padding), accumulation (sums of gradients)
//! pool, affine, moments        buffers: memory that evaluations reuse
//! ```

mod accumulation;
mod affine;
mod buffers;
mod convolution;
#[cfg(test)]
mod convolution_tests;
mod disjoint_slice;
mod epilogue;
mod im2col;
mod map;
mod moments;
mod overlap_add;
mod packed_gemm;
mod panels;
mod pool;
mod sink;
mod source;
mod winograd;
mod winograd_convolution;

use std::sync::Arc;

use burn::tensor::Device;

use self::accumulation::Accumulation;
pub(super) use self::affine::{add, affine, squared_distance};
use self::buffers::Buffers;
use self::convolution::Convolution;
pub(super) use self::map::Map;
pub(super) use self::moments::moments;
use self::pool::PoolSaved;
use self::winograd_convolution::{OutputGradient, WinogradConvolution};
use super::operation::{ConvolutionShape, LazyParameters};
use super::padding::Padding;
use super::pooling::Pool;
use super::precision::Precision;
use super::{Engine, FeatureMap};
use crate::error::Result;

/// One bit for each feature: whether the ReLU was active. 16 channels share a word.
pub(super) type ReluMask = Vec<u16>;

/// The engine, with the buffers that it keeps between evaluations.
#[derive(Clone)]
pub(super) struct Cpu {
    device: Device,
    /// Whether convolutions avoid the Winograd transform.
    plain: bool,
    buffers: Arc<Buffers>,
}

/// The state that a layer saves for its backward pass.
pub(super) enum Saved {
    Convolution {
        convolution: Arc<Convolution>,
        mask: Option<ReluMask>,
        /// Height and width of the input.
        input: (usize, usize),
    },
    /// A convolution with fused average pooling.
    PooledConvolution {
        convolution: WinogradConvolution,
        /// The ReLU mask, at the resolution before pooling.
        mask: Option<ReluMask>,
        /// Height and width of the input.
        input: (usize, usize),
        /// Height and width before pooling.
        unpooled: (usize, usize),
    },
    Pool(Pool, PoolSaved),
}

impl Saved {
    /// The ReLU mask of this layer's output. The output of a pooling has none.
    fn mask(&self) -> Option<&ReluMask> {
        match self {
            Self::Convolution { mask, .. } => mask.as_ref(),
            Self::PooledConvolution { .. } | Self::Pool(..) => None,
        }
    }
}

impl Cpu {
    pub(super) fn new(device: Device, precision: Precision) -> Self {
        Self {
            device,
            plain: precision == Precision::Plain,
            buffers: Arc::default(),
        }
    }

    /// The input gradient of a layer; see [`Engine::backward`].
    pub(super) fn input_gradient(
        &self,
        saved: &Saved,
        gradient: &Map,
        loss_gradient: Option<Map>,
        saved_below: Option<&Saved>,
    ) -> Map {
        let accumulation = Accumulation {
            loss_gradient,
            mask: saved_below.and_then(Saved::mask),
        };
        match saved {
            Saved::Convolution {
                convolution, input, ..
            } => convolution.input_gradient(gradient, *input, accumulation, &self.buffers),
            Saved::PooledConvolution {
                convolution,
                mask,
                input,
                unpooled,
            } => {
                let gradient = OutputGradient::Pooled {
                    gradient,
                    mask: mask.as_ref(),
                    size: *unpooled,
                };
                convolution.input_gradient(&gradient, *input, accumulation, &self.buffers)
            }
            Saved::Pool(pool, saved) => {
                pool::gradient(pool, gradient, saved, accumulation, &self.buffers)
            }
        }
    }
}

/// A gradient that is passed from layer to layer is the gradient before the ReLU. The kernel that
/// writes the gradient at a feature map also applies the ReLU mask of that map.
impl Engine for Cpu {
    type Convolution = Convolution;
    type Map = Map;
    type Saved = Saved;

    fn convolution(
        &self,
        shape: ConvolutionShape,
        parameters: &Arc<LazyParameters>,
    ) -> Convolution {
        Convolution::new(shape, Arc::clone(parameters), self.plain)
    }

    fn with_padding(&self, convolution: &Convolution, padding: Padding) -> Convolution {
        convolution.with_padding(padding)
    }

    fn import(&self, map: FeatureMap) -> Result<Map> {
        match map {
            FeatureMap::Host { map, .. } => Ok(map),
            FeatureMap::Tensor(map) => Map::from_tensor(map),
        }
    }

    fn export(&self, map: Map) -> FeatureMap {
        FeatureMap::Host {
            map,
            device: self.device.clone(),
        }
    }

    fn shape(&self, map: &Map) -> [usize; 4] {
        map.shape()
    }

    fn recycle(&self, map: Map) {
        map.recycle(&self.buffers);
    }

    fn release(&self) {
        self.buffers.clear();
    }

    fn can_pool(&self, convolution: &Convolution, _: [usize; 2]) -> bool {
        convolution.can_pool()
    }

    fn convolve(&self, convolution: &Arc<Convolution>, input: &Map, pooled: bool) -> (Map, Saved) {
        let size = (input.height(), input.width());
        match &**convolution {
            Convolution::Winograd(convolution) if pooled => {
                let (output, mask) = convolution.forward_pooled(input, &self.buffers);
                let saved = Saved::PooledConvolution {
                    convolution: convolution.clone(),
                    mask,
                    input: size,
                    unpooled: convolution.output(size),
                };
                (output, saved)
            }
            _ => {
                assert!(!pooled, "only Winograd convolutions fuse pooling");
                let (output, mask) = convolution.forward(input, &self.buffers);
                let saved = Saved::Convolution {
                    convolution: Arc::clone(convolution),
                    mask,
                    input: size,
                };
                (output, saved)
            }
        }
    }

    fn pool(&self, pool: Pool, input: &Map, _: bool) -> (Map, Saved) {
        let (output, saved) = pool::forward(&pool, input, &self.buffers);
        (output, Saved::Pool(pool, saved))
    }

    fn start_backward(&self, mut gradient: Map, saved: &Saved) -> Map {
        let accumulation = Accumulation {
            loss_gradient: None,
            mask: saved.mask(),
        };
        accumulation.apply_mask(&mut gradient);
        gradient
    }

    fn backward(
        &self,
        saved: &Saved,
        gradient: Map,
        loss_gradient: Option<Map>,
        saved_below: Option<&Saved>,
    ) -> Map {
        let input_gradient = self.input_gradient(saved, &gradient, loss_gradient, saved_below);
        gradient.recycle(&self.buffers);
        input_gradient
    }
}

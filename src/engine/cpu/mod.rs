//! The engine of devices whose tensors lie in host memory: kernels on slices, threads by rayon,
//! vectors by pulp.
//!
//! ```text
//! convolution ──> winograd ──> source (what is read), sink (what is written) ──┐
//!            ├──> im2col   ──> packed_gemm, epilogue, shared   <───────────────┘
//!            └──> overlap_add (gradients at padded positions)
//! pool, affine, moments        buffers: memory that evaluations reuse
//! ```

mod affine;
mod buffers;
mod convolution;
#[cfg(test)]
mod convolution_tests;
mod epilogue;
mod im2col;
mod joining;
mod map;
mod moments;
mod overlap_add;
mod packed_gemm;
mod pool;
mod shared;
mod sink;
mod source;
mod winograd;

use std::sync::Arc;

use burn::tensor::Device;

pub(super) use self::affine::{add, affine, squared_distance};
use self::buffers::Buffers;
use self::convolution::{Above, Convolution};
use self::joining::Joining;
pub(super) use self::map::Map;
pub(super) use self::moments::moments;
use self::pool::PoolSaved;
use super::operation::{ConvolutionShape, LazyParameters};
use super::padding::Padding;
use super::pooling::Pool;
use super::precision::Precision;
use super::{Engine, FeatureMap};
use crate::error::Result;

/// Which channels of which pixels a ReLU passed: one bit each.
pub(super) type Signs = Vec<u16>;

/// The engine, with the memory that it keeps between evaluations.
#[derive(Clone)]
pub(super) struct Cpu {
    device: Device,
    /// Whether every convolution is a sum of products, without the Winograd transform.
    plain: bool,
    buffers: Arc<Buffers>,
}

/// What a layer saves for its backward pass.
pub(super) enum Saved {
    Convolution {
        convolution: Arc<Convolution>,
        signs: Option<Signs>,
        /// Height and width of the input.
        input: (usize, usize),
        /// Height and width of the features, if what was written is their average.
        pooled: Option<(usize, usize)>,
    },
    Pool(Pool, PoolSaved),
}

impl Saved {
    /// Where the ReLU passed the output of this layer. Of averaged features there are no signs.
    fn signs(&self) -> Option<&Signs> {
        match self {
            Self::Convolution {
                signs,
                pooled: None,
                ..
            } => signs.as_ref(),
            _ => None,
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
}

impl Cpu {
    /// The gradient below a layer; see [`Engine::backward`].
    pub(super) fn input_gradient(
        &self,
        saved: &Saved,
        gradient: &Map,
        added: Option<Map>,
        below: Option<&Saved>,
    ) -> Map {
        let joining = Joining {
            added,
            signs: below.and_then(Saved::signs),
        };
        match saved {
            Saved::Convolution {
                convolution,
                signs,
                input,
                pooled,
            } => {
                let above = match pooled {
                    None => Above::Map(gradient),
                    Some(size) => Above::Pooled(gradient, signs.as_ref(), *size),
                };
                convolution.input_gradient(&above, *input, joining, &self.buffers)
            }
            Saved::Pool(pool, saved) => {
                pool::gradient(pool, gradient, saved, joining, &self.buffers)
            }
        }
    }
}

/// Gradients between layers are gated: the pass that writes one keeps of it what the ReLU of its
/// feature map passed.
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

    fn enter(&self, map: FeatureMap) -> Result<Map> {
        match map {
            FeatureMap::Host { map, .. } => Ok(map),
            FeatureMap::Tensor(map) => Map::from_tensor(map),
        }
    }

    fn leave(&self, map: Map) -> FeatureMap {
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
        convolution.is_winograd()
    }

    fn convolve(&self, convolution: &Arc<Convolution>, input: &Map, pooled: bool) -> (Map, Saved) {
        let (output, signs) = convolution.forward(input, pooled, &self.buffers);
        let input = (input.height(), input.width());
        let saved = Saved::Convolution {
            convolution: Arc::clone(convolution),
            signs,
            input,
            pooled: pooled.then(|| convolution.shape().output(input.0, input.1)),
        };
        (output, saved)
    }

    fn pool(&self, pool: Pool, input: &Map, _: bool) -> (Map, Saved) {
        let (output, saved) = pool::forward(&pool, input, &self.buffers);
        (output, Saved::Pool(pool, saved))
    }

    fn start(&self, mut gradient: Map, saved: &Saved) -> Map {
        let joining = Joining {
            added: None,
            signs: saved.signs(),
        };
        joining.apply(&mut gradient);
        gradient
    }

    fn backward(
        &self,
        saved: &Saved,
        gradient: Map,
        added: Option<Map>,
        below: Option<&Saved>,
    ) -> Map {
        let lower = self.input_gradient(saved, &gradient, added, below);
        gradient.recycle(&self.buffers);
        lower
    }
}

//! The engine that composes Burn's own operations: any device, any layer, and autodiff sees it all.

mod convolution;
mod padding;
mod pool;

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor};

pub(super) use self::convolution::{Convolution, gate};
pub(super) use self::padding::{fold, pad};
use super::layout::add_maps;
use super::operation::{ConvolutionShape, LazyParameters};
use super::padding::Padding;
use super::pooling::Pool;
use super::{Engine, FeatureMap};
use crate::error::Result;

/// The engine.
#[derive(Clone)]
pub(super) struct BurnOps {
    device: Device,
}

/// What a layer saves for its backward pass.
pub(super) enum Saved {
    Convolution {
        convolution: Arc<Convolution>,
        /// The output of the ReLU, if there is one.
        features: Option<Tensor<4>>,
        /// Height and width of the input.
        input: [usize; 2],
    },
    /// Averages of 2x2 positions of a map of this height and width.
    Halving([usize; 2]),
    Pool {
        pool: Pool,
        input: Tensor<4>,
        /// Where the maxima were.
        places: Option<Tensor<4, Int>>,
    },
}

impl BurnOps {
    pub(super) fn new(device: Device) -> Self {
        Self { device }
    }
}

/// The features of a convolution and its ReLU, and what its backward pass needs.
pub(super) fn convolve(
    convolution: &Arc<Convolution>,
    input: Tensor<4>,
    device: &Device,
) -> (Tensor<4>, Saved) {
    let [_, _, height, width] = input.dims();
    let features = convolution.forward(input, device);
    let saved = Saved::Convolution {
        features: convolution.shape().relu.then(|| features.clone()),
        convolution: Arc::clone(convolution),
        input: [height, width],
    };
    (features, saved)
}

/// A pooling layer; `saved` says whether a backward pass will follow.
pub(super) fn pool(pool: Pool, input: Tensor<4>, saved: bool) -> (Tensor<4>, Saved) {
    let [_, _, height, width] = input.dims();
    let (output, places) = pool::forward(&pool, input.clone(), saved);
    let saved = match pool.halves() {
        true => Saved::Halving([height, width]),
        false => Saved::Pool {
            pool,
            input,
            places,
        },
    };
    (output, saved)
}

/// The gradient below a layer.
pub(super) fn backward(saved: &Saved, gradient: Tensor<4>, device: &Device) -> Tensor<4> {
    match saved {
        Saved::Convolution {
            convolution,
            features,
            input,
        } => {
            let gradient = match features {
                Some(features) => gate(gradient, features.clone()),
                None => gradient,
            };
            convolution.input_gradient(gradient, *input, device)
        }
        Saved::Halving(size) => pool::spread(gradient, *size),
        Saved::Pool {
            pool,
            input,
            places,
        } => pool::gradient(pool, input.clone(), gradient, places.clone()),
    }
}

/// Gradients between layers are not gated: whoever takes one through a convolution does that.
impl Engine for BurnOps {
    type Convolution = Convolution;
    type Map = Tensor<4>;
    type Saved = Saved;

    fn convolution(
        &self,
        shape: ConvolutionShape,
        parameters: &Arc<LazyParameters>,
    ) -> Convolution {
        Convolution::new(shape, Arc::clone(parameters))
    }

    fn with_padding(&self, convolution: &Convolution, padding: Padding) -> Convolution {
        convolution.with_padding(padding)
    }

    fn enter(&self, map: FeatureMap) -> Result<Tensor<4>> {
        Ok(map.into_tensor())
    }

    fn leave(&self, map: Tensor<4>) -> FeatureMap {
        FeatureMap::Tensor(map)
    }

    fn shape(&self, map: &Tensor<4>) -> [usize; 4] {
        map.dims()
    }

    fn can_pool(&self, _: &Convolution, _: [usize; 2]) -> bool {
        false
    }

    fn convolve(
        &self,
        convolution: &Arc<Convolution>,
        input: &Tensor<4>,
        _: bool,
    ) -> (Tensor<4>, Saved) {
        convolve(convolution, input.clone(), &self.device)
    }

    fn pool(&self, layer: Pool, input: &Tensor<4>, saved: bool) -> (Tensor<4>, Saved) {
        pool(layer, input.clone(), saved)
    }

    fn start(&self, gradient: Tensor<4>, _: &Saved) -> Tensor<4> {
        gradient
    }

    fn backward(
        &self,
        saved: &Saved,
        gradient: Tensor<4>,
        added: Option<Tensor<4>>,
        _: Option<&Saved>,
    ) -> Tensor<4> {
        let lower = backward(saved, gradient, &self.device);
        match added {
            Some(added) => add_maps(lower, added),
            None => lower,
        }
    }
}

//! The engine that uses Burn's operations. It serves all devices and all layers and works under
//! autodiff.

mod convolution;
mod padding;
mod pool;

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor};

pub(super) use self::convolution::{Convolution, relu_backward};
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

/// The state that a layer saves for its backward pass.
pub(super) enum Saved {
    Convolution {
        convolution: Arc<Convolution>,
        /// The output of the ReLU, if there is one.
        features: Option<Tensor<4>>,
        /// Height and width of the input.
        input: [usize; 2],
    },
    /// 2x2 average pooling of an input of this height and width.
    AveragePool2x2([usize; 2]),
    Pool {
        pool: Pool,
        input: Tensor<4>,
        /// The argmax of each window, for max pooling.
        indices: Option<Tensor<4, Int>>,
    },
}

impl BurnOps {
    pub(super) fn new(device: Device) -> Self {
        Self { device }
    }
}

/// The features of a convolution and its ReLU, and the state for the backward pass.
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

/// The output of a pooling layer. `record` tells whether a backward pass follows.
pub(super) fn pool(pool: Pool, input: Tensor<4>, record: bool) -> (Tensor<4>, Saved) {
    let [_, _, height, width] = input.dims();
    let (output, indices) = pool::forward(&pool, input.clone(), record);
    let saved = if pool.is_2x2_average() {
        Saved::AveragePool2x2([height, width])
    } else {
        Saved::Pool {
            pool,
            input,
            indices,
        }
    };
    (output, saved)
}

/// The input gradient of a layer.
pub(super) fn backward(saved: &Saved, gradient: Tensor<4>, device: &Device) -> Tensor<4> {
    match saved {
        Saved::Convolution {
            convolution,
            features,
            input,
        } => {
            let gradient = match features {
                Some(features) => relu_backward(gradient, features.clone()),
                None => gradient,
            };
            convolution.input_gradient(gradient, *input, device)
        }
        Saved::AveragePool2x2(size) => pool::average_2x2_gradient(gradient, *size),
        Saved::Pool {
            pool,
            input,
            indices,
        } => pool::gradient(pool, input.clone(), gradient, indices.clone()),
    }
}

/// A gradient that is passed from layer to layer is the gradient after the ReLU. The backward pass of a
/// convolution applies the ReLU mask.
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

    fn import(&self, map: FeatureMap) -> Result<Tensor<4>> {
        Ok(map.into_tensor())
    }

    fn export(&self, map: Tensor<4>) -> FeatureMap {
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

    fn pool(&self, layer: Pool, input: &Tensor<4>, record: bool) -> (Tensor<4>, Saved) {
        pool(layer, input.clone(), record)
    }

    fn start_backward(&self, gradient: Tensor<4>, _: &Saved) -> Tensor<4> {
        gradient
    }

    fn backward(
        &self,
        saved: &Saved,
        gradient: Tensor<4>,
        loss_gradient: Option<Tensor<4>>,
        _: Option<&Saved>,
    ) -> Tensor<4> {
        let input_gradient = backward(saved, gradient, &self.device);
        match loss_gradient {
            Some(loss_gradient) => add_maps(input_gradient, loss_gradient),
            None => input_gradient,
        }
    }
}

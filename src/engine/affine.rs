//! Affine functions of the channels at each position. Gradients of feature statistics have this form.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::FeatureMap;
use super::layout::{channels_last, channels_second, positions_by_channels};
use super::moments::mix;

/// An affine function of the channels `f` of a position,
///
/// ```text
/// f A + b + sum over targets of c (f - f0)
/// ```
///
/// in which missing parts are zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affine {
    /// `A`, `[N, N]`.
    pub(crate) matrix: Option<Tensor<2>>,
    /// `b`, `[1, N]`.
    pub(crate) offset: Option<Tensor<2>>,
    /// Target maps `f0`, each with its factor `c`.
    pub(crate) differences: Vec<(Arc<FeatureMap>, f64)>,
}

impl Affine {
    /// Applies the function to each position of a map, by operations on its device.
    pub(super) fn apply(self, map: Tensor<4>) -> Tensor<4> {
        let [_, channels, height, width] = map.dims();
        let mut sum: Option<Tensor<4>> = None;
        let mut add = |part: Tensor<4>| {
            sum = Some(match sum.take() {
                Some(sum) => sum + part,
                None => part,
            });
        };
        if let Some(matrix) = self.matrix {
            let mixed = mix(positions_by_channels(map.clone()), matrix);
            add(mixed.reshape([1, height, width, channels]));
        }
        for (target, factor) in self.differences {
            let target = channels_last(target.to_tensor());
            add((channels_last(map.clone()) - target).mul_scalar(factor));
        }
        if let Some(offset) = self.offset {
            let offset = offset.reshape([1, 1, 1, channels]);
            add(offset.expand([1, height, width, channels]));
        }
        match sum {
            Some(sum) => channels_second(sum),
            None => map.zeros_like(),
        }
    }
}

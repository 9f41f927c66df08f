//! Curvature pairs, and the two-loop recursion.

use std::collections::VecDeque;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::engine::inner_product;

/// A pair is stored only if the cosine between step and gradient change exceeds this.
const LEAST_COSINE: f64 = 1e-8;

/// A curvature pair: a step `s` and the change `y` of the gradient along it.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) step: Tensor<1>,
    pub(super) change: Tensor<1>,
    /// `1 / s.y`
    pub(super) inverse: f64,
    /// `s.y / y.y`, the size of the inverse Hessian along the step.
    pub(super) scale: f64,
}

impl Pair {
    pub(super) fn new(step: Tensor<1>, change: Tensor<1>, curvature: Curvature) -> Self {
        Self {
            step,
            change,
            inverse: 1.0 / curvature.step_change,
            scale: curvature.step_change / curvature.change_change,
        }
    }
}

/// Inner products of a step `s` and its gradient change `y`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Curvature {
    /// `s.y`
    pub(super) step_change: f64,
    /// `y.y`
    pub(super) change_change: f64,
    /// `s.s`
    pub(super) step_step: f64,
}

impl Curvature {
    /// Whether the curvature along the step is positive, by more than rounding, and what a pair divides by
    /// is more than what is left of numbers too small for f32.
    pub(super) fn is_positive(&self) -> bool {
        let norms = self.step_step.sqrt() * self.change_change.sqrt();
        let least = f64::from(f32::MIN_POSITIVE);
        self.step_change > LEAST_COSINE * norms
            && self.step_change >= least
            && self.change_change >= least * self.step_change.max(1.0)
    }
}

/// The approximate inverse Hessian times a vector, by the two-loop recursion (Nocedal and Wright,
/// algorithm 7.4). `pairs` are ordered from the oldest to the newest. Scalars stay on the device as tensors
/// of one value.
pub(super) fn times_inverse_hessian(pairs: &VecDeque<Pair>, vector: Tensor<1>) -> Tensor<1> {
    let Some(newest) = pairs.back() else {
        return vector;
    };
    let mut q = vector;
    let mut alphas = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let alpha = inner_product(&pair.step, &q).mul_scalar(pair.inverse);
        q = q - pair.change.clone() * alpha.clone();
        alphas.push(alpha);
    }
    let mut r = q.mul_scalar(newest.scale);
    for (pair, alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = inner_product(&pair.change, &r).mul_scalar(pair.inverse);
        r = r + pair.step.clone() * (alpha - beta);
    }
    r
}

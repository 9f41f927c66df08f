//! The history of L-BFGS: pairs of steps and gradient changes, and the inverse Hessian that they tell.

use std::collections::VecDeque;

use burn::tensor::Tensor;

/// A step `s` with the gradient change `y` along it; `inverse` is `1 / s.y`.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) step: Tensor<1>,
    pub(super) change: Tensor<1>,
    pub(super) inverse: f64,
    /// `s.y / y.y`, the size of the inverse Hessian along the step.
    pub(super) scale: f64,
}

/// The product of a vector with the inverse Hessian that the pairs tell, by the two-loop recursion. Its scalars stay on the device as tensors of one value.
pub(super) fn times_inverse_hessian(pairs: &VecDeque<Pair>, vector: Tensor<1>) -> Tensor<1> {
    let Some(newest) = pairs.back() else {
        return vector;
    };
    let mut q = vector;
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = dot(&pair.step, &q).mul_scalar(pair.inverse);
        q = q - pair.change.clone() * share.clone();
        shares.push(share);
    }
    let mut r = q.mul_scalar(newest.scale);
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let back = dot(&pair.change, &r).mul_scalar(pair.inverse);
        r = r + pair.step.clone() * (share - back);
    }
    r
}

/// The inner product, as a tensor of one value.
pub(super) fn dot(a: &Tensor<1>, b: &Tensor<1>) -> Tensor<1> {
    // Not a matrix product, which some devices compute at reduced precision.
    (a.clone() * b.clone()).sum_dim(0)
}

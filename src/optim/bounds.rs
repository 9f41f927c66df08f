//! Box constraints: projections of points, gradients and directions.

use burn::tensor::Tensor;

/// The interval that every variable stays in, or none.
#[derive(Clone, Copy)]
pub(super) struct Bounds(pub(super) Option<(f64, f64)>);

impl Bounds {
    /// The nearest point of the box.
    pub(super) fn project(self, point: Tensor<1>) -> Tensor<1> {
        match self.0 {
            Some((low, high)) => point.clamp(low, high),
            None => point,
        }
    }

    /// The free gradient: zero for variables at a bound that a descent would push out of the box.
    pub(super) fn free(self, gradient: &Tensor<1>, point: &Tensor<1>) -> Tensor<1> {
        let Some((low, high)) = self.0 else {
            return gradient.clone();
        };
        let at_low = point.clone().lower_equal_scalar(low);
        let at_high = point.clone().greater_equal_scalar(high);
        let blocked_low = at_low.bool_and(gradient.clone().greater_scalar(0.0));
        let blocked_high = at_high.bool_and(gradient.clone().lower_scalar(0.0));
        let blocked = blocked_low.bool_or(blocked_high);
        gradient.clone().mask_fill(blocked, 0.0)
    }

    /// A direction without the components that leave the box at `point`.
    pub(super) fn inward(self, direction: Tensor<1>, point: &Tensor<1>) -> Tensor<1> {
        self.free(&direction.neg(), point).neg()
    }

    /// A direction without the components of variables that the projection of `point` has put at a bound:
    /// they do not move there.
    pub(super) fn moving(self, direction: &Tensor<1>, point: &Tensor<1>) -> Tensor<1> {
        let Some((low, high)) = self.0 else {
            return direction.clone();
        };
        let at_low = point.clone().lower_equal_scalar(low);
        let at_high = point.clone().greater_equal_scalar(high);
        direction.clone().mask_fill(at_low.bool_or(at_high), 0.0)
    }
}

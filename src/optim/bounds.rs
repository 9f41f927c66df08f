//! Bounds of variables: a box that trial points are projected into.

use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// A lower and an upper bound of every variable.
pub(super) type Bounds = Option<(f64, f64)>;

/// Refuses bounds that are not a lower and an upper number.
pub(super) fn check_bounds(bounds: Bounds) -> Result<()> {
    match bounds {
        Some((low, high)) if low.is_nan() || high.is_nan() || low >= high => {
            let found = format!("{low} to {high}");
            Err(Error::option(
                "bounds",
                found,
                "a lower below an upper bound",
            ))
        }
        _ => Ok(()),
    }
}

/// The nearest point of the box.
pub(super) fn project(position: Tensor<1>, bounds: Bounds) -> Tensor<1> {
    match bounds {
        Some((low, high)) => position.clamp(low, high),
        None => position,
    }
}

/// The gradient without the components that push a coordinate out of the box it rests against.
pub(super) fn free(position: &Tensor<1>, gradient: &Tensor<1>, bounds: Bounds) -> Tensor<1> {
    let Some((low, high)) = bounds else {
        return gradient.clone();
    };
    let at_low = position.clone().lower_equal_scalar(low);
    let at_high = position.clone().greater_equal_scalar(high);
    let held_low = at_low.bool_and(gradient.clone().greater_scalar(0.0));
    let held_high = at_high.bool_and(gradient.clone().lower_scalar(0.0));
    gradient.clone().mask_fill(held_low.bool_or(held_high), 0.0)
}

/// A direction at `position` without the components that leave the box at once.
pub(super) fn inward(position: &Tensor<1>, direction: Tensor<1>, bounds: Bounds) -> Tensor<1> {
    free(position, &-direction, bounds).neg()
}

/// The components of a direction that still move at the trial point, where projection has not
/// stopped them.
pub(super) fn moving(trial: &Tensor<1>, direction: &Tensor<1>, bounds: Bounds) -> Tensor<1> {
    let Some((low, high)) = bounds else {
        return direction.clone();
    };
    let at_low = trial.clone().lower_equal_scalar(low);
    let at_high = trial.clone().greater_equal_scalar(high);
    direction.clone().mask_fill(at_low.bool_or(at_high), 0.0)
}

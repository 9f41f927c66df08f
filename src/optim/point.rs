//! Points of a minimisation, and what is read of an evaluation.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A point with value and gradient; before the first evaluation there is no gradient.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) position: Tensor<1>,
    pub(super) gradient: Option<Tensor<1>>,
    pub(super) values: Vec<f64>,
    pub(super) largest: f64,
    pub(super) norm: f64,
}

impl Point {
    pub(super) fn value(&self) -> f64 {
        if self.values.is_empty() {
            f64::INFINITY
        } else {
            self.values.iter().sum()
        }
    }
}

/// Inner products of a step `s` and its gradient change `y`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Curvature {
    pub(super) step_change: f64,
    pub(super) change_change: f64,
    pub(super) step_step: f64,
}

/// The scalars of one evaluation.
pub(super) struct Read {
    pub(super) values: Vec<f64>,
    pub(super) largest: f64,
    pub(super) norm: f64,
    pub(super) slope: f64,
    pub(super) slope_before: f64,
    pub(super) curvature: Curvature,
}

impl Read {
    pub(super) fn finite_value(&self) -> Option<f64> {
        let value: f64 = self.values.iter().sum();
        (value.is_finite() && self.norm.is_finite()).then_some(value)
    }

    pub(super) fn into_point(self, position: Tensor<1>, gradient: Tensor<1>) -> Point {
        Point {
            position,
            gradient: Some(gradient),
            values: self.values,
            largest: self.largest,
            norm: self.norm,
        }
    }
}

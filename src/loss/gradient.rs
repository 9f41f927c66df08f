//! Gradients with respect to features, kept small where they are a function of the features.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::Observation;
use crate::engine::{Affine, FeatureMap, add_maps};
use crate::error::Result;

/// The gradient of a loss with respect to a map `F`, `[1, N, H, W]`: the sum of up to four parts,
///
/// ```text
/// D + F A + b + c (F - F0)
/// ```
///
/// with `D` as large as the map, `A` an `N x N` matrix that mixes the channels of each position,
/// `b` a row of `N` values that every position gets, and `F0` the map of a content.
///
/// The statistics of a style have gradients of the second and third kind only. Kept in that form
/// they take no memory to speak of, those of several losses at a layer add up before they are
/// multiplied out, and that can be done in the memory of the features themselves.
#[derive(Clone, Debug, Default)]
pub struct Gradient {
    map: Option<Tensor<4>>,
    rest: Option<Affine>,
}

impl Gradient {
    /// A gradient given in full, `[1, N, H, W]`.
    #[must_use]
    pub fn map(map: Tensor<4>) -> Self {
        Self {
            map: Some(map),
            rest: None,
        }
    }

    fn affine(affine: Affine) -> Self {
        Self {
            map: None,
            rest: Some(affine),
        }
    }

    /// `F A` for a matrix `[N, N]`: column `j` says how much of each channel goes to channel `j`.
    #[must_use]
    pub fn matrix(matrix: Tensor<2>) -> Self {
        Self::affine(Affine {
            matrix: Some(matrix),
            ..Affine::default()
        })
    }

    /// The same row `[1, N]` at every position.
    #[must_use]
    pub fn offset(offset: Tensor<2>) -> Self {
        Self::affine(Affine {
            offset: Some(offset),
            ..Affine::default()
        })
    }

    /// `factor (F - target)`.
    pub(super) fn pull(target: Arc<FeatureMap>, factor: f64) -> Self {
        Self::affine(Affine {
            pulls: vec![(target, factor)],
            ..Affine::default()
        })
    }

    /// The sum of two gradients of the same map.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            map: sum(self.map, other.map, add_maps),
            rest: sum(self.rest, other.rest, |mut a, b| {
                a.pulls.extend(b.pulls);
                Affine {
                    matrix: sum(a.matrix, b.matrix, |a, b| a + b),
                    offset: sum(a.offset, b.offset, |a, b| a + b),
                    pulls: a.pulls,
                }
            }),
        }
    }

    /// The gradient in full, `[1, N, H, W]`, at what was measured; in the memory of the map where
    /// nobody else holds it.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub fn at(self, observation: Observation) -> Result<Tensor<4>> {
        Ok(self.multiplied_out(observation)?.into_tensor())
    }

    /// The same in the form in which the engine computes it.
    pub(crate) fn multiplied_out(self, observation: Observation) -> Result<FeatureMap> {
        match (self.map, self.rest) {
            (Some(map), None) => Ok(map.into()),
            (None, rest) => {
                let map = observation.into_feature_map();
                map.affine(rest.unwrap_or_default())
            }
            (Some(map), Some(rest)) => {
                let mixed = observation.into_feature_map().affine(rest)?;
                mixed.plus(map.into())
            }
        }
    }
}

fn sum<T>(a: Option<T>, b: Option<T>, add: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (one, other) => one.or(other),
    }
}

//! Gradients with respect to features, stored as affine functions of the features where possible.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::Observation;
use crate::engine::{Affine, FeatureMap, add_maps};
use crate::error::{Error, Result};

/// The gradient of a loss with respect to a feature map `F`, `[1, N, H, W]`, as a sum of up to four
/// parts,
///
/// ```text
/// D + F A + b + c (F - F0)
/// ```
///
/// with a map `D` of the shape of `F`, an `N x N` matrix `A` that is applied to the channels of
/// each position, a row `b` of `N` values that is added to each position, and the target map `F0`
/// of a content loss.
///
/// Gradients of style statistics consist of `F A` and `b`. In this form they take little memory.
/// The gradients of several losses at a layer are added before they are evaluated, and the
/// evaluation can reuse the memory of the features.
#[derive(Clone, Debug, Default)]
pub struct Gradient {
    map: Option<Tensor<4>>,
    affine: Option<Affine>,
}

impl Gradient {
    /// The gradient `D`, `[1, N, H, W]`.
    #[must_use]
    pub fn map(map: Tensor<4>) -> Self {
        Self {
            map: Some(map),
            affine: None,
        }
    }

    fn affine(affine: Affine) -> Self {
        Self {
            map: None,
            affine: Some(affine),
        }
    }

    /// The gradient `F A` for a matrix `A`, `[N, N]`, with `F` as a matrix `[positions, N]`.
    #[must_use]
    pub fn matrix(matrix: Tensor<2>) -> Self {
        Self::affine(Affine {
            matrix: Some(matrix),
            ..Affine::default()
        })
    }

    /// The gradient `b`: the row `[1, N]` at each position.
    #[must_use]
    pub fn offset(offset: Tensor<2>) -> Self {
        Self::affine(Affine {
            offset: Some(offset),
            ..Affine::default()
        })
    }

    /// The gradient `factor (F - target)`.
    pub(super) fn difference(target: Arc<FeatureMap>, factor: f64) -> Self {
        Self::affine(Affine {
            differences: vec![(target, factor)],
            ..Affine::default()
        })
    }

    /// The sum of two gradients of the same map.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            map: sum(self.map, other.map, add_maps),
            affine: sum(self.affine, other.affine, |mut a, b| {
                a.differences.extend(b.differences);
                Affine {
                    matrix: sum(a.matrix, b.matrix, |a, b| a + b),
                    offset: sum(a.offset, b.offset, |a, b| a + b),
                    differences: a.differences,
                }
            }),
        }
    }

    /// The gradient as a tensor, `[1, N, H, W]`, evaluated at `observation`. The evaluation reuses
    /// the memory of the observed map if it is not shared.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] for a part that is not of the observed map's shape, [`Error::Device`] if the device fails.
    pub fn at(self, observation: Observation) -> Result<Tensor<4>> {
        Ok(self.evaluate(observation)?.into_tensor())
    }

    /// Refuses parts that are not of a map of this shape.
    fn check(&self, dims: [usize; 4]) -> Result<()> {
        let refused = |part: &str, found: &[usize], expected: &[usize]| {
            Err(Error::Shape {
                what: format!("the {part} of a gradient"),
                found: found.to_vec(),
                expected: format!("{expected:?}"),
            })
        };
        let channels = dims[1];
        if let Some(map) = self.map.as_ref().filter(|map| map.dims() != dims) {
            return refused("map", &map.dims(), &dims);
        }
        let Some(affine) = &self.affine else {
            return Ok(());
        };
        let square = [channels; 2];
        if let Some(matrix) = affine.matrix.as_ref().filter(|it| it.dims() != square) {
            return refused("matrix", &matrix.dims(), &square);
        }
        let row = [1, channels];
        if let Some(offset) = affine.offset.as_ref().filter(|it| it.dims() != row) {
            return refused("offset", &offset.dims(), &row);
        }
        let mut targets = affine.differences.iter().map(|(target, _)| target.dims());
        match targets.find(|found| *found != dims) {
            Some(found) => refused("target", &found, &dims),
            None => Ok(()),
        }
    }

    /// As [`at`](Self::at), in the native form of the engine.
    pub(crate) fn evaluate(self, observation: Observation) -> Result<FeatureMap> {
        self.check(observation.feature_map().dims())?;
        match (self.map, self.affine) {
            (Some(map), None) => Ok(map.into()),
            (None, affine) => {
                let map = observation.into_feature_map();
                map.affine(affine.unwrap_or_default())
            }
            (Some(map), Some(affine)) => {
                let evaluated = observation.into_feature_map().affine(affine)?;
                evaluated.plus(map.into())
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

//! Gradients with respect to features, kept small where they are a function of the features.

use burn::tensor::Tensor;

use super::Observation;
use crate::error::Result;
use crate::kernels::mix;

/// The gradient of a loss with respect to a map `F`, `[1, N, H, W]`: the sum of up to three parts,
///
/// ```text
/// D + F A + b
/// ```
///
/// with `D` as large as the map, `A` an `N x N` matrix that mixes the channels of each position,
/// and `b` a row of `N` values that every position gets.
///
/// The statistics of a style have gradients of the second and third kind only. Kept in that form
/// they take no memory to speak of, those of several losses at a layer add up before they are
/// multiplied out, and that can be done in the memory of the features themselves.
#[derive(Clone, Debug, Default)]
pub struct Gradient {
    map: Option<Tensor<4>>,
    matrix: Option<Tensor<2>>,
    offset: Option<Tensor<2>>,
}

impl Gradient {
    /// A gradient given in full, `[1, N, H, W]`.
    #[must_use]
    pub fn map(map: Tensor<4>) -> Self {
        Self {
            map: Some(map),
            ..Self::default()
        }
    }

    /// `F A` for a matrix `[N, N]`: column `j` says how much of each channel goes to channel `j`.
    #[must_use]
    pub fn matrix(matrix: Tensor<2>) -> Self {
        Self {
            matrix: Some(matrix),
            ..Self::default()
        }
    }

    /// The same row `[1, N]` at every position.
    #[must_use]
    pub fn offset(offset: Tensor<2>) -> Self {
        Self {
            offset: Some(offset),
            ..Self::default()
        }
    }

    /// The sum of two gradients of the same map.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            map: sum(self.map, other.map, sum_of_maps),
            matrix: sum(self.matrix, other.matrix, |a, b| a + b),
            offset: sum(self.offset, other.offset, |a, b| a + b),
        }
    }

    /// The gradient in full, `[1, N, H, W]`, at what was measured; in the memory of the map where
    /// nobody else holds it.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub fn at(self, observation: Observation) -> Result<Tensor<4>> {
        let map = observation.into_map();
        if let (Some(gradient), None, None) = (&self.map, &self.matrix, &self.offset) {
            return Ok(gradient.clone());
        }
        let mixed = mix(map, self.matrix, self.offset)?;
        Ok(match self.map {
            Some(gradient) => sum_of_maps(gradient, mixed),
            None => mixed,
        })
    }
}

/// The sum of two maps in the order of their memory, channels last: any other makes copies.
pub(crate) fn sum_of_maps(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    let last = |map: Tensor<4>| map.permute([0, 2, 3, 1]);
    (last(a) + last(b)).permute([0, 3, 1, 2])
}

fn sum<T>(a: Option<T>, b: Option<T>, add: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (one, other) => one.or(other),
    }
}

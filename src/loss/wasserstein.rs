//! The sliced Wasserstein distance of feature distributions.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;

use super::quantiles::{Target, project, projected_back, projected_rows, subtract_quantiles};
use super::wasserstein_by_blocks::WassersteinByBlocks;
use super::{ByBlocks, Gradient, Loss, Measured, Observation, check_channels, no_maps};
use crate::backend::read;
use crate::engine::{self, channels_second, sum_of_squares};
use crate::error::{Error, Result, at_least_one};
use crate::random::{self, Purpose};

/// The sliced Wasserstein distance of the distribution of a map's features from a target distribution.
///
/// The features are projected on a direction `d`. The squared Wasserstein distance of two
/// distributions in one dimension is the mean squared difference of their sorted values. The loss
/// is its mean over `K` fixed directions:
///
/// ```text
/// L = 1 / (2 K M) * sum over d, i of (d' F_(i) - q_d(i))^2
/// dL/dF_(i) = 1 / (K M) * sum over d of (d' F_(i) - q_d(i)) d
/// ```
///
/// where `F_(i)` has the `i`-th smallest projection, and `q_d(i)` is the quantile `(i + 1/2) / M`
/// of the target's projections. Moments do not distinguish two colours side by side from all shades
/// between them; this loss does. (Rabin, Peyré, Delon and Bernot, "Wasserstein Barycenter and its
/// Application to Texture Mixing", SSVM 2011, section 3; on the features of a network: Heitz,
/// Vanhoey, Chambon and Belcour, "A Sliced Wasserstein Loss for Neural Texture Synthesis", CVPR
/// 2021, eq. 9.) The directions are fixed, so that a line search minimises one function.
///
/// CPUs sort a direction with each thread (two at a time of maps beyond four million positions), GPUs by kernels of this crate: nothing of the map's size is read from them.
/// Only maps of more than 2^26 positions, maps under autodiff and devices without these kernels (those of
/// another machine) are sorted on the host; each evaluation then reads `K M` values and writes them back.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use ranvgg::loss::{Loss, Wasserstein};
///
/// let row = |values: [f32; 2]| Tensor::<4>::from_floats([[[values]]], &Device::flex());
/// let target = Wasserstein::of(row([0.0, 1.0]), 4)?;
/// // The order of positions does not matter: ((1 - 0)^2 + (3 - 1)^2) / (2 M).
/// let measured = target.measure(&mut row([3.0, 1.0]).into(), 1.0)?;
/// assert_eq!(measured.value.into_scalar::<f32>(), 1.25);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Wasserstein {
    /// `[N, K]`, unit columns.
    directions: Tensor<2>,
    target: Target,
}

impl Wasserstein {
    /// The loss with the features of `map`, `[1, N, H, W]`, as the target, for `directions` directions.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for no directions,
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn of(map: impl Into<Observation>, directions: usize) -> Result<Self> {
        Self::of_mixture([(map, 1.0)], directions)
    }

    /// The loss with a mixture of maps as the target. The weights of the maps are the `share`s,
    /// divided by their sum.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for no maps or no directions,
    /// [`Error::Shape`](crate::Error::Shape) for maps that differ in their channels,
    /// [`Error::Device`](crate::Error::Device) if one cannot be read.
    pub fn of_mixture<M: Into<Observation>>(
        parts: impl IntoIterator<Item = (M, f64)>,
        directions: usize,
    ) -> Result<Self> {
        at_least_one("directions", directions)?;
        if directions > MOST_DIRECTIONS {
            let allowed = format!("1 to {MOST_DIRECTIONS}");
            return Err(Error::option("directions", directions, allowed));
        }
        let mut columns: Option<Tensor<2>> = None;
        let mut rows: Vec<Vec<Part>> = (0..directions).map(|_| Vec::new()).collect();
        for (map, share) in parts {
            let mut observation = map.into();
            observation.check()?;
            let [_, channels, height, width] = observation.dims();
            let columns = columns.get_or_insert_with(|| {
                let map = observation.map();
                unit_columns(channels, directions, &map.device(), map.dtype())
            });
            check_channels(&observation, "a mixture", columns.dims()[0])?;
            let values: Vec<f32> = read(project(observation.into_map(), columns))?;
            for (row, values) in rows.iter_mut().zip(values.chunks(height * width)) {
                row.push((values.to_vec(), share));
            }
        }
        let directions = columns.ok_or_else(no_maps)?;
        let sorted = rows.into_par_iter().map(merged).collect();
        Ok(Self {
            target: Target::of(sorted, &directions.device()),
            directions,
        })
    }

    /// The directions as unit columns, `[N, K]`.
    #[must_use]
    pub fn directions(&self) -> &Tensor<2> {
        &self.directions
    }

    /// The part of the loss for some of the directions.
    fn narrowed(&self, first: usize, count: usize) -> Self {
        Self {
            directions: self.directions.clone().narrow(1, first, count),
            target: match &self.target {
                Target::Host(sorted) => Target::Host(sorted[first..first + count].to_vec()),
                Target::Device(sorted) => Target::Device(sorted.clone().narrow(0, first, count)),
            },
        }
    }

    /// The differences of a map's projections from the target's quantiles, `[K, M]`, and `factor` times the sum
    /// of their squares, `[1]`.
    fn differences(&self, map: Tensor<4>, factor: f64) -> Result<(Tensor<2>, Tensor<1>)> {
        let dtype = self.directions.dtype();
        if let Target::Device(sorted) = &self.target {
            let projections = projected_rows(map.clone(), &self.directions);
            if let Some(differences) = engine::subtract_quantiles(projections, sorted.clone()) {
                let squares = sum_of_squares(differences.clone());
                let value = squares.mul_scalar(factor).cast(dtype);
                return Ok((differences.cast(dtype), value));
            }
        }
        let projections = project(map, &self.directions);
        let shape = projections.dims();
        let mut values: Vec<f32> = read(projections)?;
        let squares = subtract_quantiles(&mut values, &self.target.on_host()?);
        let options = (&self.directions.device(), dtype);
        let value = TensorData::new(vec![(squares * factor) as f32], [1]);
        Ok((
            Tensor::from_data(TensorData::new(values, shape), options),
            Tensor::from_data(value, options),
        ))
    }

    /// The value, `[1]`, and the gradient at each position, `[M, N]`, both times `factor`.
    fn evaluate(&self, map: Tensor<4>, factor: f64) -> Result<(Tensor<1>, Tensor<2>)> {
        let (differences, value) = self.differences(map, factor / 2.0)?;
        let gradient = projected_back(differences, &self.directions, factor);
        Ok((value, gradient))
    }
}

/// Projections that are computed at once: all directions of a map of 512 x 512 positions or less.
const AT_ONCE: usize = 8 << 20;

/// The fewest directions that are sorted at once, one for each of a few threads.
const FEWEST_DIRECTIONS: usize = 2;

impl Loss for Wasserstein {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let [channels, count] = self.directions.dims();
        check_channels(observation, "a distribution", channels)?;
        let [_, _, height, width] = observation.dims();
        let positions = height * width;
        let factor = weight / (count * positions) as f64;
        // The projections on all directions take more memory than the map.
        let chunk = (AT_ONCE / positions.max(1)).max(FEWEST_DIRECTIONS);
        let (value, gradient) = if count <= chunk {
            self.evaluate(observation.map(), factor)?
        } else {
            let mut sum: Option<(Tensor<1>, Tensor<2>)> = None;
            for first in (0..count).step_by(chunk) {
                let part = self.narrowed(first, chunk.min(count - first));
                let (value, gradient) = part.evaluate(observation.map(), factor)?;
                sum = Some(match sum {
                    Some((values, gradients)) => (values + value, gradients + gradient),
                    None => (value, gradient),
                });
            }
            sum.ok_or_else(no_maps)?
        };
        let gradient = gradient.reshape([1, height, width, channels]);
        Ok(Measured {
            value,
            gradient: Gradient::map(channels_second(gradient)),
        })
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        Some(Box::new(WassersteinByBlocks::new(
            &self.directions,
            &self.target,
        )))
    }
}

/// Most directions. More are probably a mistake.
const MOST_DIRECTIONS: usize = 1 << 16;

/// `count` random unit columns of `channels` components.
fn unit_columns(channels: usize, count: usize, device: &Device, dtype: DType) -> Tensor<2> {
    let rows = random::normal(0, Purpose::Slice, 0, channels * count);
    let mut columns = vec![0.0; channels * count];
    for (k, row) in rows.chunks(channels).enumerate() {
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        for (n, value) in row.iter().enumerate() {
            columns[n * count + k] = value / norm;
        }
    }
    Tensor::from_data(TensorData::new(columns, [channels, count]), (device, dtype))
}

/// The projections of one map on a direction, and the map's share.
type Part = (Vec<f32>, f64);

/// The sorted values of a mixture. One map gives its own values. Several maps give as many
/// quantiles as the largest of them has values.
fn merged(mut parts: Vec<Part>) -> Vec<f32> {
    if let [(values, _)] = &mut parts[..] {
        values.sort_unstable_by(f32::total_cmp);
        return std::mem::take(values);
    }
    let largest = parts.iter().map(|(values, _)| values.len()).max();
    let count = largest.unwrap_or(0);
    let sum: f64 = parts.iter().map(|(_, share)| share).sum();
    let mut weighted: Vec<(f32, f64)> = Vec::new();
    for (values, share) in parts {
        let weight = share / sum / values.len() as f64;
        weighted.extend(values.into_iter().map(|value| (value, weight)));
    }
    weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut index, mut cumulative) = (0, weighted[0].1);
    (0..count)
        .map(|i| {
            let wanted = (i as f64 + 0.5) / count as f64;
            while cumulative < wanted && index + 1 < weighted.len() {
                index += 1;
                cumulative += weighted[index].1;
            }
            weighted[index].0
        })
        .collect()
}

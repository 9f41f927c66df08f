//! The optimiser at rest: all of its numbers off the device, to go on later or elsewhere.

use std::collections::VecDeque;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::lbfgs::{Counts, Curvature, Lbfgs, Pair, Point};
use super::line_search::LineSearch;
use super::options::{LbfgsOptions, StopReason};
use crate::error::{Error, Result};

/// Everything that [`Lbfgs`] remembers, in host memory and serialisable.
///
/// An optimiser [resumed](Lbfgs::resume) from it asks for the same points as the one it was taken
/// from, on the same device and kernels to the last bit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LbfgsState {
    options: LbfgsOptions,
    current: PointState,
    trial: TensorData,
    step: f64,
    direction: Option<TensorData>,
    search: Option<LineSearch>,
    candidate: Option<(PointState, Curvature)>,
    pairs: Vec<PairState>,
    first_gradient: f64,
    counts: Counts,
    stopped: Option<StopReason>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PointState {
    position: TensorData,
    gradient: Option<TensorData>,
    values: Vec<f64>,
    largest: f64,
    norm: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PairState {
    step: TensorData,
    change: TensorData,
    inverse: f64,
    scale: f64,
}

impl Lbfgs {
    /// What it remembers, to [`resume`](Self::resume) from.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if a vector cannot be read.
    pub fn state(&self) -> Result<LbfgsState> {
        let pairs: Result<_> = self
            .pairs
            .iter()
            .map(|pair| {
                Ok(PairState {
                    step: read(&pair.step)?,
                    change: read(&pair.change)?,
                    inverse: pair.inverse,
                    scale: pair.scale,
                })
            })
            .collect();
        let candidate = match &self.candidate {
            Some((point, curvature)) => Some((point_state(point)?, *curvature)),
            None => None,
        };
        Ok(LbfgsState {
            options: self.options.clone(),
            current: point_state(&self.current)?,
            trial: read(&self.trial)?,
            step: self.step,
            direction: self.direction.as_ref().map(read).transpose()?,
            search: self.search.clone(),
            candidate,
            pairs: pairs?,
            first_gradient: self.first_gradient,
            counts: self.counts,
            stopped: self.stopped,
        })
    }

    /// Goes on from `state` on a device.
    #[must_use]
    pub fn resume(state: LbfgsState, device: &Device) -> Self {
        let write = |data: TensorData| {
            let dtype = data.dtype();
            Tensor::<1>::from_data(data, (device, dtype))
        };
        let point = |state: PointState| Point {
            position: write(state.position),
            gradient: state.gradient.map(write),
            values: state.values,
            largest: state.largest,
            norm: state.norm,
        };
        let pairs: VecDeque<Pair> = state
            .pairs
            .into_iter()
            .map(|pair| Pair {
                step: write(pair.step),
                change: write(pair.change),
                inverse: pair.inverse,
                scale: pair.scale,
            })
            .collect();
        Self {
            options: state.options,
            current: point(state.current),
            trial: write(state.trial),
            step: state.step,
            direction: state.direction.map(write),
            search: state.search,
            candidate: state
                .candidate
                .map(|(state, curvature)| (point(state), curvature)),
            pairs,
            first_gradient: state.first_gradient,
            counts: state.counts,
            stopped: state.stopped,
        }
    }
}

fn read(vector: &Tensor<1>) -> Result<TensorData> {
    vector.try_to_data().map_err(Error::device)
}

fn point_state(point: &Point) -> Result<PointState> {
    Ok(PointState {
        position: read(&point.position)?,
        gradient: point.gradient.as_ref().map(read).transpose()?,
        values: point.values.clone(),
        largest: point.largest,
        norm: point.norm,
    })
}

//! The optimiser's state in host memory, from which a minimisation can be resumed.

use std::collections::VecDeque;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::lbfgs::{Counts, Lbfgs, Point};
use super::line_search::LineSearch;
use super::options::{LbfgsOptions, Termination};
use super::pairs::{Curvature, Pair};
use super::saved::{Saved, Vector};
use crate::error::{Error, Result};

/// The state of [`Lbfgs`], in host memory and serialisable.
///
/// An optimiser [resumed](Lbfgs::resume) from a state asks for the same points as the original. On the
/// same device with the same kernels they agree to the last bit.
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
    unit: i32,
    counts: Counts,
    stopped: Option<Termination>,
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
    /// The state, from which [`resume`](Self::resume) continues.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if a vector cannot be read.
    pub fn state(&self) -> Result<LbfgsState> {
        self.state_with(&mut |vector| vector.try_to_data().map_err(Error::device))
    }

    /// The state with what `read` gives for each vector, asked in the order of [`LbfgsState::vectors_mut`].
    fn state_with(
        &self,
        read: &mut dyn FnMut(&Tensor<1>) -> Result<TensorData>,
    ) -> Result<LbfgsState> {
        let current = point_state(&self.current, read)?;
        let candidate = match &self.candidate {
            Some((point, curvature)) => Some((point_state(point, read)?, *curvature)),
            None => None,
        };
        let trial = read(&self.trial)?;
        let direction = self.direction.as_ref().map(&mut *read).transpose()?;
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
        Ok(LbfgsState {
            options: self.options.clone(),
            current,
            trial,
            step: self.step,
            direction,
            search: self.search.clone(),
            candidate,
            pairs: pairs?,
            first_gradient: self.first_gradient,
            unit: self.unit,
            counts: self.counts,
            stopped: self.stopped,
        })
    }

    /// Continues from `state` on a device.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for options that are out of range, [`Error::File`] for vectors of several lengths or types,
    /// or more pairs than the history holds: a state that was changed.
    pub fn resume(mut state: LbfgsState, device: &Device) -> Result<Self> {
        state.options.check()?;
        let pairs = state.pairs.len();
        let (shape, dtype) = (state.trial.shape().clone(), state.trial.dtype());
        let alike = |vector: &&mut TensorData| *vector.shape() == shape && vector.dtype() == dtype;
        if shape.num_dims() != 1
            || !dtype.is_float()
            || pairs > state.options.settings.history
            || !state.vectors_mut().iter().all(alike)
        {
            return Err(Saved::incomplete());
        }
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
        Ok(Self {
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
            unit: state.unit,
            counts: state.counts,
            stopped: state.stopped,
        })
    }
}

impl LbfgsState {
    /// Its vectors, in an order that depends on its numbers alone.
    fn vectors_mut(&mut self) -> Vec<&mut TensorData> {
        let candidate = self.candidate.as_mut().map(|(point, _)| point);
        let points = [Some(&mut self.current), candidate].into_iter().flatten();
        let points = points.flat_map(|point| [Some(&mut point.position), point.gradient.as_mut()]);
        let pairs = self.pairs.iter_mut();
        let pairs = pairs.flat_map(|pair| [Some(&mut pair.step), Some(&mut pair.change)]);
        let others = [Some(&mut self.trial), self.direction.as_mut()];
        points.chain(others).chain(pairs).flatten().collect()
    }
}

impl Lbfgs {
    /// The state for a file. Reading one of its vectors is [`Error::Device`] if that cannot be read, or is of another type
    /// than f32.
    pub(crate) fn save(&self) -> Result<Saved<'static>> {
        let mut vectors = Vec::new();
        let state = self.state_with(&mut |vector| {
            let (count, vector) = (vector.dims()[0], vector.clone());
            let read = move || {
                let data = vector.try_to_data().map_err(Error::device)?;
                data.try_into_vec().map_err(Error::device)
            };
            vectors.push(Vector::OnDevice(count, Box::new(read)));
            Ok(absent())
        })?;
        Saved::new(&state, vectors)
    }

    /// Continues on a device from a state of `count` variables.
    pub(crate) fn restore(saved: Saved<'_>, count: usize, device: &Device) -> Result<Self> {
        let (mut state, vectors): (LbfgsState, _) = saved.into_parts(count)?;
        let empty = state.vectors_mut();
        if empty.len() != vectors.len() {
            return Err(Saved::incomplete());
        }
        for (empty, vector) in empty.into_iter().zip(vectors) {
            *empty = TensorData::new(vector.into_f32()?, [count]);
        }
        Self::resume(state, device)
    }
}

/// An empty vector, for one that is kept elsewhere.
fn absent() -> TensorData {
    TensorData::new(Vec::<f32>::new(), [0])
}

fn point_state(
    point: &Point,
    read: &mut dyn FnMut(&Tensor<1>) -> Result<TensorData>,
) -> Result<PointState> {
    Ok(PointState {
        position: read(&point.position)?,
        gradient: point.gradient.as_ref().map(&mut *read).transpose()?,
        values: point.values.clone(),
        largest: point.largest,
        norm: point.norm,
    })
}

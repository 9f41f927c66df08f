//! Runs a chain of layers: forward to the tapped layers, backward to the image.

use std::sync::Arc;

use super::operation::Weighted;
use super::padding::Padding;
use super::pooling::{Pool, Pooling};
use super::{ConvolutionShape, Engine, FeatureMap};
use crate::error::Result;

/// A tapped layer. A forward pass can return its features, and a backward pass asks for the gradient
/// of the losses there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    /// The index of the layer in the network.
    pub(crate) index: usize,
    /// Whether the forward pass returns the features.
    pub(crate) returned: bool,
}

/// The result of a forward pass.
pub(crate) struct Forward {
    /// The returned features with their layer indices, from the image up.
    pub(crate) features: Vec<(usize, FeatureMap)>,
    /// The state for the backward pass, if it was recorded.
    pub(crate) tape: Option<Box<dyn Tape>>,
}

/// The compiled layers of a network.
pub(crate) trait Trunk: Send + Sync {
    /// Computes the layers up to the deepest tap. There must be at least one tap. `record` tells
    /// whether a backward pass follows.
    fn forward(self: Arc<Self>, image: FeatureMap, taps: &[Tap], record: bool) -> Result<Forward>;

    /// The layers with the same weights and another padding and pooling.
    fn with(&self, padding: Padding, pooling: Pooling) -> Arc<dyn Trunk>;

    /// Frees the memory that is kept for reuse.
    fn release(&self);
}

/// The state that a forward pass saved for backward. It serves any number of backward passes.
pub(crate) trait Tape: Send + Sync {
    /// The shape `[1, C, H, W]` of the features of a tapped layer.
    fn shape(&self, index: usize) -> Option<[usize; 4]>;

    /// The gradient at the image, or `None` if no tap has a gradient.
    ///
    /// `loss_gradient` returns the gradient of the losses at a tapped layer. It is called when the
    /// backward pass reaches the layer, from the deepest tap on, so that the gradients of several
    /// layers need not be in memory at once.
    fn backward(
        &self,
        loss_gradient: &mut dyn FnMut(usize) -> Result<Option<FeatureMap>>,
    ) -> Result<Option<FeatureMap>>;
}

/// The layers of a network on one engine.
pub(super) struct Executor<E: Engine> {
    engine: E,
    layers: Vec<Layer<E>>,
}

enum Layer<E: Engine> {
    Convolution(ConvolutionShape, Arc<E::Convolution>),
    Pool(Pool),
}

/// A range of layers that are computed together: one layer, or a convolution with the pooling that
/// follows.
struct Step {
    first: usize,
    last: usize,
}

/// A step of a forward pass, and the state that it saved.
struct Record<E: Engine> {
    /// The index of the step's last layer.
    layer: usize,
    /// The shape of the output, if its layer is tapped.
    shape: Option<[usize; 4]>,
    saved: E::Saved,
}

impl<E: Engine> Executor<E> {
    pub(super) fn compile(engine: E, layers: &[Weighted]) -> Arc<dyn Trunk> {
        let layers = layers.iter().map(|layer| match layer {
            Weighted::Convolution(shape, parameters) => {
                Layer::Convolution(*shape, Arc::new(engine.convolution(*shape, parameters)))
            }
            Weighted::Pool(pool) => Layer::Pool(*pool),
        });
        Arc::new(Self {
            layers: layers.collect(),
            engine,
        })
    }

    /// The step that starts at layer `first`, for an input of this height and width. A pooling is
    /// fused with the convolution before it, unless that convolution is tapped.
    fn step(&self, first: usize, size: [usize; 2], taps: &[Tap], deepest: usize) -> Step {
        let single = Step { first, last: first };
        let next = first + 1;
        if next > deepest || taps.iter().any(|tap| tap.index == first) {
            return single;
        }
        match (&self.layers[first], &self.layers[next]) {
            (Layer::Convolution(_, convolution), Layer::Pool(pool))
                if pool.is_2x2_average() && self.engine.can_pool(convolution, size) =>
            {
                Step { first, last: next }
            }
            _ => single,
        }
    }

    fn compute(&self, step: &Step, input: &E::Map, record: bool) -> (E::Map, E::Saved) {
        match &self.layers[step.first] {
            Layer::Convolution(_, convolution) => {
                let pooled = step.last > step.first;
                self.engine.convolve(convolution, input, pooled)
            }
            Layer::Pool(pool) => self.engine.pool(*pool, input, record),
        }
    }
}

impl<E: Engine> Trunk for Executor<E> {
    fn forward(self: Arc<Self>, image: FeatureMap, taps: &[Tap], record: bool) -> Result<Forward> {
        let engine = &self.engine;
        let deepest = taps.iter().map(|tap| tap.index).max().unwrap_or(0);
        let returned = |layer: usize| taps.iter().any(|tap| tap.index == layer && tap.returned);
        let tapped = |layer: usize| taps.iter().any(|tap| tap.index == layer);
        let mut features = Vec::new();
        let mut records = Vec::new();
        let mut map = engine.import(image)?;
        // The layer that computed `map`.
        let mut producer = None;
        let mut first = 0;
        while first <= deepest {
            let [_, _, height, width] = engine.shape(&map);
            let step = self.step(first, [height, width], taps, deepest);
            let (next, saved) = self.compute(&step, &map, record);
            if record {
                records.push(Record::<E> {
                    layer: step.last,
                    shape: tapped(step.last).then(|| engine.shape(&next)),
                    saved,
                });
            }
            // The input's memory is reused as soon as the output exists, unless the input is returned.
            let input = std::mem::replace(&mut map, next);
            match producer {
                Some(layer) if returned(layer) => features.push((layer, engine.export(input))),
                _ => engine.recycle(input),
            }
            producer = Some(step.last);
            first = step.last + 1;
        }
        if returned(deepest) {
            features.push((deepest, engine.export(map)));
        }
        let tape = record.then(|| -> Box<dyn Tape> {
            Box::new(Records {
                executor: Arc::clone(&self),
                records,
            })
        });
        Ok(Forward { features, tape })
    }

    fn with(&self, padding: Padding, pooling: Pooling) -> Arc<dyn Trunk> {
        let layers = self.layers.iter().map(|layer| match layer {
            Layer::Convolution(shape, convolution) => {
                let shape = ConvolutionShape {
                    mode: padding,
                    ..*shape
                };
                let convolution = self.engine.with_padding(convolution, padding);
                Layer::Convolution(shape, Arc::new(convolution))
            }
            Layer::Pool(pool) => Layer::Pool(Pool { pooling, ..*pool }),
        });
        Arc::new(Self {
            layers: layers.collect(),
            engine: self.engine.clone(),
        })
    }

    fn release(&self) {
        self.engine.release();
    }
}

/// The steps of a forward pass, from the image up.
struct Records<E: Engine> {
    executor: Arc<Executor<E>>,
    records: Vec<Record<E>>,
}

impl<E: Engine> Tape for Records<E> {
    fn shape(&self, index: usize) -> Option<[usize; 4]> {
        let record = self.records.iter().find(|record| record.layer == index)?;
        record.shape
    }

    fn backward(
        &self,
        loss_gradient: &mut dyn FnMut(usize) -> Result<Option<FeatureMap>>,
    ) -> Result<Option<FeatureMap>> {
        let engine = &self.executor.engine;
        let mut loss_gradient = |record: &Record<E>| match record.shape {
            Some(_) => loss_gradient(record.layer)?
                .map(|map| engine.import(map))
                .transpose(),
            None => Ok(None),
        };
        let mut gradient: Option<E::Map> = None;
        for (index, record) in self.records.iter().enumerate().rev() {
            let output_gradient = match gradient.take() {
                Some(gradient) => gradient,
                // No gradient so far: this layer may have the deepest one.
                None => match loss_gradient(record)? {
                    Some(deepest) => engine.start_backward(deepest, &record.saved),
                    None => continue,
                },
            };
            let below = index.checked_sub(1).map(|below| &self.records[below]);
            let added = match below {
                Some(below) => loss_gradient(below)?,
                None => None,
            };
            let saved_below = below.map(|below| &below.saved);
            gradient = Some(engine.backward(&record.saved, output_gradient, added, saved_below));
        }
        Ok(gradient.map(|gradient| engine.export(gradient)))
    }
}

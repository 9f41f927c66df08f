//! The walk through the layers of a network: forward to the taps, backward to the image.

use std::sync::Arc;

use super::operation::Weighted;
use super::padding::Padding;
use super::pooling::{Pool, Pooling};
use super::{ConvolutionShape, Engine, FeatureMap};
use crate::error::Result;

/// A layer whose features a forward pass is asked for, or whose gradient its backward pass gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    /// The layer, by its place in the network.
    pub(crate) place: usize,
    /// Whether the features are handed out.
    pub(crate) kept: bool,
}

/// What a forward pass gives.
pub(crate) struct Forward {
    /// The features of the kept taps with their places, from the image up.
    pub(crate) features: Vec<(usize, FeatureMap)>,
    /// What the backward pass needs, if it was asked for.
    pub(crate) tape: Option<Box<dyn Tape>>,
}

/// The compiled layers of a network.
pub(crate) trait Trunk: Send + Sync {
    /// Computes the layers up to the deepest tap, no further. Taps may not be empty.
    fn forward(self: Arc<Self>, image: FeatureMap, taps: &[Tap], saves: bool) -> Result<Forward>;

    /// The same weights with other padding and pooling.
    fn with(&self, padding: Padding, pooling: Pooling) -> Arc<dyn Trunk>;

    /// Frees the memory that was kept for reuse.
    fn release(&self);
}

/// What a forward pass saved. It serves any number of backward passes.
pub(crate) trait Tape: Send + Sync {
    /// The shape `[1, C, H, W]` of the features of a tap.
    fn shape(&self, place: usize) -> Option<[usize; 4]>;

    /// The gradient at the image, from the gradients that `arriving` has at the taps; none if it has
    /// none. It is asked for each tap when the walk gets there, from the deepest on, so that the
    /// gradients of several layers need not exist at once.
    fn backward(
        &self,
        arriving: &mut dyn FnMut(usize) -> Result<Option<FeatureMap>>,
    ) -> Result<Option<FeatureMap>>;
}

/// Layers on one engine.
pub(super) struct Executor<E: Engine> {
    engine: E,
    layers: Vec<Layer<E>>,
}

enum Layer<E: Engine> {
    Convolution(ConvolutionShape, Arc<E::Convolution>),
    Pool(Pool),
}

/// What is computed in one go: a layer, or a convolution with the pooling after it.
struct Unit {
    first: usize,
    last: usize,
}

/// A unit of a forward pass, and what it saved.
struct Record<E: Engine> {
    /// The place of its last layer.
    place: usize,
    /// Of its output, if that is tapped.
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

    /// The unit that begins with a layer, of an input of this height and width. A pooling goes with
    /// the convolution before it where nobody asks for what is between.
    fn unit(&self, first: usize, size: [usize; 2], taps: &[Tap], deepest: usize) -> Unit {
        let alone = Unit { first, last: first };
        let next = first + 1;
        if next > deepest || taps.iter().any(|tap| tap.place == first) {
            return alone;
        }
        match (&self.layers[first], &self.layers[next]) {
            (Layer::Convolution(_, convolution), Layer::Pool(pool))
                if pool.halves() && self.engine.can_pool(convolution, size) =>
            {
                Unit { first, last: next }
            }
            _ => alone,
        }
    }

    fn compute(&self, unit: &Unit, input: &E::Map, saves: bool) -> (E::Map, E::Saved) {
        match &self.layers[unit.first] {
            Layer::Convolution(_, convolution) => {
                let pooled = unit.last > unit.first;
                self.engine.convolve(convolution, input, pooled)
            }
            Layer::Pool(pool) => self.engine.pool(*pool, input, saves),
        }
    }
}

impl<E: Engine> Trunk for Executor<E> {
    fn forward(self: Arc<Self>, image: FeatureMap, taps: &[Tap], saves: bool) -> Result<Forward> {
        let engine = &self.engine;
        let deepest = taps.iter().map(|tap| tap.place).max().unwrap_or(0);
        let kept = |place: usize| taps.iter().any(|tap| tap.place == place && tap.kept);
        let tapped = |place: usize| taps.iter().any(|tap| tap.place == place);
        let mut features = Vec::new();
        let mut records = Vec::new();
        let mut map = engine.enter(image)?;
        // The layer that made `map`.
        let mut made_by = None;
        let mut first = 0;
        while first <= deepest {
            let [_, _, height, width] = engine.shape(&map);
            let unit = self.unit(first, [height, width], taps, deepest);
            let (next, saved) = self.compute(&unit, &map, saves);
            if saves {
                records.push(Record::<E> {
                    place: unit.last,
                    shape: tapped(unit.last).then(|| engine.shape(&next)),
                    saved,
                });
            }
            // The input is free as soon as the output exists, unless somebody asks for it.
            let input = std::mem::replace(&mut map, next);
            match made_by {
                Some(place) if kept(place) => features.push((place, engine.leave(input))),
                _ => engine.recycle(input),
            }
            made_by = Some(unit.last);
            first = unit.last + 1;
        }
        if kept(deepest) {
            features.push((deepest, engine.leave(map)));
        }
        let tape = saves.then(|| -> Box<dyn Tape> {
            Box::new(Recorded {
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

/// The units of a forward pass, from the image up.
struct Recorded<E: Engine> {
    executor: Arc<Executor<E>>,
    records: Vec<Record<E>>,
}

impl<E: Engine> Tape for Recorded<E> {
    fn shape(&self, place: usize) -> Option<[usize; 4]> {
        let record = self.records.iter().find(|record| record.place == place)?;
        record.shape
    }

    fn backward(
        &self,
        arriving: &mut dyn FnMut(usize) -> Result<Option<FeatureMap>>,
    ) -> Result<Option<FeatureMap>> {
        let engine = &self.executor.engine;
        let mut arriving = |record: &Record<E>| match record.shape {
            Some(_) => arriving(record.place)?
                .map(|map| engine.enter(map))
                .transpose(),
            None => Ok(None),
        };
        let mut gradient: Option<E::Map> = None;
        for (index, record) in self.records.iter().enumerate().rev() {
            let above = match gradient.take() {
                Some(above) => above,
                // Nothing arrived yet: this may be the deepest gradient.
                None => match arriving(record)? {
                    Some(deepest) => engine.start(deepest, &record.saved),
                    None => continue,
                },
            };
            let below = index.checked_sub(1).map(|below| &self.records[below]);
            let added = match below {
                Some(below) => arriving(below)?,
                None => None,
            };
            let below = below.map(|below| &below.saved);
            gradient = Some(engine.backward(&record.saved, above, added, below));
        }
        Ok(gradient.map(|gradient| engine.leave(gradient)))
    }
}

//! The passes of a network: forward to the layers that are asked for, back from them to the image.

use burn::tensor::Tensor;

use super::vgg::Weighted;
use super::{Features, Layer, Trace, Vgg};
use crate::error::{Error, Result};

impl Vgg {
    /// The features of `image`, `[1, 3, H, W]`, at each of `taps`.
    ///
    /// Layers above the deepest tap are neither computed nor drawn. On an image that Burn's
    /// autodiff watches, features are part of its graph.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::DeviceMismatch`], [`Error::UnknownLayer`],
    /// [`Error::ImageSize`], and
    /// [`Error::InvalidOption`] without taps, or for [`Precision::Half`](crate::Precision::Half) at
    /// a layer without kernels for it.
    pub fn features(&self, image: Tensor<4>, taps: &[Layer]) -> Result<Features> {
        self.walk(image, taps, false).map(|(features, _)| features)
    }

    /// The features of `image` at one layer.
    ///
    /// # Errors
    ///
    /// Those of [`features`](Self::features).
    pub(crate) fn map(&self, image: Tensor<4>, layer: Layer) -> Result<Tensor<4>> {
        match self.features(image, &[layer])?.take(layer) {
            Some(map) => Ok(map),
            None => unreachable!("every tap has features"),
        }
    }

    /// As [`features`](Self::features), with what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    ///
    /// Those of [`features`](Self::features).
    pub fn forward(&self, image: Tensor<4>, taps: &[Layer]) -> Result<(Features, Trace)> {
        self.walk(image, taps, true)
    }

    fn walk(&self, image: Tensor<4>, taps: &[Layer], traced: bool) -> Result<(Features, Trace)> {
        let deepest = self.check_taps(&image, taps)?;
        let engine = &self.inner.engine;
        let input = self.inner.plan.preprocessing.apply(image, engine.device());
        let mut map = engine.enter(input)?;
        let mut features = Features::default();
        let mut trace = Trace::of(&self.inner, engine.is_watched(&map));
        let mut place = 0;
        while place <= deepest {
            let stages = &self.inner.stages[place..=deepest];
            let input = map.shape();
            let (next, pooled) = match stages {
                [
                    (layer, Weighted::Convolution(convolution)),
                    (_, Weighted::Pool(pool)),
                    ..,
                ] if !taps.contains(layer) && engine.can_pool(convolution, pool, &map) => {
                    let (next, step) = engine.convolve(convolution, &map, true, traced);
                    trace.steps.extend(step);
                    let [_, _, height, width] = input;
                    let (height, width) = convolution.shape.output(height, width);
                    trace
                        .shapes
                        .push([1, convolution.shape.channels_out, height, width]);
                    trace
                        .steps
                        .extend(traced.then(|| engine.pooled(&next, (height, width))));
                    (next, true)
                }
                [(_, Weighted::Convolution(convolution)), ..] => {
                    let (next, step) = engine.convolve(convolution, &map, false, traced);
                    trace.steps.extend(step);
                    (next, false)
                }
                [(_, Weighted::Pool(pool)), ..] => {
                    let (next, step) = engine.pool(pool, &map, traced);
                    trace.steps.extend(step);
                    (next, false)
                }
                [] => unreachable!("a stage is left"),
            };
            trace.shapes.push(next.shape());
            // The map below is free as soon as this one exists, unless it is asked for.
            let below = std::mem::replace(&mut map, next);
            match place.checked_sub(1).map(|below| self.inner.stages[below].0) {
                Some(layer) if taps.contains(&layer) => features.add(layer, engine.leave(below)),
                _ => engine.recycle(below),
            }
            place += if pooled { 2 } else { 1 };
        }
        features.add(self.inner.stages[deepest].0, engine.leave(map));
        features.arrange(taps);
        Ok((features, trace))
    }

    /// The gradient at the image, `[1, 3, H, W]`, from gradients at features.
    ///
    /// Any layer up to the deepest of the forward pass may carry a gradient, tapped or not.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if a gradient has not the shape of its layer's features, for a layer above
    /// the forward pass, or if there is no gradient; [`Error::DeviceMismatch`];
    /// [`Error::UnknownLayer`] and [`Error::Tensor`] for a layer that the network has not;
    /// [`Error::InvalidOption`] for a trace of another network, or of an image that Burn's autodiff
    /// watches: its graph has the gradient.
    pub fn backward(&self, gradients: Features, trace: &Trace) -> Result<Tensor<4>> {
        let mut gradients = gradients;
        for (layer, gradient) in gradients.iter() {
            trace.check(layer, self.place(layer)?, gradient)?;
        }
        self.backward_from(trace, |layer| Ok(gradients.take(layer)))
    }

    /// As [`backward`](Self::backward), with each gradient asked for when the way down gets there,
    /// so that those of several layers need not exist at once.
    ///
    /// # Errors
    ///
    /// Those of [`backward`](Self::backward), and of `arriving`.
    pub(crate) fn backward_from(
        &self,
        trace: &Trace,
        mut arriving: impl FnMut(Layer) -> Result<Option<Tensor<4>>>,
    ) -> Result<Tensor<4>> {
        trace.check_network(&self.inner)?;
        let engine = &self.inner.engine;
        let mut arriving = |place: usize| {
            let layer = self.inner.stages[place].0;
            let Some(gradient) = arriving(layer)? else {
                return Ok(None);
            };
            trace.check(layer, place, &gradient)?;
            self.check_device(&format!("the gradient at {layer}"), &gradient)?;
            engine.enter(gradient.inner()).map(Some)
        };
        let mut top = None;
        for place in (0..trace.steps.len()).rev() {
            if let Some(gradient) = arriving(place)? {
                top = Some((place, gradient));
                break;
            }
        }
        let Some((deepest, top)) = top else {
            return Err(Error::Shape {
                what: "the list of gradients".into(),
                found: vec![0],
                expected: "at least one".into(),
            });
        };
        let mut gradient = engine.start(top, &trace.steps[deepest]);
        for place in (0..=deepest).rev() {
            let step = &trace.steps[place];
            let (below, added) = match place.checked_sub(1) {
                Some(below) => (Some(&trace.steps[below]), arriving(below)?),
                None => (None, None),
            };
            gradient = match &self.inner.stages[place].1 {
                Weighted::Convolution(convolution) => {
                    engine.convolve_gradient(convolution, gradient, step, added, below)
                }
                Weighted::Pool(pool) => engine.pool_gradient(pool, gradient, step, added, below),
            };
        }
        let gradient = engine.leave(gradient);
        Ok(self
            .inner
            .plan
            .preprocessing
            .gradient(gradient, engine.device()))
    }
}

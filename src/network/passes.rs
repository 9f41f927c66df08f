//! Forward passes to tapped layers, and backward passes from them to the image.

use burn::tensor::Tensor;

use super::trace::check_gradient;
use super::{Features, Layer, Trace, Vgg};
use crate::engine::{FeatureMap, Forward, Tap};
use crate::error::{Error, Result};

/// A tapped layer. A backward pass asks for the gradient of the losses there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerTap {
    pub(crate) layer: Layer,
    /// Whether the forward pass returns the features. It need not if they are recomputed in the
    /// backward pass.
    pub(crate) returned: bool,
}

impl LayerTap {
    /// A tap whose features the forward pass returns.
    pub(crate) fn returned(layer: Layer) -> Self {
        Self {
            layer,
            returned: true,
        }
    }
}

impl Vgg {
    /// The features of `image`, `[1, 3, H, W]`, at each of `taps`.
    ///
    /// Layers deeper than the deepest tap are not computed, and their weights are not drawn. If
    /// Burn's autodiff tracks the image, the features are part of its graph.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::DeviceMismatch`], [`Error::UnknownLayer`],
    /// [`Error::ImageSize`], and
    /// [`Error::InvalidOption`] without taps, or for [`Precision::Half`](crate::Precision::Half) at
    /// a layer without kernels for it.
    pub fn features(&self, image: Tensor<4>, taps: &[Layer]) -> Result<Features> {
        let (maps, _) = self.run(image, &returned(taps), false)?;
        Ok(tensors(maps, taps))
    }

    /// The features of `image` at one layer.
    pub(crate) fn features_at(&self, image: Tensor<4>, layer: Layer) -> Result<Tensor<4>> {
        Ok(self.feature_map(image, layer)?.into_tensor())
    }

    /// The features of `image` at one layer, in the native form of the engine.
    pub(crate) fn feature_map(&self, image: Tensor<4>, layer: Layer) -> Result<FeatureMap> {
        let (mut maps, _) = self.run(image, &[LayerTap::returned(layer)], false)?;
        match maps.pop() {
            Some((_, map)) => Ok(map),
            None => Err(Error::option("taps", "empty", "at least one layer")),
        }
    }

    /// The features of `image` at each of `taps`, in the native form of the engine, from the image up.
    pub(crate) fn feature_maps(
        &self,
        image: Tensor<4>,
        taps: &[LayerTap],
    ) -> Result<Vec<(Layer, FeatureMap)>> {
        Ok(self.run(image, taps, false)?.0)
    }

    /// As [`features`](Self::features), with the state for [`backward`](Self::backward).
    ///
    /// # Errors
    ///
    /// Those of [`features`](Self::features).
    pub fn forward(&self, image: Tensor<4>, taps: &[Layer]) -> Result<(Features, Trace)> {
        let (maps, trace) = self.run(image, &returned(taps), true)?;
        Ok((tensors(maps, taps), trace))
    }

    /// As [`forward`](Self::forward), with features in the native form of the engine, from the
    /// image up.
    pub(crate) fn forward_maps(
        &self,
        image: Tensor<4>,
        taps: &[LayerTap],
    ) -> Result<(Vec<(Layer, FeatureMap)>, Trace)> {
        self.run(image, taps, true)
    }

    /// A forward pass. `record` tells whether a backward pass follows.
    fn run(
        &self,
        image: Tensor<4>,
        taps: &[LayerTap],
        record: bool,
    ) -> Result<(Vec<(Layer, FeatureMap)>, Trace)> {
        let layers: Vec<Layer> = taps.iter().map(|tap| tap.layer).collect();
        self.check_taps(&image, &layers)?;
        let mut indexed = Vec::new();
        for tap in taps {
            indexed.push(Tap {
                index: self.index_of(tap.layer)?,
                returned: tap.returned,
            });
        }
        let inner = &self.inner;
        let tracked = image.is_autodiff();
        let image = inner.plan.preprocessing.apply(image, self.device());
        let trunk = if tracked {
            inner.differentiable()
        } else {
            &inner.trunk
        };
        let record = record && !tracked;
        let Forward { features, tape } =
            std::sync::Arc::clone(trunk).forward(image.into(), &indexed, record)?;
        let named = features
            .into_iter()
            .map(|(index, map)| (inner.layers[index].0, map));
        Ok((named.collect(), Trace::of(inner, tape)))
    }

    /// The gradient at the image, `[1, 3, H, W]`, from gradients at features.
    ///
    /// Each tapped layer of the forward pass may have a gradient.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if a gradient does not have the shape of its layer's features, for a layer
    /// that was not tapped, or if there is no gradient; [`Error::DeviceMismatch`];
    /// [`Error::UnknownLayer`] and [`Error::Tensor`] for a layer that the network does not have;
    /// [`Error::InvalidOption`] for a trace of another network, or of an image that Burn's autodiff
    /// tracks (use the gradient of its graph).
    pub fn backward(&self, gradients: Features, trace: &Trace) -> Result<Tensor<4>> {
        let mut indexed = Vec::new();
        for (layer, gradient) in gradients.iter() {
            indexed.push((layer, self.index_of(layer)?, gradient.dims()));
        }
        let tape = trace.tape(&self.inner)?;
        for (layer, index, dims) in indexed {
            check_gradient(tape, layer, index, dims)?;
        }
        let mut gradients = gradients;
        let loss_gradient = |layer| Ok(gradients.take(layer).map(|map| map.inner().into()));
        self.backward_from(trace, loss_gradient)
    }

    /// As [`backward`](Self::backward), with the gradient of each layer computed by `loss_gradient`
    /// when the backward pass reaches the layer. The gradients of several layers need not be in
    /// memory at once.
    ///
    /// # Errors
    ///
    /// Those of [`backward`](Self::backward), and of `loss_gradient`.
    pub(crate) fn backward_from(
        &self,
        trace: &Trace,
        mut loss_gradient: impl FnMut(Layer) -> Result<Option<FeatureMap>>,
    ) -> Result<Tensor<4>> {
        let tape = trace.tape(&self.inner)?;
        let gradient = tape.backward(&mut |index| {
            let layer = self.inner.layers[index].0;
            let Some(gradient) = loss_gradient(layer)? else {
                return Ok(None);
            };
            check_gradient(tape, layer, index, gradient.dims())?;
            self.check_device(|| format!("the gradient at {layer}"), &gradient.device())?;
            Ok(Some(gradient))
        })?;
        let Some(gradient) = gradient else {
            return Err(Error::Shape {
                what: "the list of gradients".into(),
                found: vec![0],
                expected: "at least one".into(),
            });
        };
        let preprocessing = &self.inner.plan.preprocessing;
        Ok(preprocessing.gradient(gradient.into_tensor(), self.device()))
    }
}

fn returned(taps: &[Layer]) -> Vec<LayerTap> {
    taps.iter().copied().map(LayerTap::returned).collect()
}

/// Features as tensors, in the order of `taps`.
fn tensors(maps: Vec<(Layer, FeatureMap)>, taps: &[Layer]) -> Features {
    let maps = maps
        .into_iter()
        .map(|(layer, map)| (layer, map.into_tensor()));
    let mut features = Features::from_iter(maps);
    features.arrange(taps);
    features
}

//! The passes of a network: forward to the layers that are asked for, back from them to the image.

use burn::tensor::Tensor;

use super::trace::check_gradient;
use super::{Features, Layer, Trace, Vgg};
use crate::engine::{FeatureMap, Forward, Tap};
use crate::error::{Error, Result};

/// A layer that a forward pass is asked for, and whether its features are kept. Of one whose features
/// are computed again later only the gradient is taken.
pub(crate) type LayerTap = (Layer, bool);

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
        let (maps, _) = self.walk(image, &kept(taps), false)?;
        Ok(tensors(maps, taps))
    }

    /// The features of `image` at one layer.
    pub(crate) fn features_at(&self, image: Tensor<4>, layer: Layer) -> Result<Tensor<4>> {
        Ok(self.feature_map(image, layer)?.into_tensor())
    }

    /// The same as the engine computed them.
    pub(crate) fn feature_map(&self, image: Tensor<4>, layer: Layer) -> Result<FeatureMap> {
        let (mut maps, _) = self.walk(image, &kept(&[layer]), false)?;
        match maps.pop() {
            Some((_, map)) => Ok(map),
            None => Err(Error::option("taps", "empty", "at least one layer")),
        }
    }

    /// As [`features`](Self::features), with what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    ///
    /// Those of [`features`](Self::features).
    pub fn forward(&self, image: Tensor<4>, taps: &[Layer]) -> Result<(Features, Trace)> {
        let (maps, trace) = self.walk(image, &kept(taps), true)?;
        Ok((tensors(maps, taps), trace))
    }

    /// As [`forward`](Self::forward), with features as the engine computed them, from the image up.
    pub(crate) fn forward_maps(
        &self,
        image: Tensor<4>,
        taps: &[LayerTap],
    ) -> Result<(Vec<(Layer, FeatureMap)>, Trace)> {
        self.walk(image, taps, true)
    }

    fn walk(
        &self,
        image: Tensor<4>,
        taps: &[LayerTap],
        saves: bool,
    ) -> Result<(Vec<(Layer, FeatureMap)>, Trace)> {
        let layers: Vec<Layer> = taps.iter().map(|(layer, _)| *layer).collect();
        self.check_taps(&image, &layers)?;
        let mut places = Vec::new();
        for &(layer, kept) in taps {
            let place = self.place(layer)?;
            places.push(Tap { place, kept });
        }
        let inner = &self.inner;
        let watched = image.is_autodiff();
        let image = inner.plan.preprocessing.apply(image, self.device());
        let trunk = if watched {
            inner.differentiable()
        } else {
            &inner.trunk
        };
        let saves = saves && !watched;
        let Forward { features, tape } =
            std::sync::Arc::clone(trunk).forward(image.into(), &places, saves)?;
        let named = features
            .into_iter()
            .map(|(place, map)| (inner.layers[place].0, map));
        Ok((named.collect(), Trace::of(inner, tape)))
    }

    /// The gradient at the image, `[1, 3, H, W]`, from gradients at features.
    ///
    /// Every layer that the forward pass was asked for may have one.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if a gradient has not the shape of its layer's features, for a layer that the
    /// forward pass was not asked for, or if there is no gradient; [`Error::DeviceMismatch`];
    /// [`Error::UnknownLayer`] and [`Error::Tensor`] for a layer that the network has not;
    /// [`Error::InvalidOption`] for a trace of another network, or of an image that Burn's autodiff
    /// watches: its graph has the gradient.
    pub fn backward(&self, gradients: Features, trace: &Trace) -> Result<Tensor<4>> {
        let mut places = Vec::new();
        for (layer, gradient) in gradients.iter() {
            places.push((layer, self.place(layer)?, gradient.dims()));
        }
        let tape = trace.tape(&self.inner)?;
        for (layer, place, dims) in places {
            check_gradient(tape, layer, place, dims)?;
        }
        let mut gradients = gradients;
        let arriving = |layer| Ok(gradients.take(layer).map(|map| map.inner().into()));
        self.backward_from(trace, arriving)
    }

    /// As [`backward`](Self::backward), with each gradient asked for when the backward pass gets there,
    /// so that those of several layers need not exist at once.
    ///
    /// # Errors
    ///
    /// Those of [`backward`](Self::backward), and of `arriving`.
    pub(crate) fn backward_from(
        &self,
        trace: &Trace,
        mut arriving: impl FnMut(Layer) -> Result<Option<FeatureMap>>,
    ) -> Result<Tensor<4>> {
        let tape = trace.tape(&self.inner)?;
        let gradient = tape.backward(&mut |place| {
            let layer = self.inner.layers[place].0;
            let Some(gradient) = arriving(layer)? else {
                return Ok(None);
            };
            check_gradient(tape, layer, place, gradient.dims())?;
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

fn kept(taps: &[Layer]) -> Vec<LayerTap> {
    taps.iter().map(|layer| (*layer, true)).collect()
}

/// Features as tensors, in the order in which they were asked for.
fn tensors(maps: Vec<(Layer, FeatureMap)>, taps: &[Layer]) -> Features {
    let maps = maps
        .into_iter()
        .map(|(layer, map)| (layer, map.into_tensor()));
    let mut features = Features::from_iter(maps);
    features.arrange(taps);
    features
}

//! What the three tasks share: sizes, layers that fit them, statistics that make a style.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::imaging::Size;
use crate::kernels::Padding;
use crate::loss::{Content, Gram, Mean, TotalVariation, Wasserstein, moments_of_mixture};
use crate::network::{Layer, Vgg};
use crate::objective::{Objective, halve};

/// Which statistics of features make a texture or a style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistics {
    /// Gram matrices, as published: means and covariances in one, of which means have most weight.
    /// Shapes dissolve.
    Gram,
    /// Means and covariances, each with its own weight: shapes keep their place in the picture, and
    /// ragged outlines.
    Moments,
    /// Means, and covariances measured where weak directions count as well: outlines are drawn.
    #[default]
    Whitened,
    /// Means, and distributions of features along 64 directions: more than two moments tell, for
    /// 1.6 times the time.
    Distributions,
}

/// Style layers, shallow to deep: the first three, whose statistics at every octave of the image
/// carry structure to any size, and those of the published loss.
pub(crate) const SHALLOW_LAYERS: [&str; 3] = ["conv1_1", "conv2_1", "conv3_1"];
pub(crate) const PUBLISHED_LAYERS: [&str; 5] =
    ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

/// The style layers, of those named, that all `images` have.
pub(crate) fn style_layers(
    vgg: &Vgg,
    names: &[&str],
    images: &[(&str, Size)],
) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for name in names {
        let layer = vgg.layer(name)?;
        let fits = |(what, size): &(&str, Size)| {
            let side = size.shorter();
            vgg.check_image(what, side, side, layer).is_ok()
        };
        // The shallowest stays in any case, so that an image too small for it gets an error.
        if layers.is_empty() || images.iter().all(fits) {
            layers.push(layer);
        }
    }
    Ok(layers)
}

/// Refuses images that some of `layers` cannot be computed from; the smallest side they need.
pub(crate) fn deepest(vgg: &Vgg, layers: &[Layer], images: &[(&str, Size)]) -> Result<usize> {
    if layers.is_empty() {
        return Err(Error::option("layers", "empty", "at least one layer"));
    }
    let mut minimum = 1;
    for &layer in layers {
        for (what, size) in images {
            vgg.check_image(what, size.width, size.height, layer)?;
        }
        let extent = vgg.architecture().extent(layer, vgg.padding())?;
        minimum = minimum.max(extent.smallest_image);
    }
    Ok(minimum)
}

/// A style, as terms of an objective.
pub(crate) struct Style<'a> {
    pub(crate) layers: &'a [Layer],
    pub(crate) statistics: Statistics,
    /// Halvings of the image that are matched besides the image itself.
    pub(crate) octaves: usize,
    /// Weight of each statistic.
    pub(crate) weight: f64,
    /// Weight of the distribution of colours, in the same units.
    pub(crate) colour_weight: f64,
}

/// Weight of a mean compared with the covariance beside it. Of 1, 5, 10 and 20 ten gave the closest
/// patches (`docs/QUALITY.md`): whitened covariances see little of how much there is of what.
const MEAN_WEIGHT: f64 = 10.0;

/// How covariances are whitened: see [`Covariance::partially_whitened`](crate::loss::Covariance::partially_whitened).
const WHITENING: f64 = 0.5;

/// Directions along which features are compared, and colours.
const DIRECTIONS: usize = 64;
const COLOUR_DIRECTIONS: usize = 32;

/// Positions at the border of an exemplar's map that its statistics leave out. What is mirrored
/// there is found at the border of every result, and would be put into its place.
const MARGIN: usize = 1;

impl Style<'_> {
    /// Adds the statistics of a mixture of exemplars, each with its share, on the image and on its
    /// halvings.
    ///
    /// A network that wraps makes a result that tiles. The exemplars need not tile: read as if they
    /// did, their own seams would be part of their statistics, so they are read by reflection then.
    pub(crate) fn add(
        &self,
        mut objective: Objective,
        vgg: &Vgg,
        mut exemplars: Vec<(Tensor<4>, f64)>,
    ) -> Result<Objective> {
        let reader = match vgg.padding() {
            Padding::Circular => vgg.with_padding(Padding::Reflect),
            _ => vgg.clone(),
        };
        for octave in 0..=self.octaves {
            // One layer at a time: a pass costs little, the maps of all layers much memory.
            for &layer in self.layers {
                let mut maps = Vec::new();
                for (exemplar, share) in &exemplars {
                    let Some(map) = reader.features(exemplar.clone(), &[layer])?.take(layer) else {
                        unreachable!("every tap has features");
                    };
                    maps.push((map, *share));
                }
                objective = self.add_layer(objective, octave, layer, maps)?;
            }
            if self.colour_weight > 0.0 {
                let colours = Wasserstein::of_mixture(exemplars.clone(), COLOUR_DIRECTIONS)?;
                let name = named("colours", octave);
                objective = objective.at_halved_image(octave, name, self.colour_weight, colours);
            }
            if octave < self.octaves {
                for (exemplar, _) in &mut exemplars {
                    *exemplar = halve(exemplar.clone())?;
                }
            }
        }
        Ok(objective)
    }

    fn add_layer(
        &self,
        objective: Objective,
        octave: usize,
        layer: Layer,
        maps: Vec<(Tensor<4>, f64)>,
    ) -> Result<Objective> {
        let name = |what: &str| named(&format!("{what} {layer}"), octave);
        let weight = self.weight;
        if self.statistics == Statistics::Gram {
            let gram = Gram::of_mixture(maps)?;
            return Ok(objective.at_octave(octave, name("gram"), layer, weight, gram));
        }
        let maps: Vec<(Tensor<4>, f64)> = maps
            .into_iter()
            .map(|(map, share)| (interior(map), share))
            .collect();
        let with_mean = |mean: Mean, weight: f64| {
            objective.at_octave(octave, name("mean"), layer, weight, mean)
        };
        if self.statistics == Statistics::Distributions {
            let distribution = Wasserstein::of_mixture(maps.clone(), DIRECTIONS)?;
            let (mean, _) = moments_of_mixture(maps)?;
            let name = name("distribution");
            let objective = with_mean(mean, weight * MEAN_WEIGHT);
            return Ok(objective.at_octave(octave, name, layer, weight, distribution));
        }
        let (mean, covariance) = moments_of_mixture(maps)?;
        let name = name("covariance");
        if self.statistics == Statistics::Moments {
            let objective = with_mean(mean, weight);
            return Ok(objective.at_octave(octave, name, layer, weight, covariance));
        }
        let covariance = covariance.partially_whitened(WHITENING)?;
        let objective = with_mean(mean, weight * MEAN_WEIGHT);
        Ok(objective.at_octave(octave, name, layer, weight, covariance))
    }
}

/// The name of a term at an octave.
fn named(what: &str, octave: usize) -> String {
    match octave {
        0 => what.into(),
        _ => format!("{what} octave {octave}"),
    }
}

/// A map without its border.
fn interior(map: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = map.dims();
    if height.min(width) <= 2 * MARGIN {
        return map;
    }
    map.narrow(2, MARGIN, height - 2 * MARGIN)
        .narrow(3, MARGIN, width - 2 * MARGIN)
}

/// Adds the distance from the features of `picture` at a layer.
pub(crate) fn with_content(
    objective: Objective,
    vgg: &Vgg,
    picture: Tensor<4>,
    layer: Layer,
    weight: f64,
) -> Result<Objective> {
    let Some(map) = vgg.features(picture, &[layer])?.take(layer) else {
        unreachable!("every tap has features");
    };
    let name = format!("content {layer}");
    Ok(objective.at_layer(name, layer, weight, Content::of(map)?))
}

/// Adds the total variation of the image, unless its weight is zero.
pub(crate) fn with_total_variation(objective: Objective, weight: f64) -> Objective {
    if weight > 0.0 {
        objective.at_image("total variation", weight, TotalVariation)
    } else {
        objective
    }
}

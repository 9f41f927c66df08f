//! What the three tasks share: sizes, layers that fit them, statistics that make a style.

use burn::tensor::Tensor;
use image::Rgb32FImage;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::imaging::Size;
use crate::kernels::Padding;
use crate::loss::{Content, Covariance, Gram, Mean, Observation, TotalVariation};
use crate::network::{Layer, Vgg};
use crate::objective::{Objective, halve};

/// Which statistics of features make a texture or a style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistics {
    /// Gram matrices, as published: means and covariances in one, of which means have most weight.
    Gram,
    /// Means and covariances, each with its own weight: shapes keep their contours.
    #[default]
    Moments,
}

/// Style layers, shallow to deep: the first three, whose statistics at every octave of the image
/// carry structure to any size, and those of the published loss.
pub(crate) const SHALLOW_LAYERS: [&str; 3] = ["conv1_1", "conv2_1", "conv3_1"];
pub(crate) const PUBLISHED_LAYERS: [&str; 5] =
    ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

pub(crate) fn size_of(picture: &Rgb32FImage) -> Size {
    Size::new(picture.width() as usize, picture.height() as usize)
}

/// The style layers that an image with sides of at least `side` pixels has.
pub(crate) fn style_layers(vgg: &Vgg, names: &[&str], side: usize) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for name in names {
        let layer = vgg.layer(name)?;
        // The shallowest stays in any case, so that an image too small for it gets an error.
        if layers.is_empty() || vgg.check_image("", side, side, layer).is_ok() {
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

/// Adds the statistics of `exemplar` at `layers`, on the image and on its first `octaves` halvings.
///
/// A network that wraps makes a result that tiles. The exemplar need not tile: read as if it did, its
/// own seam would be part of its statistics, so it is read by reflection then.
pub(crate) fn with_style(
    mut objective: Objective,
    vgg: &Vgg,
    exemplar: Tensor<4>,
    layers: &[Layer],
    (statistics, octaves, weight): (Statistics, usize, f64),
) -> Result<Objective> {
    let mut exemplar = exemplar;
    let reader = match vgg.padding() {
        Padding::Circular => vgg.with_padding(Padding::Reflect),
        _ => vgg.clone(),
    };
    for octave in 0..=octaves {
        // One layer at a time: a pass costs little, the maps of all layers much memory.
        for &layer in layers {
            let Some(map) = reader.features(exemplar.clone(), &[layer])?.take(layer) else {
                unreachable!("every tap has features");
            };
            let name = |what: &str| match octave {
                0 => format!("{what} {layer}"),
                _ => format!("{what} {layer} octave {octave}"),
            };
            let mut map = Observation::from(map);
            objective = match statistics {
                Statistics::Gram => {
                    let gram = Gram::of(map)?;
                    objective.at_octave(octave, name("gram"), layer, weight, gram)
                }
                Statistics::Moments => {
                    let mean = Mean::observed(&mut map)?;
                    let covariance = Covariance::observed(&mut map)?;
                    objective
                        .at_octave(octave, name("mean"), layer, weight, mean)
                        .at_octave(octave, name("covariance"), layer, weight, covariance)
                }
            };
        }
        if octave < octaves {
            exemplar = halve(exemplar)?;
        }
    }
    Ok(objective)
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

//! What the three tasks share: sizes, layers that fit them, terms of their objectives.

mod statistics;

use burn::tensor::Device;

pub use self::statistics::Statistics;
pub(crate) use self::statistics::Style;
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size};
use crate::loss::{Content, Region, TotalVariation};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;

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

/// The size of a layer's map of an image.
fn map_size(vgg: &Vgg, image: Size, layer: Layer) -> Result<Size> {
    // Convolutions keep the size, every pooling halves it.
    let stride = vgg.architecture().extent(layer, vgg.padding())?.stride;
    Ok(image.halved(stride.ilog2() as usize))
}

/// The part of a map of `size` that a mask shows white; none if it shows no position so.
fn region(mask: &Raster, size: Size, device: &Device) -> Option<Region> {
    let mask = mask.resized(size);
    Region::of_values(mask.values(), [size.height, size.width], device)
}

/// Adds the distance from the features of `picture` at a layer, where `mask` is white.
pub(crate) fn with_content(
    objective: Objective,
    vgg: &Vgg,
    picture: &Raster,
    mask: Option<&Raster>,
    (layer, weight): (Layer, f64),
) -> Result<Objective> {
    let map = vgg.map(picture.to_tensor(vgg.device()), layer)?;
    let name = format!("content {layer}");
    let Some(mask) = mask else {
        return Ok(objective.at_layer(name, layer, weight, Content::of(map)?));
    };
    let size = map_size(vgg, picture.size(), layer)?;
    Ok(match region(mask, size, vgg.device()) {
        Some(region) => {
            let content = Content::of(region.gather(map)?)?;
            let weight = weight * region.share();
            objective.at_layer(name, layer, weight, region.restrict(content))
        }
        None => objective,
    })
}

/// Adds the total variation of the image, unless its weight is zero.
pub(crate) fn with_total_variation(objective: Objective, weight: f64) -> Objective {
    if weight > 0.0 {
        objective.at_image("total variation", weight, TotalVariation)
    } else {
        objective
    }
}

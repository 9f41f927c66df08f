//! The terms of the three tasks' objectives, and the layers that they are measured at.

mod resampled;
mod statistics;
mod style_terms;

use std::ops::RangeInclusive;

use burn::tensor::Device;

pub(crate) use self::resampled::{refuse_layers, refuse_total_variation, seed_of};
pub use self::statistics::Statistics;
pub(crate) use self::style_terms::StyleTerms;
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size};
use crate::loss::{Content, Region, TotalVariation};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;

/// Blocks whose first convolutions are the default style layers. Their statistics are matched at every
/// octave of the image, so that shallow layers carry structure of any size.
pub(crate) const SHALLOW_BLOCKS: RangeInclusive<usize> = 1..=3;
/// Blocks whose first convolutions are the style layers of the published loss.
pub(crate) const PUBLISHED_BLOCKS: RangeInclusive<usize> = 1..=5;

/// The first convolutions of `blocks`, shallow to deep.
pub(crate) fn first_of(vgg: &Vgg, blocks: RangeInclusive<usize>) -> Vec<Layer> {
    let architecture = vgg.architecture();
    let first = |block| architecture.block(block).into_iter().next();
    blocks.filter_map(first).collect()
}

/// The default content layer: the last convolution of the second block.
pub(crate) fn content_layer(vgg: &Vgg) -> Layer {
    match vgg.architecture().block(2).last() {
        Some(layer) => *layer,
        None => unreachable!("every network has five blocks"),
    }
}

/// The default style layers for which all `images` are large enough.
pub(crate) fn style_layers(vgg: &Vgg, images: &[(&str, Size)]) -> Vec<Layer> {
    let mut layers = first_of(vgg, SHALLOW_BLOCKS);
    let fits = |layer: Layer| {
        images.iter().all(|(what, size)| {
            let side = size.shorter();
            vgg.check_image(what, side, side, layer).is_ok()
        })
    };
    // The shallowest stays in any case, so that an image too small for it gets an error.
    let count = layers.iter().skip(1).filter(|layer| fits(**layer)).count();
    layers.truncate(1 + count);
    layers
}

/// The smallest side that all `layers` can be computed from; refuses images that are smaller.
pub(crate) fn smallest_side(vgg: &Vgg, layers: &[Layer], images: &[(&str, Size)]) -> Result<usize> {
    if layers.is_empty() {
        return Err(Error::option("layers", "empty", "at least one layer"));
    }
    let mut minimum = 1;
    for &layer in layers {
        for (what, size) in images {
            vgg.check_image_in_blocks(what, *size, layer)?;
        }
        let extent = vgg.architecture().geometry(layer, vgg.padding())?;
        minimum = minimum.max(extent.smallest_image);
    }
    Ok(minimum)
}

/// The size of a layer's map of an image.
fn map_size(vgg: &Vgg, image: Size, layer: Layer) -> Result<Size> {
    vgg.architecture().map_size(layer, image, vgg.padding())
}

/// The positions of a map of `size` that a mask shows white; none if there are none.
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
    let map = objective.features_at(picture.to_tensor(vgg.device()), layer)?;
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

//! What the three tasks share: sizes, and layers that fit them.

use image::Rgb32FImage;

use crate::error::{Error, Result};
use crate::imaging::Size;
use crate::network::{Layer, Vgg};

/// The layers of the paper's style loss, shallow to deep.
const STYLE_LAYERS: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

pub(crate) fn size_of(picture: &Rgb32FImage) -> Size {
    Size::new(picture.width() as usize, picture.height() as usize)
}

/// The style layers that an image with sides of at least `side` pixels has.
pub(crate) fn style_layers(vgg: &Vgg, side: usize) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for name in STYLE_LAYERS {
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

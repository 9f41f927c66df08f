//! VGG-16, VGG-19 and AlexNet: their layers, receptive fields and strides.

use serde::{Deserialize, Serialize};

use super::layer::{self, Layer};
use super::stages::{Stage, stages};
use crate::engine::{Operation, Padding, Pooling};
use crate::error::{Error, ImageReason, Result, unknown_name};
use crate::imaging::Size;

/// The layers of a network and their order.
///
/// The VGG networks are those of Simonyan and Zisserman, "Very Deep Convolutional Networks for
/// Large-Scale Image Recognition" (ICLR 2015), table 1, columns D and E. AlexNet is that of
/// Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014), section 5,
/// as torchvision builds it: without local response normalisation.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Architecture {
    /// 13 convolutions and 3 fully connected layers.
    Vgg16,
    /// 16 convolutions and 3 fully connected layers.
    #[default]
    Vgg19,
    /// 5 convolutions, the first of 11x11 pixels with stride 4, and 3 fully connected layers.
    /// Pooling windows overlap. Convolutions are numbered without blocks: `conv1` ... `conv5`.
    AlexNet,
}

/// The side of the image that the fully connected layers require.
const CLASSIFIER_SIDE: usize = 224;
/// Channels of a colour image. The geometry of layers does not depend on them.
const COLOURS: usize = 3;

/// Receptive field, stride and channels of a layer, and the smallest image that it can be computed
/// from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerGeometry {
    /// Side of the receptive field: the square of image pixels that one value of the layer depends on.
    pub receptive_field: usize,
    /// Image pixels by which the receptive field of the first value begins before the image, in its
    /// padding.
    pub overhang: usize,
    /// Distance between neighbouring values of the layer, in image pixels.
    pub stride: usize,
    /// The shortest image side that the layer can be computed from.
    pub smallest_image: usize,
    /// Number of channels.
    pub channels: usize,
}

impl Architecture {
    /// All architectures.
    pub const ALL: [Self; 3] = [Self::Vgg16, Self::Vgg19, Self::AlexNet];

    /// All layers, from the image up.
    #[must_use]
    pub fn layers(self) -> Vec<Layer> {
        let stages = stages(self, COLOURS, Pooling::default(), Padding::default());
        stages.into_iter().map(|stage| stage.layer).collect()
    }

    /// The layer of this name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] with the names nearest to it.
    pub fn layer(self, name: &str) -> Result<Layer> {
        let layers = self.layers();
        if let Some(layer) = layer::parse(name).filter(|layer| layers.contains(layer)) {
            return Ok(layer);
        }
        let wanted = name.trim().to_lowercase();
        let mut names: Vec<String> = layers.iter().map(Layer::to_string).collect();
        names.sort_by_key(|name| strsim::levenshtein(name, &wanted));
        names.truncate(4);
        Err(Error::UnknownLayer {
            name: name.into(),
            architecture: self.to_string(),
            nearest: names,
        })
    }

    /// The layers from the image up to `deepest`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] if the network has no such layer.
    pub fn up_to(self, deepest: Layer) -> Result<Vec<Layer>> {
        let stages = self.stages_up_to(deepest, Padding::default())?;
        Ok(stages.into_iter().map(|stage| stage.layer).collect())
    }

    /// Checks that this network has `layer`.
    pub(crate) fn check(self, layer: Layer) -> Result<()> {
        self.layer(&layer.to_string()).map(|_| ())
    }

    /// The receptive field, stride and channels of `layer`, and the smallest image for it, with
    /// this padding of the convolutions.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] if the network has no such layer.
    pub fn geometry(self, layer: Layer, padding: Padding) -> Result<LayerGeometry> {
        let stages = self.stages_up_to(layer, padding)?;
        let (mut receptive_field, mut stride, mut channels) = (1, 1, COLOURS);
        let mut overhang = 0;
        for stage in &stages {
            let (kernel, step) = match stage.operation {
                Operation::Convolution(shape) => {
                    channels = shape.channels_out;
                    overhang += shape.padding * stride;
                    (shape.kernel, shape.stride)
                }
                Operation::Pool(pool) => (pool.kernel, pool.stride),
            };
            receptive_field += (kernel - 1) * stride;
            stride *= step;
        }
        let smallest_image = match layer {
            Layer::FullyConnected { .. } => CLASSIFIER_SIDE,
            _ => (1..).find(|&side| fits(&stages, side)).unwrap_or(1),
        };
        Ok(LayerGeometry {
            receptive_field,
            overhang,
            stride,
            smallest_image,
            channels,
        })
    }

    /// The stages up to `layer`.
    fn stages_up_to(self, layer: Layer, padding: Padding) -> Result<Vec<Stage>> {
        self.check(layer)?;
        let mut stages = stages(self, COLOURS, Pooling::default(), padding);
        let depth = stages.iter().position(|stage| stage.layer == layer);
        stages.truncate(depth.map_or(0, |index| index + 1));
        Ok(stages)
    }

    /// The size of a layer's feature map for an image of `size`.
    pub(crate) fn map_size(self, layer: Layer, size: Size, padding: Padding) -> Result<Size> {
        let (mut height, mut width) = (size.height, size.width);
        for stage in self.stages_up_to(layer, padding)? {
            (height, width) = stage.operation.output(height, width);
        }
        Ok(Size::new(width, height))
    }

    /// The convolutions of a block, from 1 to 5. Each convolution of AlexNet counts as a block.
    pub(crate) fn block(self, number: usize) -> Vec<Layer> {
        let mut layers = self.layers();
        layers.retain(|layer| match layer {
            Layer::Convolution { block, .. } => *block == number,
            Layer::NumberedConvolution { number: own } => *own == number,
            Layer::Pool { .. } | Layer::FullyConnected { .. } => false,
        });
        layers
    }

    /// Checks that `layer` can be computed from an image of this size. Messages call the image `what`.
    pub(crate) fn check_image(
        self,
        what: &str,
        width: usize,
        height: usize,
        layer: Layer,
        padding: Padding,
    ) -> Result<()> {
        let minimum = self.geometry(layer, padding)?.smallest_image;
        if matches!(layer, Layer::FullyConnected { .. }) && (width, height) != (minimum, minimum) {
            let reason = ImageReason::Fixed { side: minimum };
            return Err(Error::image_size(what, [width, height], layer, reason));
        }
        if width.min(height) < minimum {
            let reason = ImageReason::TooSmall { minimum };
            return Err(Error::image_size(what, [width, height], layer, reason));
        }
        Ok(())
    }
}

fn unknown(name: &str) -> Error {
    unknown_name::<Architecture>("network", name)
}

/// Whether all stages can be computed from an image of `side` x `side`.
fn fits(stages: &[Stage], side: usize) -> bool {
    let mut side = side;
    for stage in stages {
        if let Operation::Convolution(shape) = stage.operation
            && side < shape.mode.smallest_axis(shape.padding)
        {
            return false;
        }
        side = stage.operation.output(side, side).0;
        if side == 0 {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print() {
        for architecture in Architecture::ALL {
            for layer in architecture.layers() {
                assert_eq!(architecture.layer(&layer.to_string()).unwrap(), layer);
            }
        }
        let relu = Architecture::Vgg19.layer("relu4_2").unwrap();
        assert_eq!(relu.to_string(), "conv4_2");
        assert_eq!(Architecture::Vgg19.layers().len(), 24);
        assert_eq!(Architecture::Vgg16.layers().len(), 21);
        let names: Vec<String> = Architecture::AlexNet
            .layers()
            .iter()
            .map(Layer::to_string)
            .collect();
        let expected = "conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8";
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn an_unknown_name_lists_the_nearest() {
        let Err(Error::UnknownLayer { nearest, .. }) = Architecture::Vgg16.layer("conv3_4") else {
            panic!("VGG-16 has no conv3_4");
        };
        assert!(nearest.contains(&"conv3_3".to_owned()), "{nearest:?}");
        for name in [
            "",
            "conv",
            "conv_",
            "conv1-1",
            "pool6",
            "fc5",
            "fc9",
            "conv01_x",
            "c\u{f6}nv",
        ] {
            assert!(Architecture::Vgg19.layer(name).is_err(), "{name}");
        }
    }

    #[test]
    fn receptive_fields_equal_those_by_hand() {
        // conv1_1: 3. conv1_2: 3 + 2 = 5. pool1: 6. conv2_1: 6 + 2*2 = 10. conv2_2: 14.
        // pool2: 16. conv3_1: 16 + 2*4 = 24. conv5_1: 156, then three times 2*16, pool5 16: 268.
        // fc6: 268 + 6*32 = 460.
        let extent = |name: &str| {
            let layer = Architecture::Vgg19.layer(name).unwrap();
            Architecture::Vgg19.geometry(layer, Padding::Zero).unwrap()
        };
        let expected = [
            ("conv1_1", 3, 1, 1),
            ("conv1_2", 5, 1, 1),
            ("pool1", 6, 2, 2),
            ("conv2_1", 10, 2, 2),
            ("conv2_2", 14, 2, 2),
            ("pool2", 16, 4, 4),
            ("conv3_1", 24, 4, 4),
            ("conv5_1", 156, 16, 16),
            ("fc6", 460, 32, 224),
        ];
        for (name, field, stride, smallest) in expected {
            let extent = extent(name);
            assert_eq!(extent.receptive_field, field, "{name}");
            assert_eq!(extent.stride, stride, "{name}");
            assert_eq!(extent.smallest_image, smallest, "{name}");
        }
    }

    #[test]
    fn alexnet_equals_the_geometry_by_hand() {
        // conv1: 11. pool1: 11 + 2*4 = 19. conv2: 19 + 4*8 = 51. pool2: 51 + 2*8 = 67. conv3: 67 +
        // 2*16 = 99, conv4 131, conv5 163. pool5: 163 + 2*16 = 195. fc6: 195 + 5*32 = 355.
        let expected = [
            ("conv1", 11, 4, 7),
            ("pool1", 19, 8, 15),
            ("conv2", 51, 8, 15),
            ("conv5", 163, 16, 31),
            ("pool5", 195, 32, 63),
            ("fc6", 355, 32, 224),
        ];
        for (name, field, stride, smallest) in expected {
            let layer = Architecture::AlexNet.layer(name).unwrap();
            let extent = Architecture::AlexNet
                .geometry(layer, Padding::Zero)
                .unwrap();
            assert_eq!(extent.receptive_field, field, "{name}");
            assert_eq!(extent.stride, stride, "{name}");
            assert_eq!(extent.smallest_image, smallest, "{name}");
        }
    }

    #[test]
    fn map_sizes_equal_those_by_hand() {
        let size = |architecture: Architecture, name: &str, side| {
            let layer = architecture.layer(name).unwrap();
            let size = architecture.map_size(layer, Size::square(side), Padding::Reflect);
            size.unwrap().width
        };
        // (224 + 4 - 11) / 4 + 1 = 55, (55 - 3) / 2 + 1 = 27, (27 - 3) / 2 + 1 = 13, 6.
        let names = ["conv1", "pool1", "pool2", "conv5", "pool5", "fc6"];
        let sizes = names.map(|name| size(Architecture::AlexNet, name, 224));
        assert_eq!(sizes, [55, 27, 13, 13, 6, 1]);
        assert_eq!(size(Architecture::Vgg19, "conv3_1", 101), 25);
        assert_eq!(size(Architecture::Vgg19, "fc6", 224), 1);
    }

    #[test]
    fn reflection_needs_two_samples_at_every_depth() {
        let layer = Architecture::Vgg19.layer("conv5_1").unwrap();
        let extent = Architecture::Vgg19
            .geometry(layer, Padding::Reflect)
            .unwrap();
        assert_eq!(extent.smallest_image, 32);
    }
}

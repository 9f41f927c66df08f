//! VGG-16 and VGG-19 as data: a chain of layers with names and geometry.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::layer::{self, Layer};
use crate::error::{Error, Result};
use crate::kernels::{ConvolutionShape, Padding, Pool, Pooling};

/// A network's plan, without weights.
///
/// Both are those of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
/// Image Recognition" (ICLR 2015), table 1, columns D and E.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Architecture {
    /// 13 convolutions and 3 fully connected layers.
    Vgg16,
    /// 16 convolutions and 3 fully connected layers.
    #[default]
    Vgg19,
}

/// The side of the only image that the fully connected layers take.
const CLASSIFIED_SIDE: usize = 224;
/// Channels of an image, unless it is a stack of maps.
pub(super) const COLOURS: usize = 3;
/// Channels of each block.
const WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];
/// Outputs of fc6, fc7 and fc8.
const FULLY_CONNECTED: [usize; 3] = [4096, 4096, 1000];

/// What a layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Convolution(ConvolutionShape),
    Pool(Pool),
}

/// A layer and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) layer: Layer,
    pub(crate) operation: Operation,
}

/// How far a layer sees and how small an image it can be computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// Side of the square of image pixels that one value of the layer depends on.
    pub receptive_field: usize,
    /// Distance in image pixels between neighbouring values of the layer.
    pub stride: usize,
    /// The shortest image side that the layer can be computed from.
    pub smallest_image: usize,
    /// Number of channels.
    pub channels: usize,
}

impl Architecture {
    /// Convolutions of each of the five blocks.
    fn plan(self) -> [usize; 5] {
        match self {
            Self::Vgg16 => [2, 2, 3, 3, 3],
            Self::Vgg19 => [2, 2, 4, 4, 4],
        }
    }

    /// All layers from the image up.
    #[must_use]
    pub fn layers(self) -> Vec<Layer> {
        let stages = self.stages(COLOURS, Pooling::default(), Padding::default());
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
        names.sort_by_key(|name| edit_distance(name, &wanted));
        names.truncate(4);
        Err(Error::UnknownLayer {
            name: name.into(),
            architecture: self.to_string(),
            nearest: names,
        })
    }

    /// Checks that this network has `layer`.
    pub(crate) fn check(self, layer: Layer) -> Result<()> {
        self.layer(&layer.to_string()).map(|_| ())
    }

    /// What `layer` sees of an image that convolutions continue by `padding`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`] if the network has no such layer.
    pub fn extent(self, layer: Layer, padding: Padding) -> Result<Extent> {
        self.check(layer)?;
        let stages = self.stages(COLOURS, Pooling::default(), padding);
        let depth = stages.iter().position(|stage| stage.layer == layer);
        let stages = &stages[..=depth.unwrap_or(0)];
        let (mut receptive_field, mut stride, mut channels) = (1, 1, COLOURS);
        for stage in stages {
            let (kernel, step) = match stage.operation {
                Operation::Convolution(shape) => {
                    channels = shape.channels_out;
                    (shape.kernel, shape.stride)
                }
                Operation::Pool(pool) => (pool.kernel, pool.stride),
            };
            receptive_field += (kernel - 1) * stride;
            stride *= step;
        }
        let smallest_image = match layer {
            Layer::FullyConnected { .. } => CLASSIFIED_SIDE,
            _ => (1..).find(|&side| fits(stages, side)).unwrap_or(1),
        };
        Ok(Extent {
            receptive_field,
            stride,
            smallest_image,
            channels,
        })
    }

    /// Refuses an image that `layer` cannot be computed from; `what` names it.
    pub(crate) fn check_image(
        self,
        what: &str,
        width: usize,
        height: usize,
        layer: Layer,
        padding: Padding,
    ) -> Result<()> {
        let minimum = self.extent(layer, padding)?.smallest_image;
        let (what, layer_name) = (what.to_owned(), layer.to_string());
        if matches!(layer, Layer::FullyConnected { .. }) && (width, height) != (minimum, minimum) {
            return Err(Error::ImageSize {
                what,
                width,
                height,
                layer: layer_name,
                size: minimum,
            });
        }
        if width.min(height) < minimum {
            return Err(Error::ImageTooSmall {
                what,
                width,
                height,
                layer: layer_name,
                minimum,
            });
        }
        Ok(())
    }

    /// The chain of operations on images of so many channels.
    pub(crate) fn stages(self, channels: usize, pooling: Pooling, mode: Padding) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut channels_in = channels;
        for (block, (count, channels_out)) in self.plan().into_iter().zip(WIDTHS).enumerate() {
            let block = block + 1;
            for index in 1..=count {
                stages.push(Stage {
                    layer: Layer::Convolution { block, index },
                    operation: Operation::Convolution(ConvolutionShape {
                        channels_in,
                        channels_out,
                        kernel: 3,
                        stride: 1,
                        padding: 1,
                        mode,
                        rectified: true,
                    }),
                });
                channels_in = channels_out;
            }
            stages.push(Stage {
                layer: Layer::Pool { block },
                operation: Operation::Pool(Pool {
                    pooling,
                    kernel: 2,
                    stride: 2,
                }),
            });
        }
        // A fully connected layer is a convolution whose kernel covers its whole input.
        for (i, channels_out) in FULLY_CONNECTED.into_iter().enumerate() {
            let number = i + 6;
            stages.push(Stage {
                layer: Layer::FullyConnected { number },
                operation: Operation::Convolution(ConvolutionShape {
                    channels_in,
                    channels_out,
                    kernel: if number == 6 { 7 } else { 1 },
                    stride: 1,
                    padding: 0,
                    mode,
                    rectified: number != 8,
                }),
            });
            channels_in = channels_out;
        }
        stages
    }

    /// The key of a layer's weight in torchvision's files, without `.weight` or `.bias`.
    pub(crate) fn torchvision_key(self, layer: Layer) -> Option<String> {
        let mut position = 0;
        for candidate in self.layers() {
            match candidate {
                Layer::FullyConnected { number } if candidate == layer => {
                    // classifier: fc6, ReLU, dropout, fc7, ReLU, dropout, fc8
                    return Some(format!("classifier.{}", (number - 6) * 3));
                }
                Layer::Convolution { .. } if candidate == layer => {
                    return Some(format!("features.{position}"));
                }
                // A convolution and its rectifier take two places, a pool one.
                Layer::Convolution { .. } => position += 2,
                Layer::Pool { .. } => position += 1,
                Layer::FullyConnected { .. } => {}
            }
        }
        None
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vgg16 => "VGG-16",
            Self::Vgg19 => "VGG-19",
        })
    }
}

/// Whether every stage has an input it can be computed from, starting at an image of `side`.
fn fits(stages: &[Stage], side: usize) -> bool {
    let mut side = side;
    for stage in stages {
        side = match stage.operation {
            Operation::Convolution(shape) => {
                if side < shape.mode.smallest_axis(shape.padding) {
                    return false;
                }
                shape.output(side, side).0
            }
            Operation::Pool(pool) => pool.output(side, side).0,
        };
        if side == 0 {
            return false;
        }
    }
    true
}

/// Levenshtein's distance: insertions, deletions and substitutions that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print() {
        for architecture in [Architecture::Vgg16, Architecture::Vgg19] {
            for layer in architecture.layers() {
                assert_eq!(architecture.layer(&layer.to_string()).unwrap(), layer);
            }
        }
        let relu = Architecture::Vgg19.layer("relu4_2").unwrap();
        assert_eq!(relu.to_string(), "conv4_2");
        assert_eq!(Architecture::Vgg19.layers().len(), 24);
        assert_eq!(Architecture::Vgg16.layers().len(), 21);
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
    fn receptive_fields_are_those_counted_by_hand() {
        // conv1_1: 3. conv1_2: 3 + 2 = 5. pool1: 6. conv2_1: 6 + 2*2 = 10. conv2_2: 14.
        // pool2: 16. conv3_1: 16 + 2*4 = 24. conv5_1: 156, then three times 2*16, pool5 16: 268.
        // fc6: 268 + 6*32 = 460.
        let extent = |name: &str| {
            let layer = Architecture::Vgg19.layer(name).unwrap();
            Architecture::Vgg19.extent(layer, Padding::Zero).unwrap()
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
    fn reflection_needs_two_samples_at_every_depth() {
        let layer = Architecture::Vgg19.layer("conv5_1").unwrap();
        let extent = Architecture::Vgg19.extent(layer, Padding::Reflect).unwrap();
        assert_eq!(extent.smallest_image, 32);
    }

    #[test]
    fn keys_are_those_of_torchvision() {
        // torchvision.models.vgg19().state_dict().keys(), and the same of vgg16
        let key = |architecture: Architecture, name| {
            let layer = architecture.layer(name).unwrap();
            architecture.torchvision_key(layer).unwrap()
        };
        assert_eq!(key(Architecture::Vgg19, "conv1_1"), "features.0");
        assert_eq!(key(Architecture::Vgg19, "conv2_1"), "features.5");
        assert_eq!(key(Architecture::Vgg19, "conv3_4"), "features.16");
        assert_eq!(key(Architecture::Vgg19, "conv5_4"), "features.34");
        assert_eq!(key(Architecture::Vgg16, "conv5_3"), "features.28");
        assert_eq!(key(Architecture::Vgg19, "fc6"), "classifier.0");
        assert_eq!(key(Architecture::Vgg19, "fc8"), "classifier.6");
    }
}

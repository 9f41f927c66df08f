//! The operations of each architecture's layers, and the keys of their weights in files.

use super::{Architecture, Layer};
use crate::engine::{ConvolutionShape, Operation, Padding, Pool, Pooling};

/// A layer and its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) layer: Layer,
    pub(crate) operation: Operation,
    /// The index of its module in torchvision's `features` or `classifier`.
    module: usize,
}

impl Stage {
    /// The key of its parameters in torchvision's files, without `.weight` or `.bias`.
    pub(super) fn key(&self) -> String {
        let part = match self.layer {
            Layer::FullyConnected { .. } => "classifier",
            _ => "features",
        };
        format!("{part}.{}", self.module)
    }
}

/// Output channels of the convolutions in each block of a VGG network.
const VGG_WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];
/// Output channels of fc6, fc7 and fc8.
const FULLY_CONNECTED: [usize; 3] = [4096, 4096, 1000];
/// Output channels, kernel size, stride and padding of AlexNet's convolutions, and whether a
/// pooling follows.
const ALEXNET: [(usize, usize, usize, usize, bool); 5] = [
    (64, 11, 4, 2, true),
    (192, 5, 1, 2, true),
    (384, 3, 1, 1, false),
    (256, 3, 1, 1, false),
    (256, 3, 1, 1, true),
];

/// The stages of a network under construction.
struct Chain {
    stages: Vec<Stage>,
    /// Output channels of the last stage.
    channels: usize,
    pooling: Pooling,
    mode: Padding,
    /// The number of modules in torchvision's `features` so far.
    modules: usize,
}

/// The stages of an architecture for images with `channels` channels, from the image up.
pub(crate) fn stages(
    architecture: Architecture,
    channels: usize,
    pooling: Pooling,
    mode: Padding,
) -> Vec<Stage> {
    let mut chain = Chain {
        stages: Vec::new(),
        channels,
        pooling,
        mode,
        modules: 0,
    };
    match architecture {
        Architecture::Vgg16 => chain.vgg([2, 2, 3, 3, 3]),
        Architecture::Vgg19 => chain.vgg([2, 2, 4, 4, 4]),
        Architecture::AlexNet => chain.alexnet(),
    }
    chain.stages
}

impl Chain {
    /// Five blocks with these numbers of convolutions, and the fully connected layers.
    fn vgg(&mut self, convolutions: [usize; 5]) {
        for (block, (count, width)) in (1..).zip(convolutions.into_iter().zip(VGG_WIDTHS)) {
            for index in 1..=count {
                self.convolution(Layer::Convolution { block, index }, width, (3, 1, 1));
            }
            self.pool(block, 2);
        }
        // fc6, ReLU, dropout, fc7, ReLU, dropout, fc8
        self.fully_connected(7, 0);
    }

    fn alexnet(&mut self) {
        for (number, (width, kernel, stride, padding, pooled)) in (1..).zip(ALEXNET) {
            let layer = Layer::NumberedConvolution { number };
            self.convolution(layer, width, (kernel, stride, padding));
            if pooled {
                self.pool(number, 3);
            }
        }
        // dropout, fc6, ReLU, dropout, fc7, ReLU, fc8
        self.fully_connected(6, 1);
    }

    fn push(&mut self, layer: Layer, operation: Operation, module: usize) {
        if let Operation::Convolution(shape) = operation {
            self.channels = shape.channels_out;
        }
        self.stages.push(Stage {
            layer,
            operation,
            module,
        });
    }

    fn convolution(
        &mut self,
        layer: Layer,
        channels_out: usize,
        (kernel, stride, padding): (usize, usize, usize),
    ) {
        let shape = ConvolutionShape {
            channels_in: self.channels,
            channels_out,
            kernel,
            stride,
            padding,
            mode: self.mode,
            relu: true,
        };
        self.push(layer, Operation::Convolution(shape), self.modules);
        // The ReLU is a module of its own.
        self.modules += 2;
    }

    /// A pooling with this kernel size and stride 2.
    fn pool(&mut self, block: usize, kernel: usize) {
        let pool = Pool {
            pooling: self.pooling,
            kernel,
            stride: 2,
        };
        self.push(Layer::Pool { block }, Operation::Pool(pool), self.modules);
        self.modules += 1;
    }

    /// The three fully connected layers, as convolutions. The kernel of the first one covers its
    /// whole input, a map of `side` x `side`. Its module in torchvision's `classifier` is `first`.
    fn fully_connected(&mut self, side: usize, first: usize) {
        for (i, channels_out) in FULLY_CONNECTED.into_iter().enumerate() {
            let shape = ConvolutionShape {
                channels_in: self.channels,
                channels_out,
                kernel: if i == 0 { side } else { 1 },
                stride: 1,
                padding: 0,
                mode: self.mode,
                relu: i < 2,
            };
            // AlexNet has no dropout before its last layer.
            let module = if i == 2 { 6 } else { first + 3 * i };
            let layer = Layer::FullyConnected { number: i + 6 };
            self.push(layer, Operation::Convolution(shape), module);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_torchvision() {
        // torchvision.models.vgg19().state_dict().keys(), likewise vgg16 and alexnet
        let key = |architecture: Architecture, name: &str| {
            let layer = architecture.layer(name).unwrap();
            let stages = stages(architecture, 3, Pooling::Max, Padding::Zero);
            let stage = stages.into_iter().find(|stage| stage.layer == layer);
            stage.unwrap().key()
        };
        assert_eq!(key(Architecture::Vgg19, "conv1_1"), "features.0");
        assert_eq!(key(Architecture::Vgg19, "conv2_1"), "features.5");
        assert_eq!(key(Architecture::Vgg19, "conv3_4"), "features.16");
        assert_eq!(key(Architecture::Vgg19, "conv5_4"), "features.34");
        assert_eq!(key(Architecture::Vgg16, "conv5_3"), "features.28");
        assert_eq!(key(Architecture::Vgg19, "fc6"), "classifier.0");
        assert_eq!(key(Architecture::Vgg19, "fc8"), "classifier.6");
        let alexnet = ["conv1", "conv2", "conv3", "conv4", "conv5"];
        let keys = alexnet.map(|name| key(Architecture::AlexNet, name));
        let expected = [0, 3, 6, 8, 10].map(|module| format!("features.{module}"));
        assert_eq!(keys, expected);
        let keys = ["fc6", "fc7", "fc8"].map(|name| key(Architecture::AlexNet, name));
        assert_eq!(keys, ["classifier.1", "classifier.4", "classifier.6"]);
    }
}

//! Counts what an evaluation of the five-layer style objective costs a GPU, without having one.

use std::process::ExitCode;

use clap::Parser;
use ranvgg::{Architecture, Layer, Padding};

mod support;

/// Count the operations and the bytes of one evaluation of the five-layer style objective of VGG-19,
/// and how long a GPU would take at least
#[derive(Parser)]
struct Arguments {
    /// Sides of the square image in pixels
    #[arg(long, num_args = 1.., default_values_t = [512, 1024], value_name = "N")]
    size: Vec<usize>,

    /// Peak of the GPU in f32, in teraflop/s: the default is an H200's
    #[arg(long, default_value_t = 66.9, value_name = "T")]
    teraflops: f64,

    /// Bandwidth of its memory, in gigabytes per second
    #[arg(long, default_value_t = 4800.0, value_name = "G")]
    bandwidth: f64,
}

/// Bytes of a value.
const VALUE: f64 = 4.0;

/// Elements of a transformed tile for each of its 4x4 pixels.
const GROWTH: f64 = 36.0 / 16.0;

/// Of one direction of one layer.
#[derive(Clone, Copy, Default)]
struct Cost {
    operations: f64,
    /// Of memory that kernels read and write, each place once for each kernel.
    bytes: f64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            bytes: self.bytes + other.bytes,
        }
    }
}

struct Convolution {
    layer: Layer,
    channels_in: f64,
    channels_out: f64,
    pixels: f64,
    /// Whether its features are averaged as they are written.
    pooled: bool,
    style: bool,
}

impl Convolution {
    /// As its definition reads.
    fn operations(&self) -> f64 {
        2.0 * 9.0 * self.channels_in * self.channels_out * self.pixels
    }

    /// Forward and backward by sums of products: features are read and written once, ReLUs and
    /// gates are passes of their own.
    fn direct(&self) -> Cost {
        let (read, written) = (
            self.channels_in * self.pixels,
            self.channels_out * self.pixels,
        );
        let forward = read + written;
        let relu = 2.0 * written;
        let gate = 3.0 * written;
        Cost {
            operations: 2.0 * self.operations(),
            bytes: VALUE * (2.0 * forward + relu + gate + self.pool()),
        }
    }

    /// A pooling of its own, both ways.
    fn pool(&self) -> f64 {
        if self.pooled {
            2.5 * self.channels_out * self.pixels
        } else {
            0.0
        }
    }

    /// By the Winograd transform, and for images by the kernels that fuse ReLU and gate.
    fn transformed(&self) -> Cost {
        let (read, written) = (
            self.channels_in * self.pixels,
            self.channels_out * self.pixels,
        );
        if self.channels_in < 5.0 {
            // The gradient reads features as its gate.
            return Cost {
                operations: 2.0 * self.operations(),
                bytes: VALUE * (2.0 * read + 3.0 * written),
            };
        }
        let kept = if self.pooled { written / 4.0 } else { written };
        let bits = written / 32.0;
        let filters = 36.0 * self.channels_in * self.channels_out;
        // A transform writes a map which the product reads, and the other way round.
        let between = 2.0 * GROWTH * (read + written);
        Cost {
            operations: 2.0 * self.operations() / 4.0,
            bytes: VALUE * 2.0 * (read + kept + bits + between + filters),
        }
    }

    /// Gram matrix, and its gradient added to that of the layers above.
    fn loss(&self) -> Cost {
        if !self.style {
            return Cost::default();
        }
        let values = self.channels_out * self.pixels;
        Cost {
            operations: 2.0 * 2.0 * values * self.channels_out,
            // Read for the means, for the matrix and for the gradient; that written, read again,
            // and the sum written.
            bytes: VALUE * 7.0 * values,
        }
    }
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    if !(arguments.teraflops > 0.0 && arguments.bandwidth > 0.0) {
        return Err("--teraflops and --bandwidth are to be above 0".into());
    }
    for &size in &arguments.size {
        if size < 32 {
            return Err(format!("--size is {size}; allowed: whole numbers from 32 up").into());
        }
        print(&convolutions(size)?, size, arguments);
    }
    Ok(())
}

fn convolutions(size: usize) -> support::Result<Vec<Convolution>> {
    let network = Architecture::Vgg19;
    let deepest = network.layer("conv5_1")?;
    let mut channels_in = 3.0;
    let mut side = size;
    let mut found: Vec<Convolution> = Vec::new();
    for layer in network.up_to(deepest)? {
        let channels = network.geometry(layer, Padding::Reflect)?.channels as f64;
        if layer.has_weights() {
            found.push(Convolution {
                layer,
                channels_in,
                channels_out: channels,
                pixels: (side * side) as f64,
                pooled: false,
                style: layer.to_string().ends_with("_1"),
            });
            channels_in = channels;
        } else {
            side /= 2;
            if let Some(below) = found.last_mut() {
                below.pooled = true;
            }
        }
    }
    Ok(found)
}

fn print(convolutions: &[Convolution], size: usize, arguments: &Arguments) {
    println!("{size}x{size}, forward and backward\n");
    println!("| layer | sums: GFLOP | GB | Winograd: GFLOP | GB | loss: GFLOP | GB |");
    println!("|---|---|---|---|---|---|---|");
    let row = |name: &str, [direct, transformed, loss]: [Cost; 3]| {
        let pair = |cost: Cost| format!("{:.1} | {:.3}", cost.operations / 1e9, cost.bytes / 1e9);
        println!(
            "| {name} | {} | {} | {} |",
            pair(direct),
            pair(transformed),
            pair(loss)
        );
    };
    // Each layer waits for its operations or for its memory, whatever takes longer.
    let bound = |cost: Cost| {
        let computing = cost.operations / (arguments.teraflops * 1e12);
        computing.max(cost.bytes / (arguments.bandwidth * 1e9)) * 1e3
    };
    let mut bounds = [0.0; 3];
    let mut sums = [Cost::default(); 3];
    for convolution in convolutions {
        let costs = [
            convolution.direct(),
            convolution.transformed(),
            convolution.loss(),
        ];
        row(&convolution.layer.to_string(), costs);
        for (i, cost) in costs.into_iter().enumerate() {
            sums[i] = sums[i] + cost;
            bounds[i] += bound(cost);
        }
    }
    row("all", sums);
    let [direct, transformed, loss] = bounds;
    println!(
        "\nat {} teraflop/s and {} GB/s at least {:.2} ms by sums, {:.2} ms by Winograd\n",
        arguments.teraflops,
        arguments.bandwidth,
        direct + loss,
        transformed + loss,
    );
}

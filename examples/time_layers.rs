//! Times the layers of VGG-19 on a device, by the ways there are to compute them.

mod support;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ranvgg::{DeviceLayerBench, LayerWay, Precision, RandomVgg, device};

/// Time each kind of layer of VGG-19, forward and backward: by the kernels of this crate (own), by plain
/// sums (on GPUs Burn's convolution), and by a product with patches that are written out
#[derive(Parser)]
struct Arguments {
    /// Side of the square image in pixels
    #[arg(long, default_value_t = 256, value_name = "N")]
    size: usize,

    /// Device by name [default: the best]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,

    /// Computations that are timed together, after one that is not timed
    #[arg(long, default_value_t = 10, value_name = "N")]
    runs: usize,
}

/// Channels in, channels out, and by how much the image is smaller there.
const LAYERS: [(&str, usize, usize, usize); 9] = [
    ("conv1_1", 3, 64, 1),
    ("conv1_2", 64, 64, 1),
    ("conv2_1", 64, 128, 2),
    ("conv2_2", 128, 128, 2),
    ("conv3_1", 128, 256, 4),
    ("conv3_2", 256, 256, 4),
    ("conv4_1", 256, 512, 8),
    ("conv4_2", 512, 512, 8),
    ("conv5_1", 512, 512, 16),
];

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    if arguments.runs == 0 {
        return Err("--runs is 0; allowed: whole numbers from 1 up".into());
    }
    if arguments.size < 32 {
        return Err(format!("--size is {}; allowed: from 32 up", arguments.size).into());
    }
    let device = support::open_device(arguments.device.as_deref())?;
    let mut ways = vec![
        ("own", LayerWay::Own),
        ("plain", LayerWay::Plain),
        ("patches", LayerWay::Columns),
    ];
    let vgg = RandomVgg::vgg19().init(&device)?;
    if vgg.with_precision(Precision::Half).is_ok() {
        ways.insert(1, ("own, half", LayerWay::OwnHalf));
    }
    println!(
        "milliseconds of one layer, forward and backward, {0}x{0}, on {1}\n",
        arguments.size,
        device::name_of(&device)
    );
    let names: Vec<&str> = ways.iter().map(|(name, _)| *name).collect();
    println!("| layer | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(ways.len()));
    for (name, channels_in, channels_out, smaller) in LAYERS {
        let side = arguments.size / smaller;
        let mut cells = Vec::new();
        for (_, way) in &ways {
            let layer = DeviceLayerBench::new(*way, channels_in, channels_out, side, &device);
            let forward = milliseconds(arguments.runs, |times| layer.forward(times))?;
            let backward = milliseconds(arguments.runs, |times| layer.backward(times))?;
            cells.push(format!("{forward:.2} {backward:.2}"));
        }
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

/// Of one computation.
fn milliseconds(
    runs: usize,
    compute: impl Fn(usize) -> ranvgg::Result<()>,
) -> support::Result<f64> {
    compute(1)?;
    let start = Instant::now();
    compute(runs)?;
    Ok(start.elapsed().as_secs_f64() * 1e3 / runs as f64)
}

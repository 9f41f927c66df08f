//! `ranvgg time`: times one evaluation of the five-layer style loss, and its image gradient.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use ranvgg::objective::Objective;
use ranvgg::{Gram, Layer, Padding, Precision, RandomVgg, Size, Vgg, device};

use crate::failure::{Result, Status};
use crate::memory::{self, Need};
use crate::network::open_device;
use crate::{terminal, values};

/// Time one evaluation of a loss and its gradient on a device
///
/// The loss is that of the style of five layers of VGG-19.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Sides of the square image in pixels, one or several
    #[arg(long, num_args = 1.., default_values_t = [256, 512], value_name = "N", value_parser = values::side)]
    size: Vec<usize>,

    /// Device to compute on, as `ranvgg devices` lists them [default: the best]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,

    /// Timed evaluations of each size, after one that is not timed
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = values::repetitions)]
    runs: usize,

    /// How convolutions continue a picture beyond its edges; zero is what PyTorch's baseline does
    #[arg(long, default_value = "zero", value_name = "NAME", value_parser = ["zero", "reflect"])]
    padding: String,

    /// Numbers between layers: single; plain, which rounds less and is slower; or half, on GPUs
    #[arg(long, default_value = "single", value_name = "NAME", value_parser = values::name::<Precision>())]
    precision: Precision,

    /// On a GPU, also print the kernels of one evaluation, and their times when each is waited for
    #[arg(long)]
    kernels: bool,

    /// On a GPU, choose kernels by rule instead of trying out which are the fastest
    #[arg(long)]
    no_tuning: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Status> {
    if arguments.no_tuning {
        device::without_tuning()?;
    }
    let device = open_device(arguments.device.as_deref())?;
    let padding: Padding = arguments.padding.parse()?;
    terminal::print(&format!("on {}\n", described(&device)))?;
    let vgg = RandomVgg::vgg19().with_padding(padding).init(&device)?;
    let vgg = vgg.with_precision(arguments.precision)?;
    let names = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];
    let taps: ranvgg::Result<Vec<Layer>> = names.iter().map(|name| vgg.layer(name)).collect();
    let taps = taps?;
    for &size in &arguments.size {
        memory::check(
            ("an image", Size::square(size)),
            Need::NETWORK.whole(),
            &device,
            false,
        )?;
        let exemplar = picture(size, 0, &device);
        let mut objective = Objective::new(&vgg);
        for (layer, map) in vgg.features(exemplar, &taps)?.iter() {
            let target = Gram::of(map.clone())?;
            objective = objective.at_layer(layer.to_string(), layer, 1.0, target);
        }
        let mut whole = Vec::new();
        let mut forward = Vec::new();
        for run in 0..=arguments.runs {
            let image = picture(size, run + 1, &device);
            forward.push(seconds(|| time_forward(&vgg, image.clone(), &taps))?);
            whole.push(seconds(|| time_evaluation(&objective, image))?);
        }
        // The first one prepares weights and compiles shaders.
        let (whole, forward) = (sorted(&whole[1..]), sorted(&forward[1..]));
        terminal::print(&format!(
            "size {size} device {} threads {} evaluation median {:.6} s min {:.6} s forward median {:.6} s\n",
            device::name_of(&device),
            rayon::current_num_threads(),
            whole[whole.len() / 2],
            whole[0],
            forward[forward.len() / 2],
        ))?;
        if arguments.kernels {
            print_kernels(&objective, &picture(size, 0, &device))?;
        }
    }
    Ok(Status::Complete)
}

/// What a device is, in a line.
fn described(device: &Device) -> String {
    match device::info_of(device) {
        Some(info) => {
            let (name, adapter) = (info.name, info.adapter);
            format!("{name}: {adapter}, {}, {}", info.class, info.driver)
        }
        None => device::name_of(device),
    }
}

fn time_evaluation(objective: &Objective, image: Tensor<4>) -> Result<()> {
    let evaluation = objective.evaluate(image)?;
    wait(Tensor::cat(
        vec![evaluation.values, evaluation.gradient.sum()],
        0,
    ))
}

/// Reads the values, as the optimiser does. That ends after everything before it, on any device. Data that nobody
/// looks at may be there before the device has computed them.
fn wait(values: Tensor<1>) -> Result<()> {
    match values.try_into_vec_as::<f32>() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error:?}").into()),
    }
}

/// What one evaluation sends to a GPU.
fn print_kernels(objective: &Objective, image: &Tensor<4>) -> Result<()> {
    let evaluate = || time_evaluation(objective, image.clone());
    let (counted, launches) = device::launches(false, evaluate);
    counted?;
    let (timed, times) = device::launches(true, evaluate);
    timed?;
    let count: u64 = launches.iter().map(|kernel| kernel.count).sum();
    let kernels = launches.len();
    terminal::print(&format!("  {count} launches of {kernels} kernels\n"))?;
    for kernel in times {
        let seconds = kernel.seconds.unwrap_or(0.0);
        let (count, name) = (kernel.count, kernel.kernel);
        terminal::print(&format!("  {seconds:9.6} s {count:4} x {name}\n"))?;
    }
    Ok(())
}

fn time_forward(vgg: &Vgg, image: Tensor<4>, taps: &[Layer]) -> Result<()> {
    let (mut features, _trace) = vgg.forward(image, taps)?;
    let mut sums = Vec::new();
    for map in taps.iter().filter_map(|tap| features.take(*tap)) {
        sums.push(Gram::of(map)?.matrix().clone().sum());
    }
    wait(Tensor::cat(sums, 0))
}

fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// Something that is neither flat nor periodic; its content does not change the cost.
fn picture(size: usize, run: usize, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..3 * size * size)
        .map(|i| {
            ((i as f32 + run as f32) * 12.9898)
                .sin()
                .mul_add(43758.547, 0.0)
                .fract()
                .abs()
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 3, size, size]), device)
}

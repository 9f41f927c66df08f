//! Many runs in one process: memory and threads stay as they are, and results too, bit for bit.

use image::{DynamicImage, GrayImage, Luma};
use ranvgg::{
    Inpainting, InvertOptions, Outcome, Picture, RandomVgg, RunOptions, Scales, Size, Statistics,
    StyleOptions, TextureOptions, Vgg, device, invert, synthesize_texture, transfer_style,
};

use crate::allocations::live_bytes;
use crate::common::{bundled, layer};

/// A small run, by its number.
type Run = Box<dyn Fn() -> Outcome>;

fn options() -> RunOptions {
    let scales = Scales::Octaves {
        most: 1,
        smallest: 12,
    };
    RunOptions::default()
        .with_evaluations(4)
        .with_scales(scales)
}

fn by_layers() -> TextureOptions {
    TextureOptions::default()
        .with_statistics(Statistics::Gram)
        .with_layers(vec![layer("conv1_1"), layer("conv2_1")])
        .with_run(options())
}

/// Every task, each with either loop where it has both.
fn tasks() -> Vec<(&'static str, Run)> {
    let flex = device::by_name("flex").unwrap();
    let vgg = RandomVgg::vgg19().init(&flex).unwrap();
    let gravel = bundled("gravel.png", 28);
    let cat = bundled("cat.png", 28);
    let height: DynamicImage = DynamicImage::from(gravel.to_luma8());
    let maps = Picture::maps([cat.clone(), height]);
    let stacked = RandomVgg::vgg19().with_channels(maps.channels());
    let stacked = stacked.init(&flex).unwrap();
    let hole =
        |x: u32, y: u32| Luma([255 * u8::from((8..18).contains(&x) && (9..20).contains(&y))]);
    let hole: DynamicImage = GrayImage::from_fn(28, 28, hole).into();
    let resampled = || TextureOptions::default().with_run(options());
    let mut tasks: Vec<(&'static str, Run)> = Vec::new();
    let mut add = |name, run: Run| tasks.push((name, run));
    let texture = |vgg: &Vgg, picture: Picture, options: TextureOptions| -> Run {
        let vgg = vgg.clone();
        Box::new(move || synthesize_texture(&vgg, picture.clone(), &options, &mut ()).unwrap())
    };
    let gravel_picture = Picture::from(gravel.clone());
    let wider = resampled().with_size(Size::new(32, 24));
    add("a texture", texture(&vgg, gravel_picture.clone(), wider));
    add(
        "a texture by layers",
        texture(&vgg, gravel_picture.clone(), by_layers()),
    );
    let nearest = resampled().with_nearest_weight(1.0);
    add(
        "nearest patches",
        texture(&vgg, gravel_picture.clone(), nearest),
    );
    add("maps", texture(&stacked, maps, resampled()));
    let filling = Inpainting::new(gravel.clone(), hole);
    let fill = resampled().with_inpainting(filling.clone());
    add("a hole", texture(&vgg, gravel_picture.clone(), fill));
    let fill = by_layers().with_inpainting(filling);
    add("a hole by layers", texture(&vgg, gravel_picture, fill));
    let styles = [
        ("a style", StyleOptions::default().with_run(options())),
        (
            "a style by layers",
            StyleOptions::default()
                .with_statistics(Statistics::Distributions)
                .with_style_layers(vec![layer("conv1_1")])
                .with_content_layer(layer("conv2_1"))
                .with_run(options()),
        ),
    ];
    for (name, options) in styles {
        let (vgg, content, style) = (vgg.clone(), cat.clone(), gravel.clone());
        let run = move || {
            let made = transfer_style(&vgg, content.clone(), style.clone(), &options, &mut ());
            made.unwrap()
        };
        add(name, Box::new(run));
    }
    let inversion = InvertOptions::default().with_run(options());
    let run = move || invert(&vgg, cat.clone(), layer("conv2_1"), &inversion, &mut ()).unwrap();
    add("an inversion", Box::new(run));
    // A network that is made for the run, and goes with it.
    let gravel = gravel.clone();
    let run = move || {
        let vgg = RandomVgg::vgg16().init(&flex).unwrap();
        synthesize_texture(&vgg, gravel.clone(), &by_layers(), &mut ()).unwrap()
    };
    add("a network of its own", Box::new(run));
    tasks
}

/// Pages in memory, in bytes, and threads of this process.
#[cfg(target_os = "linux")]
fn process() -> (f64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |name: &str| -> usize {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    (1024.0 * number("VmRSS:") as f64, number("Threads:"))
}

/// Elsewhere only what is allocated is known.
#[cfg(not(target_os = "linux"))]
fn process() -> (f64, usize) {
    (1.0, 1)
}

/// What was seen after a run.
struct Seen {
    resident: f64,
    allocated: f64,
    threads: usize,
}

/// Makes `runs` runs, of each task in turn. After the first `warming` memory stays within `tolerance`.
fn soak(runs: usize, warming: usize, tolerance: f64) {
    let _alone = crate::alone();
    let tasks = tasks();
    let mut firsts: Vec<Option<Vec<u32>>> = vec![None; tasks.len()];
    // What is noted here does not grow.
    let mut seen = Vec::with_capacity(runs);
    for number in 0..runs {
        let (name, run) = &tasks[number % tasks.len()];
        let bits: Vec<u32> = run()
            .picture()
            .as_raw()
            .iter()
            .map(|v| v.to_bits())
            .collect();
        match &mut firsts[number % tasks.len()] {
            Some(first) => assert!(*first == bits, "{name}, run {number}, is another picture"),
            first => *first = Some(bits),
        }
        let (resident, threads) = process();
        seen.push(Seen {
            resident,
            allocated: live_bytes() as f64,
            threads,
        });
    }
    let steady = &seen[warming..];
    assert!(steady.len() >= 2 * tasks.len());
    assert!(
        steady.iter().all(|seen| seen.threads <= steady[0].threads),
        "there are more threads"
    );
    // The most over the first and over the last of the steady runs, one of each task at least: a run's own
    // memory, which depends on the task, is in both.
    let part = (steady.len() / 4).max(tasks.len());
    let most = |part: &[Seen], of: fn(&Seen) -> f64| part.iter().map(of).fold(0.0, f64::max);
    // The system gives memory in pages and the allocator keeps some; what is allocated is exact.
    for (what, tolerance, of) in [
        (
            "resident",
            tolerance,
            (|seen| seen.resident) as fn(&Seen) -> f64,
        ),
        ("allocated", 1e-4, |seen| seen.allocated),
    ] {
        let (first, last) = (
            most(&steady[..part], of),
            most(&steady[steady.len() - part..], of),
        );
        println!(
            "{what}: {:.0} KiB to {:.0} KiB, {:+.3} %",
            first / 1024.0,
            last / 1024.0,
            100.0 * (last / first - 1.0)
        );
        assert!(last <= first * (1.0 + tolerance), "{what} memory grows");
    }
    println!("{} threads", steady[0].threads);
}

#[test]
fn a_few_runs_leave_nothing_behind() {
    soak(30, 10, 0.03);
}

/// A quarter of a minute: `cargo test --release --features cli --test alone -- --ignored --nocapture a_thousand`.
#[test]
#[ignore = "long"]
fn a_thousand_runs_leave_nothing_behind() {
    soak(1000, 200, 0.01);
}

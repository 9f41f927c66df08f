//! Runs that are interrupted go on from their checkpoints and end with the same bits.

mod damage;
mod killed;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use ranvgg::run::{Checkpoint, StopReason};
use ranvgg::{
    Colours, Control, Error, Exemplars, Inpainting, InvertOptions, Observer, Outcome, Padding,
    Progress, RandomVgg, Result, RunOptions, Scales, Size, Statistics, StyleOptions,
    TextureOptions, Vgg, invert, synthesize_texture, transfer_style,
};

use crate::common::{bundled, flex, gpu_device, layer, left_half, network};

/// A task with its inputs, waiting for options of the run and an observer.
type Task = Box<dyn Fn(RunOptions, &mut dyn Observer) -> Result<Outcome>>;

const TWO_SCALES: Scales = Scales::Octaves {
    most: 2,
    smallest: 16,
};

fn gravel(width: u32, height: u32) -> DynamicImage {
    bundled("gravel.png", 64).crop_imm(0, 0, width, height)
}

fn wrapping() -> Vgg {
    let network = RandomVgg::vgg19().with_padding(Padding::Circular);
    network.init(&flex()).unwrap()
}

/// A picture that repeats itself every 12 columns and 8 rows.
fn bricks() -> DynamicImage {
    let brick = |x: u32, y: u32| match (x + 6 * (y / 8 % 2)) % 12 < 2 || y % 8 < 2 {
        true => Rgb([210, 200, 190]),
        false => Rgb([150 + (x * 7 + y * 3) as u8 % 9, 60, 40]),
    };
    RgbImage::from_fn(60, 48, brick).into()
}

fn hole(width: u32, height: u32) -> DynamicImage {
    let inside = |x: u32, y: u32| (8..width - 8).contains(&x) && (6..height - 6).contains(&y);
    let mask = GrayImage::from_fn(width, height, |x, y| Luma([255 * u8::from(inside(x, y))]));
    mask.into()
}

/// Every task, with both loops and every option that keeps something.
fn tasks() -> Vec<(&'static str, Task)> {
    let mut tasks: Vec<(&'static str, Task)> = Vec::new();
    tasks.push(("an inversion", Box::new(inversion)));
    tasks.push((
        "statistics of a network, with a hole and bounds",
        Box::new(|run, observer| {
            let options = TextureOptions::default()
                .with_statistics(Statistics::Whitened)
                .with_total_variation_weight(0.1)
                .with_inpainting(Inpainting::new(gravel(48, 40), hole(48, 40)))
                .with_run(run.with_scales(TWO_SCALES).with_bounds((0.0, 1.0)));
            synthesize_texture(&wrapping(), gravel(40, 36), &options, observer)
        }),
    ));
    tasks.push((
        "a style by statistics of a network, with a mask",
        Box::new(|run, observer| {
            let options = StyleOptions::default()
                .with_statistics(Statistics::Distributions)
                .with_content_mask(left_half(40, 36))
                .with_colours(Colours::Matched)
                .with_run(run.with_scales(TWO_SCALES));
            let content = bundled("cat.png", 40);
            transfer_style(&network(), content, gravel(36, 40), &options, observer)
        }),
    ));
    tasks.push(("nearest patches", Box::new(nearest_patches)));
    tasks.push((
        "periods, wrapped",
        Box::new(|run, observer| {
            let options = TextureOptions::default()
                .with_size(Size::new(52, 44))
                .with_steps_per_draw(2)
                .with_run(run);
            synthesize_texture(&wrapping(), bricks(), &options, observer)
        }),
    ));
    tasks.push((
        "a mixture in a hole, with bounds",
        Box::new(|run, observer| {
            let mixture =
                Exemplars::mixture([(gravel(40, 40), 1.0), (bundled("cat.png", 44), 2.0)]);
            let options = TextureOptions::default()
                .with_inpainting(Inpainting::new(gravel(48, 40), hole(48, 40)))
                .with_run(run.with_bounds((0.0, 1.0)));
            synthesize_texture(&network(), mixture, &options, observer)
        }),
    ));
    tasks.push((
        "a painting with regions and a mask, in luminance",
        Box::new(|run, observer| {
            let options = StyleOptions::default()
                .with_content_mask(hole(56, 60))
                .with_colours(Colours::Luminance)
                .with_run(run.with_scales(TWO_SCALES));
            let styles = Exemplars::regions([(Exemplars::from(gravel(48, 48)), left_half(56, 60))]);
            let content = bundled("cat.png", 56);
            transfer_style(&network(), content, styles, &options, observer)
        }),
    ));
    tasks
}

fn inversion(run: RunOptions, observer: &mut dyn Observer) -> Result<Outcome> {
    let options = InvertOptions::default().with_run(run.with_scales(TWO_SCALES));
    invert(
        &network(),
        gravel(44, 36),
        layer("conv2_1"),
        &options,
        observer,
    )
}

fn nearest_patches(run: RunOptions, observer: &mut dyn Observer) -> Result<Outcome> {
    let options = TextureOptions::default()
        .with_nearest_weight(1.0)
        .with_run(run.with_scales(TWO_SCALES));
    synthesize_texture(&network(), gravel(48, 44), &options, observer)
}

/// Evaluations of the runs here; at each of two or three sizes more than two searches of patches.
const EVALUATIONS: usize = 48;

fn options() -> RunOptions {
    RunOptions::default().with_evaluations(EVALUATIONS)
}

fn saving(path: &Path) -> RunOptions {
    options().with_checkpoint(Checkpoint::new(path).with_every(Duration::ZERO))
}

/// Stops, or panics, after that many evaluations.
fn ends_at(evaluation: usize, panics: bool) -> impl FnMut(&Progress<'_>) -> Control {
    move |progress| {
        if progress.evaluation < evaluation {
            return Control::Continue;
        }
        assert!(!panics, "the observer panics");
        Control::Stop
    }
}

/// All that a run finds, without its times.
#[derive(Debug, PartialEq)]
struct Found {
    picture: Vec<u32>,
    records: Vec<(usize, usize, Vec<u64>)>,
    counts: [usize; 3],
    names: Vec<String>,
    stop: StopReason,
}

fn found(outcome: &Outcome) -> Found {
    let bits = |value: &f32| value.to_bits();
    let records = outcome.records().iter().map(|record| {
        let terms = record.terms.iter().map(|term| term.to_bits()).collect();
        (record.scale, record.evaluation, terms)
    });
    Found {
        picture: outcome.picture().as_raw().iter().map(bits).collect(),
        records: records.collect(),
        counts: [
            outcome.evaluations(),
            outcome.iterations(),
            outcome.restarts(),
        ],
        names: outcome.term_names().to_vec(),
        stop: outcome.stop_reason(),
    }
}

/// Equality without printing a hundred thousand numbers.
#[track_caller]
fn assert_same(what: &str, outcome: &Outcome, whole: &Found) {
    let found = found(outcome);
    assert_eq!(found.counts, whole.counts, "{what}");
    assert_eq!(found.stop, whole.stop, "{what}");
    for (a, b) in found.records.iter().zip(&whole.records) {
        assert_eq!(a, b, "{what}");
    }
    assert!(found.picture == whole.picture, "{what}: another picture");
    assert!(found == *whole, "{what}");
    assert!(outcome.checkpoint_failure().is_none(), "{what}");
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let folder = Folder::new();
    for (name, task) in tasks() {
        let whole = found(&task(options(), &mut ()).unwrap());
        let path = folder.file("stopped.safetensors");
        for evaluation in [1, 2, 13, 26, 33, 41, EVALUATIONS] {
            let what = format!("{name}, stopped at {evaluation}");
            let stopped = task(saving(&path), &mut ends_at(evaluation, false)).unwrap();
            assert_eq!(stopped.evaluations(), evaluation, "{what}");
            let resumed = task(options().with_resume(&path), &mut ()).unwrap();
            assert_same(&what, &resumed, &whole);
        }
    }
}

#[test]
fn a_run_that_broke_off_goes_on_again_and_again() {
    let folder = Folder::new();
    for (name, task) in tasks() {
        let whole = found(&task(options(), &mut ()).unwrap());
        let path = folder.file(&format!("{name}.safetensors"));
        for evaluation in [2, 3, 14, 30, 47] {
            let mut run = saving(&path);
            if path.exists() {
                run = run.with_resume(&path);
            }
            let broken = catch_unwind(AssertUnwindSafe(|| {
                task(run, &mut ends_at(evaluation, true))
            }));
            assert!(broken.is_err(), "{name}, {evaluation}");
        }
        let mut seen = Vec::new();
        let mut observer = |progress: &Progress<'_>| {
            seen.push(progress.evaluation);
            Control::Continue
        };
        let resumed = task(saving(&path).with_resume(&path), &mut observer).unwrap();
        assert_same(name, &resumed, &whole);
        // Every evaluation is seen at least once: the one at which the observer panicked, again.
        assert_eq!(seen, [47, 48], "{name}");
        // A finished run has nothing to do.
        let again = task(saving(&path).with_resume(&path), &mut ends_at(0, true)).unwrap();
        assert_same(name, &again, &whole);
    }
}

#[test]
fn a_finished_run_goes_on_with_more_evaluations() {
    let folder = Folder::new();
    let path = folder.file("run.safetensors");
    let single = |evaluations: usize| {
        let run = RunOptions::default()
            .with_scales(Scales::Single)
            .with_evaluations(evaluations);
        InvertOptions::default().with_run(run)
    };
    let make = |options: &InvertOptions| {
        invert(
            &network(),
            gravel(32, 32),
            layer("conv1_2"),
            options,
            &mut (),
        )
        .unwrap()
    };
    let mut few = single(12);
    few.run.checkpoint = Some(Checkpoint::new(&path));
    make(&few);
    let mut more = single(20);
    more.run.resume = Some(path.clone());
    assert_same("an inversion", &make(&more), &found(&make(&single(20))));

    let few = options().with_checkpoint(Checkpoint::new(&path));
    nearest_patches(few, &mut ()).unwrap();
    let more = || options().with_evaluations(60).with_resume(&path);
    let first = nearest_patches(more(), &mut ()).unwrap();
    assert!((49..=60).contains(&first.evaluations()));
    assert_eq!(first.records().len(), first.evaluations());
    let second = nearest_patches(more(), &mut ()).unwrap();
    assert_same("patches", &second, &found(&first));
    // Fewer than were made: nothing is left to do.
    let fewer = options().with_evaluations(10).with_resume(&path);
    let outcome = inversion(fewer.clone(), &mut ());
    assert!(matches!(outcome, Err(Error::OtherRun { .. })));
    let outcome = nearest_patches(fewer, &mut ends_at(0, true)).unwrap();
    assert_eq!(outcome.evaluations(), EVALUATIONS);
}

#[test]
fn the_picture_of_a_checkpoint_starts_a_larger_run() {
    let folder = Folder::new();
    let path = folder.file("run.safetensors");
    let outcome = nearest_patches(saving(&path), &mut ends_at(40, false)).unwrap();
    let picture = Checkpoint::picture(&path, &flex()).unwrap();
    assert_eq!(picture.size(), Size::new(48, 44));
    let ranvgg::Picture::Tensor(tensor) = &picture else {
        panic!("no tensor");
    };
    let (found, expected) = (tensor.to_data(), outcome.tensor().to_data());
    assert_eq!(found, expected);
    let options = TextureOptions::default()
        .with_start_picture(picture)
        .with_size(Size::square(80))
        .with_evaluations(6);
    let larger = synthesize_texture(&network(), gravel(48, 44), &options, &mut ()).unwrap();
    assert_eq!(larger.image().width(), 80);
}

#[test]
fn another_run_is_refused_by_what_differs() {
    let folder = Folder::new();
    let path = folder.file("run.safetensors");
    nearest_patches(saving(&path), &mut ends_at(3, false)).unwrap();
    let resume = || options().with_resume(&path);
    let texture = |seed: u64, exemplar: DynamicImage, options: TextureOptions| {
        let vgg = RandomVgg::vgg19().with_seed(seed).init(&flex()).unwrap();
        let options = options.with_nearest_weight(1.0);
        synthesize_texture(&vgg, exemplar, &options, &mut ())
    };
    let same = || TextureOptions::default().with_run(resume().with_scales(TWO_SCALES));
    let exemplar = || gravel(48, 44);
    let mut other_pixel = exemplar().to_rgb8();
    other_pixel.get_pixel_mut(3, 5)[1] ^= 1;
    let start = same().with_start_picture(exemplar());
    let hole = Inpainting::new(exemplar(), hole(48, 44));
    let cases = [
        (
            "options.run.seed",
            texture(0, exemplar(), same().with_seed(3)),
        ),
        ("options.run.bounds", {
            let run = resume().with_scales(TWO_SCALES).with_bounds((0.0, 1.0));
            texture(0, exemplar(), same().with_run(run))
        }),
        (
            "options.periods",
            texture(0, exemplar(), same().with_periods(false)),
        ),
        ("the exemplar", texture(0, other_pixel.into(), same())),
        ("the starting picture", texture(0, exemplar(), start)),
        (
            "the mask",
            texture(0, exemplar(), same().with_inpainting(hole)),
        ),
        ("network.weights.seed", texture(1, exemplar(), same())),
        ("task", inversion(resume(), &mut ())),
    ];
    for (expected, outcome) in cases {
        match outcome {
            Err(Error::OtherRun { what, .. }) => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let seed = texture(0, exemplar(), same().with_seed(3)).unwrap_err();
    let path = path.display();
    assert_eq!(
        seed.to_string(),
        format!("cannot go on from `{path}`: options.run.seed is 3; the checkpoint has 0")
    );
    // These may differ.
    let limit = same().with_time_limit(Duration::from_secs(1000));
    assert!(texture(0, exemplar(), limit.with_evaluations(5)).is_ok());
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_nothing() {
    let folder = Folder::new();
    let inside = folder.file("inside");
    std::fs::create_dir(&inside).unwrap();
    let path = inside.join("run.safetensors");
    for task in [inversion, nearest_patches] {
        let mut observer = |progress: &Progress<'_>| {
            if progress.evaluation == 3 {
                std::fs::remove_dir_all(&inside).unwrap();
            }
            Control::Continue
        };
        let outcome = task(saving(&path).with_evaluations(8), &mut observer).unwrap();
        assert_eq!(outcome.stop_reason(), StopReason::Evaluations);
        let failure = outcome.checkpoint_failure().unwrap();
        assert!(failure.to_string().contains("inside"), "{failure}");
        // Known before the run begins, it is an error.
        let refused = task(saving(&path), &mut ends_at(0, true));
        assert!(matches!(refused, Err(Error::Output { .. })));
        std::fs::create_dir(&inside).unwrap();
    }
}

/// A GPU that is lost leaves a checkpoint, which goes on on the processor; and the other way round.
#[test]
fn a_run_goes_on_on_another_device() {
    let Some((_, gpu)) = gpu_device() else {
        return;
    };
    let folder = Folder::new();
    let (cpu, gpu) = (network(), RandomVgg::vgg19().init(&gpu).unwrap());
    let run = |vgg: &Vgg, run: RunOptions, observer: &mut dyn Observer| {
        let options = InvertOptions::default().with_run(run.with_scales(TWO_SCALES));
        invert(vgg, gravel(44, 36), layer("conv1_2"), &options, observer).unwrap()
    };
    let whole = run(&cpu, options(), &mut ());
    for (begins, ends) in [(&cpu, &gpu), (&gpu, &cpu)] {
        let path = folder.file("run");
        run(begins, saving(&path), &mut ends_at(30, false));
        let ended = run(ends, options().with_resume(&path), &mut ());
        assert_eq!(ended.evaluations(), whole.evaluations());
        let [a, b] = [&ended, &whole].map(|it| it.records().last().unwrap().loss());
        assert!((a / b - 1.0).abs() < 0.2, "{a} and {b}");
    }
}

/// What a checkpoint costs: `cargo test --release --test suite -- checkpointing::cost --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_at_512() {
    let folder = Folder::new();
    let path = folder.file("run.safetensors");
    let exemplar = bundled("gravel.png", 256);
    let size = Size::square(512);
    for (statistics, nearest) in [
        (Statistics::Whitened, 0.0),
        (Statistics::Resampled, 0.0),
        (Statistics::Resampled, 1.0),
    ] {
        // More than a history of pairs.
        let make = |run: RunOptions| {
            let options = TextureOptions::default()
                .with_statistics(statistics)
                .with_size(size)
                .with_nearest_weight(nearest)
                .with_run(run.with_scales(Scales::Single).with_evaluations(14));
            let begun = Instant::now();
            synthesize_texture(&network(), &exemplar, &options, &mut ()).unwrap();
            begun.elapsed().as_millis()
        };
        let saving = options().with_checkpoint(Checkpoint::new(&path));
        make(saving.clone());
        let bytes = std::fs::metadata(&path).unwrap().len();
        // A finished run has no evaluations to make: it reads the checkpoint, or reads and writes it.
        let mut times = [(); 5].map(|()| {
            let read = make(options().with_resume(&path));
            (read, make(saving.clone().with_resume(&path)))
        });
        times.sort_unstable();
        let (read, both) = times[2];
        println!(
            "{statistics}, nearest weight {nearest}: {bytes} bytes; ms: {read} to read, {both} to read and write"
        );
    }
}

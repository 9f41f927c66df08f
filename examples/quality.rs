//! Judges textures: makes them from a folder of exemplars, measures them, and shows them side by
//! side on one page. With `benches/judge.py` run between two runs of it, the page has a trained
//! network's judgement as well.

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use image::DynamicImage;
use image::imageops::{self, FilterType};
use indicatif::ProgressBar;
use ranvgg::imaging::{self, Limits};
use ranvgg::metrics::{Novelty, filter_responses, novelty, order, seam, sliced_wasserstein};
use ranvgg::{IfExists, Padding, RandomVgg, Statistics, TextureOptions, Vgg, synthesize_texture};
use serde::{Deserialize, Serialize};
use support::html::{self, escaped};

/// Make textures from a folder of exemplars and judge them: CSV, PNG sheet, HTML page
#[derive(Parser)]
struct Arguments {
    /// Folder of exemplars (.png, .jpg, .tif)
    exemplars: PathBuf,

    /// Folder to write to; pictures found there already are measured, not made again
    #[arg(short, long, default_value = "quality")]
    output: PathBuf,

    /// What to compare
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "resampled,whitened,paper"
    )]
    presets: Vec<Preset>,

    /// Seeds, each of a network and of a starting noise
    #[arg(long, value_delimiter = ',', default_value = "0,1,2")]
    seeds: Vec<u64>,

    /// Side of exemplars (their shorter side is resized, the centre cut out) and results
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(56..=4096))]
    side: u32,

    /// Evaluations of each run [default: the preset's own]
    #[arg(long)]
    evaluations: Option<usize>,

    /// Device: flex, wgpu, ... (`ranvgg devices` lists them)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// The default: distributions along resampled filters
    Resampled,
    /// The same, with a pull to the exemplar's nearest patches
    Nearest,
    /// Resampled filters that stay the same for ten steps
    Held,
    /// Filters that are drawn once: a fixed network of one layer
    Fixed,
    /// Means and whitened covariances
    Whitened,
    /// Means and plain covariances
    Moments,
    /// Means and distributions of features
    Distributions,
    /// Gram matrices on every octave
    Gram,
    /// The published form: Gram matrices of five layers, one scale, zero padding
    Paper,
    /// The default, of a result that tiles
    Tile,
}

impl Preset {
    fn name(self) -> String {
        match self.to_possible_value() {
            Some(value) => value.get_name().into(),
            None => unreachable!("no preset is hidden"),
        }
    }

    fn padding(self) -> Padding {
        match self {
            Self::Paper => Padding::Zero,
            Self::Tile => Padding::Circular,
            _ => Padding::Reflect,
        }
    }

    fn options(self, vgg: &Vgg) -> TextureOptions {
        let statistics = match self {
            Self::Paper => return TextureOptions::paper(vgg),
            Self::Resampled | Self::Nearest | Self::Held | Self::Fixed | Self::Tile => {
                Statistics::Resampled
            }
            Self::Whitened => Statistics::Whitened,
            Self::Moments => Statistics::Moments,
            Self::Distributions => Statistics::Distributions,
            Self::Gram => Statistics::Gram,
        };
        TextureOptions::default()
            .with_statistics(statistics)
            .with_steps_per_draw(match self {
                Self::Held => 10,
                Self::Fixed => usize::MAX,
                _ => 1,
            })
            .with_nearest_weight(if self == Self::Nearest { 1.0 } else { 0.0 })
    }
}

/// One picture and what was measured of it.
#[derive(Clone, Serialize)]
struct Row {
    exemplar: String,
    preset: String,
    seed: u64,
    sliced_wasserstein: f64,
    filter_responses: f64,
    correlation: f64,
    coherent: f64,
    in_place: f64,
    order_of_luminance: f64,
    order_of_edges: f64,
    seam: f64,
    seconds: Option<f64>,
    /// By `benches/judge.py`, where it was run.
    judge: Option<f64>,
}

/// What an earlier run, or the judge, left of a picture.
#[derive(Deserialize)]
struct Known {
    exemplar: String,
    preset: String,
    seed: u64,
    #[serde(default)]
    seconds: Option<f64>,
    #[serde(default)]
    judge: Option<f64>,
}

/// The rows of a table in the output folder; none if there is no such file.
fn known(path: &Path) -> support::Result<Vec<Known>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let rows: Result<Vec<Known>, csv::Error> =
        csv::Reader::from_path(path)?.deserialize().collect();
    Ok(rows.map_err(|error| format!("`{}`: {error}", path.display()))?)
}

fn main() -> ExitCode {
    support::report(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> support::Result<()> {
    let exemplars = exemplars(&arguments.exemplars, arguments.side)?;
    let device = support::open_device(arguments.device.as_deref())?;
    for folder in ["exemplars", "results"] {
        std::fs::create_dir_all(arguments.output.join(folder))?;
    }
    for (name, exemplar) in &exemplars {
        let path = arguments
            .output
            .join("exemplars")
            .join(format!("{name}.png"));
        imaging::save(exemplar, path, IfExists::Replace)?;
    }
    let before = known(&arguments.output.join("quality.csv"))?;
    let judged = known(&arguments.output.join("judge.csv"))?;
    let runs = exemplars.len() * arguments.presets.len() * arguments.seeds.len();
    let bar = ProgressBar::new(runs as u64);
    let mut rows = Vec::new();
    let mut pictures = Vec::new();
    for &preset in &arguments.presets {
        for &seed in &arguments.seeds {
            let network = RandomVgg::vgg19()
                .with_seed(seed)
                .with_padding(preset.padding())
                .init(&device)?;
            let mut options = preset.options(&network);
            options.run.seed = seed;
            options.run.evaluations = arguments.evaluations;
            for (name, exemplar) in &exemplars {
                let file = format!("{name}-{}-{seed}.png", preset.name());
                let path = arguments.output.join("results").join(file);
                let of_picture = |known: &&Known| {
                    known.exemplar == *name && known.preset == preset.name() && known.seed == seed
                };
                let mut judge = judged.iter().find(of_picture).and_then(|known| known.judge);
                let seconds = if path.exists() {
                    let before = before.iter().find(of_picture);
                    before.and_then(|known| known.seconds)
                } else {
                    judge = None;
                    let outcome = synthesize_texture(&network, exemplar, &options, &mut ())?;
                    imaging::save(&outcome.image(), &path, IfExists::Refuse)?;
                    Some(outcome.elapsed().as_secs_f64())
                };
                let picture = imaging::open(&path, Limits::default())?;
                rows.push(Row {
                    seconds,
                    judge,
                    ..measure(name, exemplar, preset, seed, &picture)?
                });
                pictures.push(picture);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    write_csv(&arguments.output.join("quality.csv"), &rows)?;
    let sheet = sheet(&exemplars, arguments, &pictures);
    imaging::save(
        &sheet,
        arguments.output.join("sheet.png"),
        IfExists::Replace,
    )?;
    let page = page(&exemplars, arguments, &rows, &pictures)?;
    std::fs::write(arguments.output.join("index.html"), page)?;
    print!("{}", table(arguments, &rows));
    println!("{}", arguments.output.join("index.html").display());
    Ok(())
}

/// The pictures of a folder by name, squares of one size.
fn exemplars(folder: &Path, side: u32) -> support::Result<Vec<(String, DynamicImage)>> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let readable = ["png", "jpg", "jpeg", "tif", "tiff"];
        if !ending.is_some_and(|ending| readable.contains(&ending.to_lowercase().as_str())) {
            continue;
        }
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        let image = imaging::open(&path, Limits::default())?;
        let square = image.resize_to_fill(side, side, FilterType::Lanczos3);
        found.push((name.to_owned(), square));
    }
    if found.is_empty() {
        return Err(format!("`{}` has no .png, .jpg or .tif files", folder.display()).into());
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn measure(
    name: &str,
    exemplar: &DynamicImage,
    preset: Preset,
    seed: u64,
    picture: &DynamicImage,
) -> support::Result<Row> {
    let (exemplar, result) = (exemplar.to_rgb32f(), picture.to_rgb32f());
    let Novelty {
        correlation,
        coherent,
        in_place,
    } = novelty(&exemplar, &result)?;
    let order = order(&exemplar, &result)?;
    Ok(Row {
        exemplar: name.into(),
        preset: preset.name(),
        seed,
        sliced_wasserstein: sliced_wasserstein(&exemplar, &result)?,
        filter_responses: filter_responses(&exemplar, &result)?,
        correlation,
        coherent,
        in_place,
        order_of_luminance: order.luminance,
        order_of_edges: order.gradient,
        seam: seam(&result)?,
        seconds: None,
        judge: None,
    })
}

fn write_csv(path: &Path, rows: &[Row]) -> support::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    Ok(())
}

/// One line for each preset and exemplar, and for each preset over all: means and spreads over
/// seeds.
fn table(arguments: &Arguments, rows: &[Row]) -> String {
    let mut text = format!(
        "{:<14} {:<16} {:>6} {:>15} {:>9} {:>6} {:>6} {:>6} {:>13} {:>5} {:>7}\n",
        "preset",
        "exemplar",
        "judge",
        "swd (spread)",
        "filters",
        "corr.",
        "coher.",
        "place",
        "order (edges)",
        "seam",
        "seconds"
    );
    for preset in &arguments.presets {
        let of_preset: Vec<&Row> = rows.iter().filter(|r| r.preset == preset.name()).collect();
        let mut names: Vec<&str> = of_preset.iter().map(|row| row.exemplar.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let rows: Vec<&Row> = of_preset
                .iter()
                .filter(|row| row.exemplar == name)
                .copied()
                .collect();
            line(&mut text, &preset.name(), name, &rows);
        }
        line(&mut text, &preset.name(), "all", &of_preset);
    }
    text
}

fn line(text: &mut String, preset: &str, name: &str, rows: &[&Row]) {
    let mean =
        |value: fn(&Row) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / rows.len() as f64;
    // Of those that have it.
    let some = |width: usize, digits: usize, value: fn(&Row) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(|row| value(row)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        match values.is_empty() {
            true => format!("{:>width$}", "-"),
            false => format!("{mean:>width$.digits$}"),
        }
    };
    let distances = rows.iter().map(|row| row.sliced_wasserstein);
    let (least, most) = distances.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{preset:<14} {name:<16} {} {:>7.3} ({:>5.3}) {:>9.3} {:>6.2} {:>6.2} {:>6.3} {:>5.3} ({:>5.3}) {:>5.2} {}",
        some(6, 3, |row| row.judge),
        mean(|row| row.sliced_wasserstein),
        most - least,
        mean(|row| row.filter_responses),
        mean(|row| row.correlation),
        mean(|row| row.coherent),
        mean(|row| row.in_place),
        mean(|row| row.order_of_luminance),
        mean(|row| row.order_of_edges),
        mean(|row| row.seam),
        some(7, 1, |row| row.seconds),
    );
}

/// Exemplars in the first column, then each preset's result of the first seed.
fn sheet(
    exemplars: &[(String, DynamicImage)],
    arguments: &Arguments,
    pictures: &[DynamicImage],
) -> DynamicImage {
    const GAP: u32 = 4;
    let (columns, step) = (arguments.presets.len() as u32 + 1, arguments.side + GAP);
    let mut sheet = image::RgbImage::from_pixel(
        columns * step - GAP,
        exemplars.len() as u32 * step - GAP,
        image::Rgb([255; 3]),
    );
    for (row, (_, exemplar)) in (0..).zip(exemplars) {
        imageops::replace(&mut sheet, &exemplar.to_rgb8(), 0, row * i64::from(step));
        let of_preset = pictures.chunks(exemplars.len() * arguments.seeds.len());
        for (column, pictures) in (1..).zip(of_preset) {
            let (x, y) = (column * i64::from(step), row * i64::from(step));
            imageops::replace(&mut sheet, &pictures[row as usize].to_rgb8(), x, y);
        }
    }
    sheet.into()
}

/// A page that needs no other file.
fn page(
    exemplars: &[(String, DynamicImage)],
    arguments: &Arguments,
    rows: &[Row],
    pictures: &[DynamicImage],
) -> support::Result<String> {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Textures</title>\n\
         <style>body{font:14px sans-serif;margin:2em}figure{display:inline-block;margin:4px}\
         figcaption{font-size:12px;color:#555}pre{font-size:12px}</style>\n<h1>Textures</h1>\n",
    );
    write!(page, "<pre>{}</pre>", escaped(&table(arguments, rows)))?;
    for (name, exemplar) in exemplars {
        write!(page, "<h2>{}</h2>\n<p>", escaped(name))?;
        figure(&mut page, exemplar, "exemplar")?;
        for preset in &arguments.presets {
            page.push_str("</p>\n<p>");
            let shown = rows.iter().zip(pictures);
            for (row, picture) in
                shown.filter(|(row, _)| row.exemplar == *name && row.preset == preset.name())
            {
                let judge = row.judge.map(|judge| format!("judge {judge:.3}, "));
                let caption = format!(
                    "{} {}: {}order {:.3}, coherent {:.2}",
                    row.preset,
                    row.seed,
                    judge.unwrap_or_default(),
                    row.order_of_luminance,
                    row.coherent
                );
                figure(&mut page, picture, &caption)?;
            }
        }
        page.push_str("</p>\n");
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn figure(page: &mut String, picture: &DynamicImage, caption: &str) -> support::Result<()> {
    let (image, caption) = (html::image(picture, caption)?, escaped(caption));
    writeln!(
        page,
        "<figure>{image}<figcaption>{caption}</figcaption></figure>"
    )?;
    Ok(())
}

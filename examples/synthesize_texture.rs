//! Makes a texture like a given one, at any size.

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ranvgg::{
    Exemplars, Inpainting, Padding, Picture, Size, TextureOptions, Vgg, imaging, synthesize_texture,
};

/// Make a texture like a given picture, through a network that was never trained
#[derive(Parser)]
struct Arguments {
    /// Pictures of a texture (.png, .jpg, .tif); of several a mixture is made [default: gravel, from
    /// the crate]
    inputs: Vec<PathBuf>,

    /// Another map of the input's surface, made together with it: give it once for each (normals,
    /// height, roughness, ...); of -o out.png, the one made like height.png is out-height.png
    #[arg(long = "map", value_name = "PICTURE", conflicts_with_all = ["fill", "weights", "guide", "sixteen"])]
    maps: Vec<PathBuf>,

    /// Size of the result: N or WxH [default: that of the first input; 256 without input]
    #[arg(long, value_parser = support::parse_size, value_name = "WxH")]
    size: Option<Size>,

    /// Size of the exemplar in the texture, as a factor [default: 1, less for an exemplar much larger
    /// than the result]
    #[arg(long, value_name = "FACTOR")]
    exemplar_scale: Option<f64>,

    /// Do not look for periods of an exemplar that repeats itself (rows of bricks, tiles, weaves)
    #[arg(long)]
    no_periods: bool,

    /// How strongly patches are pulled to the exemplar's nearest ones: 1 for flowers, leaves and other
    /// things with parts; takes twice the time
    #[arg(long, default_value_t = 0.0, value_name = "W")]
    nearest_weight: f64,

    /// Layers of the network whose statistics are matched, separated by commas
    #[arg(long, value_name = "A,B,C")]
    layers: Option<String>,

    /// Weight of the total variation, in units of one layer: more is smoother
    #[arg(long, default_value_t = 0.0, value_name = "W")]
    tv_weight: f64,

    /// The published form: Gram matrices of five layers at one scale
    #[arg(long, conflicts_with = "statistics")]
    paper: bool,

    /// Make a result that tiles: short for --padding circular
    #[arg(long, conflicts_with = "padding")]
    tile: bool,

    /// Picture to fill in: what is black in --mask stays as it is
    #[arg(
        long,
        value_name = "PICTURE",
        requires = "mask",
        conflicts_with = "size"
    )]
    fill: Option<PathBuf>,

    /// Mask of --fill, of the same size: white is made anew
    #[arg(long, value_name = "PICTURE", requires = "fill")]
    mask: Option<PathBuf>,

    /// Make so many, of seeds that follow one another, into files numbered by their seed
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    variations: u64,

    #[command(flatten)]
    sources: support::Sources,

    #[command(flatten)]
    common: support::Common,
}

fn main() -> ExitCode {
    support::report(run(Arguments::parse()))
}

fn run(mut arguments: Arguments) -> support::Result<()> {
    if arguments.tile {
        arguments.common.padding = Some(Padding::Circular);
    }
    let common = &arguments.common;
    let output = common.output("texture.png")?;
    let seeds: Vec<u64> = (common.seed..)
        .take(arguments.variations as usize)
        .collect();
    let outputs = outputs(&arguments, &output, &seeds)?;
    let (exemplars, channels) = exemplars(&arguments)?;
    let vgg = common.network(channels)?;
    let mut options = options(&arguments, &vgg)?;
    say_scales(&arguments, &options);
    let mut watch = common.watch()?;
    for (seed, files) in seeds.into_iter().zip(&outputs) {
        options.run.seed = seed;
        let outcome = synthesize_texture(&vgg, exemplars.clone(), &options, &mut watch)?;
        watch.ended();
        if let [output] = &files[..] {
            common.finish(&outcome, output)?;
        } else {
            for (map, file) in outcome.maps().iter().zip(files) {
                imaging::save(map, file, support::if_exists(common.force))?;
                common.summarise(&outcome, file);
            }
        }
        if outcome.stop_reason() == ranvgg::run::StopReason::Stopped {
            break;
        }
    }
    Ok(())
}

/// Says which inputs are brought to another size, since that decides what a result shows.
fn say_scales(arguments: &Arguments, options: &TextureOptions) {
    let sizes = arguments.inputs.iter().filter_map(|path| {
        let (width, height) = image::image_dimensions(path).ok()?;
        Some((path, Size::new(width as usize, height as usize)))
    });
    let sizes: Vec<(&PathBuf, Size)> = sizes.collect();
    let filled = options.inpainting.as_ref().map(Inpainting::size);
    let Some(result) = options
        .size
        .or(filled)
        .or(sizes.first().map(|(_, size)| *size))
    else {
        return;
    };
    for (path, given) in sizes {
        let used = options.exemplar_size(given, result);
        if used != given {
            let path = path.display();
            arguments.common.say(&format!(
                "{path}: {given} brought to {used}; --exemplar-scale 1 keeps its size"
            ));
        }
    }
}

/// The files of each variation, one for each map, all of which can be written.
fn outputs(
    arguments: &Arguments,
    output: &Path,
    seeds: &[u64],
) -> support::Result<Vec<Vec<PathBuf>>> {
    let ending = |path: &Path| path.extension().unwrap_or_default().display().to_string();
    if !arguments.maps.is_empty() && !["png", "tif", "tiff"].contains(&&*ending(output)) {
        return Err("--map needs an output that ends in .png or .tif".into());
    }
    let mut all = Vec::new();
    for seed in seeds {
        let first = match seeds.len() {
            1 => output.to_owned(),
            _ => suffixed(output, &seed.to_string()),
        };
        let mut files = vec![first];
        for map in &arguments.maps {
            let name = map.file_stem().unwrap_or_default().display().to_string();
            files.push(suffixed(&files[0], &name));
        }
        for (number, file) in files.iter().enumerate() {
            arguments.common.check_output(file)?;
            if files[..number].contains(file) {
                return Err(format!("two maps would be written to `{}`", file.display()).into());
            }
        }
        all.push(files);
    }
    Ok(all)
}

/// `moss.png` with the suffix `3` is `moss-3.png`.
fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().display().to_string();
    let (stem, ending) = (part(path.file_stem()), part(path.extension()));
    path.with_file_name(format!("{stem}-{suffix}.{ending}"))
}

/// What the texture is made of, and its channels.
fn exemplars(arguments: &Arguments) -> support::Result<(Exemplars, usize)> {
    let inputs = &arguments.inputs;
    if arguments.maps.is_empty() {
        return Ok((arguments.sources.read(inputs, "gravel.png")?, 3));
    }
    let [input] = &inputs[..] else {
        return Err("--map needs exactly one input, the first map".into());
    };
    let mut maps = Vec::new();
    for path in std::iter::once(input).chain(&arguments.maps) {
        maps.push(support::open_picture(Some(path), "")?);
    }
    let stack = Picture::maps(maps);
    let channels = stack.channels();
    Ok((stack.into(), channels))
}

fn options(arguments: &Arguments, vgg: &Vgg) -> support::Result<TextureOptions> {
    let mut options = if arguments.paper {
        TextureOptions::paper(vgg)
    } else {
        let layers = arguments.layers.is_some();
        TextureOptions::default().with_statistics(arguments.sources.statistics(vgg, layers))
    };
    options.exemplar_scale = arguments.exemplar_scale;
    options.periods = !arguments.no_periods;
    options.nearest_weight = arguments.nearest_weight;
    if arguments.layers.is_some() {
        options.layers = support::parse_layers(vgg, arguments.layers.as_deref())?;
    }
    options.size = arguments.size;
    if arguments.inputs.is_empty() && arguments.fill.is_none() {
        options.size = options.size.or(Some(Size::square(256)));
    }
    options.total_variation_weight = arguments.tv_weight;
    let colour_weight = arguments.sources.colour_weight;
    options.colour_weight = colour_weight.unwrap_or(options.colour_weight);
    if let (Some(picture), Some(mask)) = (&arguments.fill, &arguments.mask) {
        options.inpainting = Some(Inpainting::new(
            support::open_picture(Some(picture), "")?,
            support::open_picture(Some(mask), "")?,
        ));
    }
    options.run = arguments.common.run(options.run);
    Ok(options)
}

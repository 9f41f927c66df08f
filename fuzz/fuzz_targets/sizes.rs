//! Sizes and masks that need not fit each other: a run ends with a picture of the size asked for and
//! with the pixels that stay, or is refused.

#![no_main]

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ranvgg::image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use ranvgg::{
    Control, Exemplars, Inpainting, Observer, Padding, Progress, RandomVgg, RunOptions, Scales,
    Size, Statistics, StyleOptions, TextureOptions, Vgg, device, synthesize_texture,
    transfer_style,
};

#[derive(Arbitrary, Debug)]
struct Input {
    style: bool,
    statistics: u8,
    wraps: bool,
    exemplar: (u8, u8),
    second: Option<(u8, u8)>,
    mask_of_second: (u8, u8, u16),
    content: (u8, u8),
    hole: Option<(u8, u8, u16)>,
    picture: (u8, u8),
    size: Option<(u8, u8)>,
    scale: Option<f32>,
    nearest: Option<f32>,
    octaves: (u8, u8),
    steps_per_draw: u8,
    seed: u8,
}

const LONGEST: u8 = 40;

/// Stops after two evaluations.
struct Twice(u8);

impl Observer for Twice {
    fn observe(&mut self, _: &Progress<'_>) -> Control {
        self.0 += 1;
        match self.0 {
            0 | 1 => Control::Continue,
            _ => Control::Stop,
        }
    }
}

fn network(wraps: bool) -> &'static Vgg {
    static NETWORKS: [OnceLock<Vgg>; 2] = [const { OnceLock::new() }; 2];
    NETWORKS[usize::from(wraps)].get_or_init(|| {
        let padding = if wraps {
            Padding::Circular
        } else {
            Padding::Reflect
        };
        let device = device::by_name("flex").unwrap();
        RandomVgg::vgg16()
            .with_padding(padding)
            .init(&device)
            .unwrap()
    })
}

fn sides((width, height): (u8, u8)) -> (u32, u32) {
    (
        u32::from(width % LONGEST) + 1,
        u32::from(height % LONGEST) + 1,
    )
}

fn picture(given: (u8, u8)) -> DynamicImage {
    let (width, height) = sides(given);
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 37) as u8, (y * 53) as u8, (x * y) as u8])
    })
    .into()
}

/// A mask whose pattern comes from `bits`.
fn mask((width, height, bits): (u8, u8, u16)) -> DynamicImage {
    let (width, height) = sides((width, height));
    let white = |x: u32, y: u32| bits >> ((x / 3 + 5 * (y / 4)) % 16) & 1 == 1;
    GrayImage::from_fn(width, height, |x, y| Luma([255 * u8::from(white(x, y))])).into()
}

fuzz_target!(|input: Input| {
    let statistics = [
        Statistics::Resampled,
        Statistics::Gram,
        Statistics::Distributions,
    ];
    let statistics = statistics[usize::from(input.statistics) % 3];
    let scales = match input.octaves {
        (0, _) => Scales::Single,
        (most, smallest) => Scales::Octaves {
            most: usize::from(most % 6),
            smallest: usize::from(smallest % 20),
        },
    };
    let run = RunOptions::default()
        .with_scales(scales)
        .with_evaluations(2)
        .with_seed(u64::from(input.seed));
    let layers = vec!["conv1_1".parse().unwrap()];
    let vgg = network(input.wraps);
    let exemplars = match input.second {
        None => Exemplars::from(picture(input.exemplar)),
        Some(second) if input.style => Exemplars::regions([
            (
                Exemplars::from(picture(input.exemplar)),
                mask(input.mask_of_second),
            ),
            (
                Exemplars::from(picture(second)),
                mask((
                    input.mask_of_second.0,
                    input.mask_of_second.1,
                    !input.mask_of_second.2,
                )),
            ),
        ]),
        Some(second) => {
            Exemplars::mixture([(picture(input.exemplar), 1.0), (picture(second), 0.5)])
        }
    };
    if input.style {
        let mut options = StyleOptions::default()
            .with_statistics(statistics)
            .with_run(run);
        if statistics != Statistics::Resampled {
            options = options.with_style_layers(layers);
        }
        options.content_layer = "conv1_1".parse().ok();
        if let Some(hole) = input.hole {
            options = options.with_content_mask(mask(hole));
        }
        let content = picture(input.content);
        let (width, height) = (content.width(), content.height());
        if let Ok(outcome) = transfer_style(vgg, content, exemplars, &options, &mut Twice(0)) {
            assert_eq!(
                (outcome.picture().width(), outcome.picture().height()),
                (width, height)
            );
        }
        return;
    }
    let mut options = TextureOptions::default()
        .with_statistics(statistics)
        .with_run(run);
    if statistics != Statistics::Resampled {
        options = options.with_layers(layers);
    }
    options.exemplar_scale = input.scale.map(f64::from).filter(|scale| !(*scale > 8.0));
    options.nearest_weight = input.nearest.map_or(0.0, f64::from);
    options.steps_per_draw = usize::from(input.steps_per_draw % 4);
    let size = input.size.map(sides);
    if let Some((width, height)) = size {
        options = options.with_size(Size::new(width as usize, height as usize));
    }
    let torn = picture(input.picture);
    let hole = input.hole.map(mask);
    if let Some(hole) = &hole {
        options = options.with_inpainting(Inpainting::new(torn.clone(), hole.clone()));
    }
    let Ok(outcome) = synthesize_texture(vgg, exemplars, &options, &mut Twice(0)) else {
        return;
    };
    let made = outcome.picture();
    if let Some(size) = size {
        assert_eq!((made.width(), made.height()), size);
    }
    if let Some(hole) = hole {
        let (made, torn, hole) = (outcome.image().to_rgb8(), torn.to_rgb8(), hole.to_luma8());
        assert_eq!(made.dimensions(), torn.dimensions());
        for (x, y, free) in hole.enumerate_pixels() {
            if free.0[0] == 0 {
                assert_eq!(made.get_pixel(x, y), torn.get_pixel(x, y), "{x}, {y}");
            }
        }
    }
});

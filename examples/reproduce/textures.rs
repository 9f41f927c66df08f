//! Textures from more and more layers.

use ranvgg::imaging::flatten;
use ranvgg::metrics::{novelty, sliced_wasserstein};
use ranvgg::{Layer, Padding, Statistics, TextureOptions, Vgg, synthesize_texture};

use crate::archive::Record;
use crate::grid::{Cell, Grid};
use crate::inversions::cost;
use crate::networks::{RANDOM, has, network, with_trained};
use crate::options::{Context, Named};
use crate::page::Page;
use crate::statistics::number;
use crate::study::{Defaults, Made, Study, Unit, Watch};
use crate::support;

pub(crate) struct Textures;

/// The published form, and this crate's.
const FORMS: [&str; 2] = ["published", "whitened"];
const LAYERS: [&str; 8] = [
    "conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv1", "conv2", "conv3", "conv4",
];

impl Study for Textures {
    fn name(&self) -> &'static str {
        "textures"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 192,
            evaluations: 300,
            draws: 1,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        let layers = context.layers(&LAYERS)?;
        let mut units = Vec::new();
        for (name, exemplar) in &context.exemplars {
            for kind in with_trained(context, &[RANDOM]) {
                for form in FORMS {
                    for count in 1..=layers.len() {
                        let used = layers[..count].to_vec();
                        let deepest = layers[count - 1];
                        if !has(context, kind, deepest) {
                            continue;
                        }
                        let labels: [(_, &dyn ToString); 4] = [
                            ("exemplar", name),
                            ("kind", &kind),
                            ("form", &form),
                            ("up to", &deepest),
                        ];
                        let cost = cost(context, context.evaluations, deepest);
                        units.push(Unit::new(&labels, cost, move |watch| {
                            let vgg = network(context, kind, 0)?;
                            // Published networks continue their input by zeros.
                            let vgg = match form {
                                "published" => vgg.with_padding(Padding::Zero),
                                _ => vgg.with_padding(Padding::Reflect),
                            };
                            let mut options = options(form, &vgg, used);
                            options.run.evaluations = Some(context.evaluations);
                            texture(&vgg, exemplar, &options, watch)
                        }));
                    }
                }
            }
        }
        Ok(units)
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Textures from more and more layers");
        page.text(format!(
            "In each column one layer more. The published form matches Gram matrices at one size; the \
             whitened form matches means and whitened covariances on every octave. {} \
             evaluations, {} pixels. Below each picture: multi-scale sliced Wasserstein distance of \
             patches (lower is closer), and the share of patches copied from the exemplar.",
            context.evaluations, context.side
        ));
        let layers = context.layers(&LAYERS)?;
        for exemplar in &context.exemplars {
            page.pictures(grid(context, records, exemplar, &layers));
        }
        Ok(page)
    }
}

fn options(form: &str, vgg: &Vgg, layers: Vec<Layer>) -> TextureOptions {
    let options = match form {
        "published" => TextureOptions::paper(vgg),
        _ => TextureOptions::default().with_statistics(Statistics::Whitened),
    };
    options.with_layers(layers)
}

/// Makes a texture and measures it.
pub(crate) fn texture(
    vgg: &Vgg,
    exemplar: &image::DynamicImage,
    options: &TextureOptions,
    watch: &Watch<'_>,
) -> support::Result<Made> {
    let outcome = synthesize_texture(vgg, exemplar.clone(), options, &mut watch.observer())?;
    let image = outcome.image();
    let mut figures = vec![("seconds", outcome.elapsed().as_secs_f64())];
    figures.extend(judged(exemplar, &image)?);
    Ok(Made {
        figures,
        curve: Vec::new(),
        picture: Some(image),
    })
}

/// How close a texture is to its exemplar, and how much of it is copied; nothing where the pictures
/// are too small to say.
pub(crate) fn judged(
    exemplar: &image::DynamicImage,
    image: &image::DynamicImage,
) -> support::Result<Vec<(&'static str, f64)>> {
    let (wanted, found) = (flatten(exemplar), image.to_rgb32f());
    let mut figures = Vec::new();
    if let Ok(distance) = sliced_wasserstein(&wanted, &found) {
        figures.push(("swd", distance));
    }
    if let Ok(novelty) = novelty(&wanted, &found) {
        figures.push(("coherent", novelty.coherent));
        figures.push(("in place", novelty.in_place));
    }
    Ok(figures)
}

/// An exemplar, and textures of it: a row for each network and form.
fn grid(context: &Context, records: &[Record], (name, exemplar): &Named, layers: &[Layer]) -> Grid {
    let columns = layers.iter().map(|layer| format!("+ {layer}"));
    let columns = [name.clone()].into_iter().chain(columns);
    let mut grid = Grid::new(name, columns.collect());
    for kind in with_trained(context, &[RANDOM]) {
        for form in FORMS {
            let mut cells = vec![Some(Cell {
                picture: exemplar.clone(),
                caption: "the exemplar".into(),
            })];
            for layer in layers {
                let layer = layer.to_string();
                let wanted = [
                    ("exemplar", name.as_str()),
                    ("kind", kind),
                    ("form", form),
                    ("up to", layer.as_str()),
                ];
                cells.push(textured(records, &wanted));
            }
            grid.row(format!("{kind}, {form}"), cells);
        }
    }
    grid
}

/// The texture of these labels, if it was made.
pub(crate) fn textured(records: &[Record], wanted: &[(&str, &str)]) -> Option<Cell> {
    let record = records.iter().find(|record| record.is(wanted))?;
    let (distance, copied) = (record.figure("swd"), record.figure("coherent"));
    Some(Cell {
        picture: record.picture.clone()?,
        caption: format!("{}, {}", number(distance), number(copied)),
    })
}

//! What all networks do: invert. The runs, and how they are shown.

use image::DynamicImage;
use ranvgg::metrics::{psnr, ssim};
use ranvgg::{InvertOptions, Layer, Vgg, imaging, invert, reconstruction_error};

use crate::archive::Record;
use crate::charts::{Boxes, boxes};
use crate::grid::{Cell, Grid};
use crate::networks::{has, network, trained_kinds};
use crate::options::{Context, Named};
use crate::page::Page;
use crate::statistics::number;
use crate::study::{Made, Unit, Watch};
use crate::support;

/// What an inversion is judged by: the figure, the name of its axis, whether that is logarithmic.
pub(crate) const FIGURES: [(&str, &str, bool); 2] = [
    ("error", "relative error of the features", true),
    ("psnr", "PSNR, dB", false),
];

/// The published form, with so many evaluations.
pub(crate) fn published(evaluations: usize) -> InvertOptions {
    let mut options = InvertOptions::paper();
    options.run.evaluations = Some(evaluations);
    options
}

/// Inversions, in the published form, of every photograph from each of `layers` through so many draws
/// of networks of `kinds`, and through the trained ones.
pub(crate) fn units<'a>(
    context: &'a Context,
    layers: &[Layer],
    kinds: &[&'static str],
) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    let draws = 0..context.draws;
    let drawn = draws.flat_map(|draw| kinds.iter().map(move |kind| (*kind, draw)));
    let trained = trained_kinds(context).into_iter().map(|kind| (kind, 0));
    // A network at a time: drawing one takes longer than a short run.
    for (kind, draw) in drawn.chain(trained) {
        for (name, picture) in &context.photographs {
            for &layer in layers.iter().filter(|layer| has(context, kind, **layer)) {
                let labels: [(_, &dyn ToString); 4] = [
                    ("picture", name),
                    ("layer", &layer),
                    ("kind", &kind),
                    ("draw", &draw),
                ];
                let cost = cost(context, context.evaluations, layer);
                units.push(Unit::new(&labels, cost, move |watch| {
                    let vgg = network(context, kind, draw)?;
                    let options = published(context.evaluations);
                    inverted(&vgg, picture, layer, &options, watch)
                }));
            }
        }
    }
    units
}

/// About how long so many evaluations of a layer take.
pub(crate) fn cost(context: &Context, evaluations: usize, layer: Layer) -> u64 {
    let pixels = u64::from(context.side).pow(2);
    pixels * (evaluations * context.weighted(layer).len()) as u64
}

/// Inverts a picture from a layer, and measures what came back.
pub(crate) fn inverted(
    vgg: &Vgg,
    picture: &DynamicImage,
    layer: Layer,
    options: &InvertOptions,
    watch: &Watch<'_>,
) -> support::Result<Made> {
    let outcome = invert(vgg, picture, layer, options, &mut watch.observer())?;
    let wanted = imaging::from_image(picture, vgg.device());
    let error = reconstruction_error(vgg, outcome.tensor(), wanted, layer)?;
    // Clipped but not rounded: rounded, a shallow layer gives back the picture itself.
    let (mut found, wanted) = (outcome.picture(), imaging::flatten(picture));
    found
        .iter_mut()
        .for_each(|value| *value = value.clamp(0.0, 1.0));
    // The loss is in units that its weight sets; its last value and the error are the same thing.
    let last = outcome.records().last().map_or(1.0, |record| record.loss());
    let unit = if last > 0.0 { error / last } else { 0.0 };
    let records = outcome.records().iter();
    Ok(Made {
        figures: vec![
            ("error", error),
            ("psnr", psnr(&found, &wanted)?),
            ("ssim", ssim(&found, &wanted)?),
            ("seconds", outcome.elapsed().as_secs_f64()),
        ],
        curve: records
            .map(|record| (record.evaluation, record.loss() * unit))
            .collect(),
        picture: Some(outcome.image()),
    })
}

/// A figure of all runs of these labels.
pub(crate) fn values(records: &[Record], wanted: &[(&str, &str)], figure: &str) -> Vec<f64> {
    let found = records.iter().filter(|record| record.is(wanted));
    found.map(|record| record.figure(figure)).collect()
}

/// For each figure a box plot by layer and kind of network, of all runs of these labels.
pub(crate) fn drawings(
    page: &mut Page,
    records: &[Record],
    (title, wanted): (&str, &[(&str, &str)]),
    layers: &[Layer],
    kinds: &[&str],
) -> support::Result<()> {
    for (figure, axis, logarithmic) in FIGURES {
        let groups = layers.iter().map(|layer| {
            let layer = layer.to_string();
            let of = |kind: &&str| {
                let own = [wanted, &[("layer", layer.as_str()), ("kind", kind)]].concat();
                values(records, &own, figure)
            };
            (layer.clone(), kinds.iter().map(of).collect())
        });
        let chart = boxes(&Boxes {
            title: format!("{title}: {axis}"),
            axis: axis.into(),
            logarithmic,
            kinds: kinds.iter().map(ToString::to_string).collect(),
            groups: groups.collect(),
        })?;
        chart.into_iter().for_each(|chart| page.drawing(chart));
    }
    Ok(())
}

/// A picture and what came back of it, a column for each layer, a row for each set of labels.
pub(crate) fn grid(
    records: &[Record],
    (name, picture): &Named,
    layers: &[Layer],
    rows: &[(String, Vec<(&str, &str)>)],
) -> Grid {
    let columns = layers.iter().map(ToString::to_string);
    let columns = [name.clone()].into_iter().chain(columns);
    let mut grid = Grid::new(name, columns.collect());
    for (row, labels) in rows {
        let mut cells = vec![Some(Cell {
            picture: picture.clone(),
            caption: "the picture".into(),
        })];
        for layer in layers {
            let layer = layer.to_string();
            let own = [("picture", name.as_str()), ("layer", layer.as_str())];
            cells.push(cell(records, &[&own[..], labels].concat()));
        }
        grid.row(row, cells);
    }
    grid
}

/// The first draw of each kind of network, as rows of a [`grid`].
pub(crate) fn first_draws<'a>(kinds: &[&'a str]) -> Vec<(String, Vec<(&'static str, &'a str)>)> {
    let row = |kind: &&'a str| ((*kind).to_owned(), vec![("kind", *kind), ("draw", "0")]);
    kinds.iter().map(row).collect()
}

/// The inversion of these labels, if it was run.
fn cell(records: &[Record], wanted: &[(&str, &str)]) -> Option<Cell> {
    let record = records.iter().find(|record| record.is(wanted))?;
    Some(Cell {
        picture: record.picture.clone()?,
        caption: format!(
            "{}, {} dB",
            number(record.figure("error")),
            number(record.figure("psnr"))
        ),
    })
}

//! The runs behind [`settings`](crate::settings): each setting at several values.

use ranvgg::{Candidate, GreedyStackBuilder, Padding, Statistics, StyleOptions, TextureOptions};

use crate::inversions::{cost, inverted, published};
use crate::measuring::{PLACES, textured_by_parts};
use crate::networks::{RANDOM, network, random};
use crate::options::{Context, Named};
use crate::study::Unit;
use crate::styles::styled;
use crate::support;
use crate::textures::texture;

const BIASES: [f64; 4] = [0.0, 0.1, 0.3, 1.0];
const CANDIDATES: [usize; 5] = [1, 2, 4, 8, 16];
const CONTENT_WEIGHTS: [f64; 4] = [0.3, 1.0, 3.0, 10.0];
const VARIATION_WEIGHTS: [f64; 3] = [0.1, 0.3, 1.0];
const CONTENT_LAYERS: [&str; 8] = [
    "conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv1", "conv2", "conv3", "conv4",
];
const STYLE_LAYERS: [&str; 10] = [
    "conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1", "conv1", "conv2", "conv3", "conv4",
    "conv5",
];
/// Layers that inversions judge settings by.
pub(crate) const INVERTED: [&str; 4] = ["conv3_1", "pool4", "conv3", "conv5"];

/// All runs.
pub(crate) fn units(context: &Context) -> support::Result<Vec<Unit<'_>>> {
    let mut units = biases(context)?;
    units.extend(candidates(context)?);
    units.extend(ratios(context)?);
    units.extend(content_layers(context)?);
    units.extend(measuring(context)?);
    Ok(units)
}

/// The first photograph, and the second or the same if there is one only.
pub(crate) fn two(context: &Context) -> [&Named; 2] {
    let first = &context.photographs[0];
    [first, context.photographs.get(1).unwrap_or(first)]
}

fn biases(context: &Context) -> support::Result<Vec<Unit<'_>>> {
    let mut units = Vec::new();
    for sigma in BIASES {
        for layer in context.layers(&INVERTED)? {
            for draw in 0..context.draws {
                let (name, picture) = &context.photographs[0];
                let labels: [(_, &dyn ToString); 5] = [
                    ("setting", &"biases"),
                    ("value", &sigma),
                    ("picture", name),
                    ("layer", &layer),
                    ("draw", &draw),
                ];
                let cost = cost(context, context.evaluations, layer);
                units.push(Unit::new(&labels, cost, move |watch| {
                    let vgg = random(context, draw)
                        .with_bias_sigma(sigma)
                        .init(&context.device)?;
                    let options = published(context.evaluations);
                    inverted(&vgg, picture, layer, &options, watch)
                }));
            }
        }
        for (name, exemplar) in &context.exemplars {
            let labels: [(_, &dyn ToString); 3] = [
                ("setting", &"biases of textures"),
                ("value", &sigma),
                ("picture", name),
            ];
            let cost = cost(context, context.evaluations, context.style_layer());
            units.push(Unit::new(&labels, cost, move |watch| {
                let vgg = random(context, 0)
                    .with_bias_sigma(sigma)
                    .init(&context.device)?;
                let mut options = TextureOptions::default().with_statistics(Statistics::Whitened);
                options.run.evaluations = Some(context.evaluations);
                texture(&vgg, exemplar, &options, watch)
            }));
        }
    }
    Ok(units)
}

/// Stacks of more and more candidates, inverted at the last layer that was chosen.
fn candidates(context: &Context) -> support::Result<Vec<Unit<'_>>> {
    let deepest = context.layers(&["conv3_1", "conv3"])?[0];
    let [reference, other] = two(context);
    let scoring = if context.options.smallest { 3 } else { 60 };
    let mut units = Vec::new();
    let counts = match context.options.smallest {
        true => &CANDIDATES[..2],
        false => &CANDIDATES[..],
    };
    for &count in counts {
        for draw in 0..context.draws {
            for (name, picture) in [reference, other] {
                let labels: [(_, &dyn ToString); 5] = [
                    ("setting", &"candidates"),
                    ("value", &count),
                    ("picture", name),
                    ("layer", &deepest),
                    ("draw", &draw),
                ];
                let cost = cost(context, context.evaluations + 3 * count * scoring, deepest);
                units.push(Unit::new(&labels, cost, move |watch| {
                    let report = context.folder.join(format!("stack-{count}-{draw}.json"));
                    let stack = GreedyStackBuilder::new(random(context, draw), &reference.1)
                        .with_candidates(count)
                        .with_evaluations(scoring)
                        .up_to(deepest)
                        .with_devices([context.device.clone()])
                        .with_report(report)
                        .build(&mut |_: &Candidate, _: usize| watch.done(0.0))?;
                    let vgg = stack.network().init(&context.device)?;
                    let options = published(context.evaluations);
                    inverted(&vgg, picture, deepest, &options, watch)
                }));
            }
        }
    }
    Ok(units)
}

/// How strongly the content and the total variation pull beside the style.
fn ratios(context: &Context) -> support::Result<Vec<Unit<'_>>> {
    let mut units = Vec::new();
    let content = CONTENT_WEIGHTS.map(|weight| ("content weight", weight));
    let variation = VARIATION_WEIGHTS.map(|weight| ("total variation", weight));
    for (setting, weight) in content.into_iter().chain(variation) {
        let mut options = whitened();
        match setting {
            "content weight" => options.content_weight = Some(weight),
            _ => options.total_variation_weight = weight,
        }
        units.extend(stylings(context, setting, &weight, &options)?);
    }
    Ok(units)
}

fn content_layers(context: &Context) -> support::Result<Vec<Unit<'_>>> {
    let mut units = Vec::new();
    for layer in context.named(&CONTENT_LAYERS) {
        let options = whitened().with_content_layer(layer);
        units.extend(stylings(context, "content layer", &layer, &options)?);
    }
    Ok(units)
}

/// Styles of a network's features.
fn whitened() -> StyleOptions {
    StyleOptions::default().with_statistics(Statistics::Whitened)
}

/// Two photographs in the last of the exemplars.
fn stylings<'a>(
    context: &'a Context,
    setting: &'static str,
    value: &dyn ToString,
    options: &StyleOptions,
) -> support::Result<Vec<Unit<'a>>> {
    let Some((_, style)) = context.exemplars.last() else {
        return Ok(Vec::new());
    };
    let deepest = context.style_layer();
    let cost = cost(context, context.evaluations, deepest);
    let [first, second] = two(context);
    let units = [first, second].into_iter().map(|(name, picture)| {
        let mut options = options.clone();
        options.run.evaluations = Some(context.evaluations);
        let labels: [(_, &dyn ToString); 3] =
            [("setting", &setting), ("value", value), ("picture", name)];
        Unit::new(&labels, cost, move |watch| {
            let vgg = network(context, RANDOM, 0)?;
            styled(&vgg, picture, style, &options, watch)
        })
    });
    Ok(units.collect())
}

/// Textures in the published form, their layers' weights measured at several images.
fn measuring(context: &Context) -> support::Result<Vec<Unit<'_>>> {
    let layers = context.named(&STYLE_LAYERS);
    let deepest = layers[layers.len() - 1];
    let cost = cost(context, context.evaluations, deepest);
    let mut units = Vec::new();
    for place in PLACES {
        for (name, exemplar) in &context.exemplars {
            let labels: [(_, &dyn ToString); 3] = [
                ("setting", &"measured at"),
                ("value", &place),
                ("picture", name),
            ];
            let layers = layers.clone();
            units.push(Unit::new(&labels, cost, move |watch| {
                let vgg = network(context, RANDOM, 0)?.with_padding(Padding::Zero);
                textured_by_parts(&vgg, exemplar, &layers, place, context.evaluations, watch)
            }));
        }
    }
    Ok(units)
}

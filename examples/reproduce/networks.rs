//! The networks that are compared: purely random, greedily stacked, trained.

use std::path::PathBuf;

use image::DynamicImage;
use ranvgg::{Candidate, GreedyStackBuilder, IfExists, Layer, Pooling, RandomVgg, Vgg};

use crate::inversions::cost;
use crate::options::Context;
use crate::study::{Made, Unit};
use crate::support;

/// Seeds of purely random networks begin here, beyond those of all candidates of greedy stacks.
const FIRST_RANDOM: u64 = 1_000_000;

pub(crate) const RANDOM: &str = "random";
pub(crate) const STACKED: &str = "stacked";
pub(crate) const TRAINED: &str = "trained";
pub(crate) const TRAINED_AVERAGE: &str = "trained, average pooling";

/// The network of this kind and draw.
pub(crate) fn network(context: &Context, kind: &str, draw: usize) -> support::Result<Vgg> {
    let mut last = context.last_network.borrow_mut();
    let key = (kind.to_owned(), draw);
    match &*last {
        Some((found, vgg)) if *found == key => Ok(vgg.clone()),
        _ => {
            let vgg = made(context, kind, draw)?;
            *last = Some((key, vgg.clone()));
            Ok(vgg)
        }
    }
}

fn made(context: &Context, kind: &str, draw: usize) -> support::Result<Vgg> {
    let trained = || {
        context
            .trained
            .as_ref()
            .ok_or("--weights-file was not given")
    };
    Ok(match kind {
        RANDOM => random(context, draw).init(&context.device)?,
        STACKED => RandomVgg::load_recipe(recipe_path(context, draw))?.init(&context.device)?,
        TRAINED => trained()?.clone(),
        TRAINED_AVERAGE => trained()?.with_pooling(Pooling::Average),
        other => return Err(format!("there is no network `{other}`").into()),
    })
}

/// A purely random network.
pub(crate) fn random(context: &Context, draw: usize) -> RandomVgg {
    RandomVgg::new(context.options.network).with_seed(FIRST_RANDOM + draw as u64)
}

/// Networks of these kinds, and the trained ones.
pub(crate) fn with_trained(context: &Context, kinds: &[&'static str]) -> Vec<&'static str> {
    [kinds, &trained_kinds(context)[..]].concat()
}

/// The trained networks, if weights were given: as they were trained, and with averages in place
/// of maxima.
pub(crate) fn trained_kinds(context: &Context) -> Vec<&'static str> {
    match context.trained {
        Some(_) => vec![TRAINED, TRAINED_AVERAGE],
        None => Vec::new(),
    }
}

/// Whether the network of this kind has the layer: files may end below the fully connected ones.
pub(crate) fn has(context: &Context, kind: &str, layer: Layer) -> bool {
    let side = context.side as usize;
    match (&context.trained, kind) {
        (Some(vgg), TRAINED | TRAINED_AVERAGE) => vgg.check_image("", side, side, layer).is_ok(),
        _ => true,
    }
}

fn recipe_path(context: &Context, draw: usize) -> PathBuf {
    context
        .folder
        .join("stacks")
        .join(format!("{draw}.recipe.json"))
}

/// The run that stacks a network for `reference`, up to the deepest of `layers`.
pub(crate) fn stacking<'a>(
    context: &'a Context,
    reference: &'a DynamicImage,
    layers: &[Layer],
    draw: usize,
) -> Unit<'a> {
    let chosen = layers.iter().map(|layer| context.weighted(*layer));
    let chosen = chosen.max_by_key(Vec::len).unwrap_or_default();
    // A pooling has no weights: the convolution below it is the last that is chosen.
    let deepest = chosen[chosen.len() - 1];
    let candidates = context.options.candidates;
    let evaluations = if context.options.smallest { 3 } else { 60 };
    // Each layer's candidates cost as much as all below it: half of the deepest on average.
    let cost = cost(context, candidates * evaluations, deepest) * chosen.len() as u64 / 2;
    Unit::new(
        &[("kind", &STACKED), ("draw", &draw), ("up to", &deepest)],
        cost,
        move |watch| {
            let folder = context.folder.join("stacks");
            std::fs::create_dir_all(&folder)?;
            let network = RandomVgg::new(context.options.network).with_seed(draw as u64);
            let builder = GreedyStackBuilder::new(network, reference)
                .with_candidates(candidates)
                .with_evaluations(evaluations)
                .up_to(deepest)
                .with_devices([context.device.clone()])
                .with_report(folder.join(format!("{draw}.json")));
            let mut scored = 0;
            let stack = builder.build(&mut |_: &Candidate, total: usize| {
                scored += 1;
                watch.done(f64::from(scored) / total as f64)
            })?;
            if stack.is_complete() {
                stack
                    .network()
                    .save_recipe(recipe_path(context, draw), IfExists::Replace)?;
            }
            Ok(Made::default())
        },
    )
}

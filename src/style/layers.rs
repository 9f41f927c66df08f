//! Paintings by the features of a network.

use super::{ContentPicture, StyleOptions, StyleStart};
use crate::error::Result;
use crate::exemplars::Sources;
use crate::imaging::Size;
use crate::network::Vgg;
use crate::run::{self, Observer, Outcome, RunPlan};
use crate::terms::{
    StyleTerms, content_layer, smallest_side, style_layers, with_content, with_total_variation,
};

/// Weight of the content where nothing else is asked for.
const CONTENT_WEIGHT: f64 = 3.0;

pub(super) fn paint(
    vgg: &Vgg,
    content: ContentPicture,
    style: &Sources,
    options: &StyleOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let ContentPicture {
        begun,
        identity,
        picture,
        mask,
        formats,
    } = content;
    let size = picture.size();
    let mut images = vec![("the result", size)];
    images.extend(style.sizes().map(|size| ("the style picture", size)));
    let content_layer = options.content_layer.unwrap_or_else(|| content_layer(vgg));
    let style_layers = match &options.style_layers {
        Some(layers) => layers.clone(),
        None => style_layers(vgg, &images),
    };
    let minimum = smallest_side(vgg, &[content_layer], &images[..1])?.max(smallest_side(
        vgg,
        &style_layers,
        &images,
    )?);
    let all: Vec<Size> = images.iter().map(|(_, size)| *size).collect();
    let halvings = options.run.scales.halvings(&all, minimum);
    let sizes = size.octaves(halvings);
    let mean = style.mean();
    let start = match (&options.start_picture, options.start) {
        (Some(picture), _) => picture.read("the starting picture", vgg.channels())?,
        (None, StyleStart::Content) => picture.clone(),
        (None, StyleStart::Noise) => options.run.starting_noise(sizes[0], &mean),
    };
    let plan = RunPlan {
        begun,
        identity,
        sizes,
        start,
        mean,
        formats,
        kept: None,
    };
    let content_weight = options.content_weight.unwrap_or(CONTENT_WEIGHT);
    run::run(vgg, plan, &options.run, observer, |scale, mut objective| {
        let octaves = halvings - scale;
        let given = style.halved(octaves, vgg.device());
        if content_weight > 0.0 {
            let content = picture.resized(size.halved(octaves));
            let at = (content_layer, content_weight);
            objective = with_content(objective, vgg, &content, mask.as_ref(), at)?;
        }
        let terms = StyleTerms {
            layers: &style_layers,
            statistics: options.statistics,
            size: size.halved(octaves),
            octaves: if options.every_octave { scale } else { 0 },
            weight: options.style_weight,
            colour_weight: options.style_weight * options.colour_weight,
        };
        let objective = terms.add(objective, vgg, given)?;
        Ok(with_total_variation(
            objective,
            options.total_variation_weight,
        ))
    })
}

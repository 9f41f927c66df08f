//! Texture synthesis: an image with the statistics of an exemplar, and its own layout.

use crate::error::Result;
use crate::imaging::{Picture, Size, from_rgb, resize};
use crate::loss::{Gram, TotalVariation};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;
use crate::random::Purpose;
use crate::run::{self, Observer, Outcome, RunOptions, Unobserved};
use crate::task::{self, deepest, size_of};

/// Options of [`synthesize_texture`].
#[derive(Clone, Debug)]
pub struct TextureOptions {
    /// Layers whose statistics the result shares with the exemplar. Shallow ones carry grain and
    /// colour, deeper ones shapes. Default: `conv1_1 conv2_1 conv3_1 conv4_1 conv5_1`, as far as
    /// the exemplar is large enough for them.
    pub layers: Option<Vec<Layer>>,
    /// Width and height of the result, independent of the exemplar's. Default: the exemplar's.
    pub size: Option<Size>,
    /// Weight of the total variation, in units of a style layer's. More gives smoother colours.
    /// Default: 0.
    pub total_variation_weight: f64,
    /// The picture to start from, resized to the first scale; noise where there is none.
    pub start: Option<Picture>,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
}

impl Default for TextureOptions {
    fn default() -> Self {
        Self {
            layers: None,
            size: None,
            total_variation_weight: 0.0,
            start: None,
            run: RunOptions::default(),
        }
    }
}

/// Makes an image of any size with the texture of `exemplar`.
///
/// Minimises, at every scale from coarse to fine, the distance between Gram matrices of features
/// of the result and of the exemplar at that scale:
///
/// ```text
/// L = sum over layers l of  w_l |G_l(x) - G_l(exemplar)|^2 / (4 N_l^2)  +  w R(x)
/// ```
///
/// with `w_l` from [`LayerNormalizer`](crate::LayerNormalizer). (He, Wang and Hopcroft, NIPS 2016,
/// section 3.2, after Gatys, Ecker and Bethge, NIPS 2015.)
///
/// # Errors
///
/// Options outside of what is allowed, an exemplar or size too small for the layers, and anything
/// the device reports; all but the last before any work.
pub fn synthesize_texture(
    vgg: &Vgg,
    exemplar: impl Into<Picture>,
    options: &TextureOptions,
) -> Result<Outcome> {
    synthesize_texture_observed(vgg, exemplar, options, &mut Unobserved)
}

/// As [`synthesize_texture`], watched: see [`Observer`].
///
/// # Errors
///
/// Those of [`synthesize_texture`].
pub fn synthesize_texture_observed(
    vgg: &Vgg,
    exemplar: impl Into<Picture>,
    options: &TextureOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    options.run.check()?;
    crate::error::not_negative("total variation weight", options.total_variation_weight)?;
    let exemplar = exemplar.into().into_rgb("the exemplar")?;
    let given = size_of(&exemplar);
    let size = options.size.unwrap_or(given);
    size.check("the result")?;
    let layers = match &options.layers {
        Some(layers) => layers.clone(),
        None => task::style_layers(vgg, given.shorter().min(size.shorter()))?,
    };
    let minimum = deepest(
        vgg,
        &layers,
        &[("the exemplar", given), ("the result", size)],
    )?;
    let halvings = options.run.scales.halvings(&[given, size], minimum);
    let sizes: Vec<Size> = (0..=halvings)
        .rev()
        .map(|octaves| size.halved(octaves))
        .collect();
    let mean = run::mean_colour(&exemplar);
    let start = match &options.start {
        Some(picture) => picture.clone().into_rgb("the starting picture")?,
        None => run::noise_image(
            sizes[0],
            mean,
            options.run.noise,
            (options.run.seed, Purpose::Noise, 0),
        ),
    };
    run::run(vgg, &sizes, start, mean, &options.run, observer, |scale| {
        let small = given.halved(halvings - scale);
        let exemplar = resize(&exemplar, small.width, small.height);
        let features = vgg.features(from_rgb(&exemplar, vgg.device()), &layers)?;
        let mut objective = Objective::new(vgg);
        for (layer, map) in features.iter() {
            let target = Gram::of(map.clone());
            objective = objective.at_layer(format!("style {layer}"), layer, 1.0, target);
        }
        if options.total_variation_weight > 0.0 {
            let weight = options.total_variation_weight;
            objective = objective.at_image("total variation", weight, TotalVariation);
        }
        Ok(objective)
    })
}

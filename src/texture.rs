//! Texture synthesis: an image with the statistics of an exemplar, and its own layout.

use crate::error::Result;
use crate::imaging::{Picture, Scales, Size, from_rgb, resize};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;
use crate::run::{self, Observer, Outcome, RunOptions, Unobserved};
use crate::task::{
    PUBLISHED_LAYERS, SHALLOW_LAYERS, Statistics, deepest, size_of, style_layers, with_style,
    with_total_variation,
};

/// Options of [`synthesize_texture`].
#[derive(Clone, Debug)]
pub struct TextureOptions {
    /// Layers whose statistics the result shares with the exemplar. Shallow ones carry grain and
    /// colour, deeper ones shapes. Default: `conv1_1 conv2_1 conv3_1`.
    pub layers: Option<Vec<Layer>>,
    /// Which statistics of their features. Default: means and covariances apart.
    pub statistics: Statistics,
    /// Match them on every octave of the image at once, from the current scale down to the first,
    /// instead of on the image alone. Keeps large shapes while fine ones are drawn. Default: true.
    pub every_octave: bool,
    /// Width and height of the result, independent of the exemplar's. Default: the exemplar's.
    pub size: Option<Size>,
    /// Weight of the total variation, in units of one statistic. More gives smoother colours.
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
            statistics: Statistics::default(),
            every_octave: true,
            size: None,
            total_variation_weight: 0.0,
            start: None,
            run: RunOptions::default(),
        }
    }
}

impl TextureOptions {
    /// The method in its published form: Gram matrices of five layers (as far as the exemplar is
    /// large enough for them), at the final size alone. Its network has zero padding.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownLayer`](crate::Error::UnknownLayer) if the network lacks one of them.
    pub fn paper(vgg: &Vgg) -> Result<Self> {
        let layers: Result<_> = PUBLISHED_LAYERS
            .iter()
            .map(|name| vgg.layer(name))
            .collect();
        Ok(Self {
            layers: Some(layers?),
            statistics: Statistics::Gram,
            every_octave: false,
            run: RunOptions {
                scales: Scales::Single,
                ..RunOptions::default()
            },
            ..Self::default()
        })
    }
}

/// Makes an image of any size with the texture of `exemplar`.
///
/// Minimises, at every scale from coarse to fine, the distance between statistics of features of
/// the result and of the exemplar, on every octave of the image at once:
///
/// ```text
/// L = sum over octaves o and layers l of
///     a |m_ol(x) - m_ol(exemplar)|^2 + b |S_ol(x) - S_ol(exemplar)|^2    +  c R(x)
/// ```
///
/// with `m` the mean and `S` the covariance over positions ([`Mean`](crate::loss::Mean),
/// [`Covariance`](crate::loss::Covariance)), `R` the total variation, and weights from
/// [`LayerNormalizer`](crate::LayerNormalizer). [`TextureOptions::paper`] is the form of He, Wang
/// and Hopcroft, NIPS 2016, section 3.2, after Gatys, Ecker and Bethge, NIPS 2015: one scale, Gram
/// matrices.
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
        None => style_layers(vgg, &SHALLOW_LAYERS, given.shorter().min(size.shorter()))?,
    };
    let minimum = deepest(
        vgg,
        &layers,
        &[("the exemplar", given), ("the result", size)],
    )?;
    let halvings = options.run.scales.halvings(&[given, size], minimum);
    let sizes = size.octaves(halvings);
    let mean = run::mean_colour(&exemplar);
    let start = match &options.start {
        Some(picture) => picture.clone().into_rgb("the starting picture")?,
        None => options.run.starting_noise(sizes[0], mean),
    };
    run::run(vgg, &sizes, start, mean, &options.run, observer, |scale| {
        let small = given.halved(halvings - scale);
        let exemplar = resize(&exemplar, small.width, small.height);
        let exemplar = from_rgb(&exemplar, vgg.device());
        let octaves = if options.every_octave { scale } else { 0 };
        let style = (options.statistics, octaves, 1.0);
        let objective = with_style(Objective::new(vgg), vgg, exemplar, &layers, style)?;
        Ok(with_total_variation(
            objective,
            options.total_variation_weight,
        ))
    })
}

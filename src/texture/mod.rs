//! Texture synthesis: an image with the statistics of an exemplar, and its own layout.

use crate::error::{Result, not_negative};
use crate::exemplars::Exemplars;
use crate::imaging::{Picture, Scales, Size};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;
use crate::run::{self, Course, Kept, Observer, Outcome, RunOptions, Unobserved};
use crate::task::{
    PUBLISHED_BLOCKS, Statistics, Style, deepest, first_of, style_layers, with_total_variation,
};

/// Options of [`synthesize_texture`].
#[derive(Clone, Debug)]
pub struct TextureOptions {
    /// Layers whose statistics the result shares with the exemplar. Shallow ones carry grain and
    /// colour, deeper ones shapes. Default: `conv1_1 conv2_1 conv3_1`, of AlexNet `conv1 conv2
    /// conv3`.
    pub layers: Option<Vec<Layer>>,
    /// Which statistics of their features. Default: means, and whitened covariances.
    pub statistics: Statistics,
    /// Match them on every octave of the image at once, from the current scale down to the first,
    /// instead of on the image alone. Keeps large shapes while fine ones are drawn. Default: true.
    pub every_octave: bool,
    /// Weight of the distribution of colours, in units of one statistic. Default: 1.
    pub colour_weight: f64,
    /// Width and height of the result, independent of the exemplar's. Default: the first
    /// exemplar's.
    pub size: Option<Size>,
    /// Weight of the total variation, in units of one statistic. More gives smoother colours.
    /// Default: 0.
    pub total_variation_weight: f64,
    /// The picture to start from, resized to the first scale; noise where there is none.
    pub start: Option<Picture>,
    /// Pixels that stay as they are while the rest is synthesized around them: inpainting. The
    /// result has the size of that picture then.
    pub kept: Option<Kept>,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
}

impl Default for TextureOptions {
    fn default() -> Self {
        Self {
            layers: None,
            statistics: Statistics::default(),
            every_octave: true,
            colour_weight: 1.0,
            size: None,
            total_variation_weight: 0.0,
            start: None,
            kept: None,
            run: RunOptions::default(),
        }
    }
}

impl TextureOptions {
    /// The method in its published form: Gram matrices of the first layer of each of the five
    /// blocks, at the final size alone. Its network has zero padding.
    #[must_use]
    pub fn paper(vgg: &Vgg) -> Self {
        Self {
            layers: Some(first_of(vgg, PUBLISHED_BLOCKS)),
            statistics: Statistics::Gram,
            every_octave: false,
            colour_weight: 0.0,
            run: RunOptions {
                scales: Scales::Single,
                ..RunOptions::default()
            },
            ..Self::default()
        }
    }
}

/// Makes an image of any size with the texture of `exemplar`, a picture or a
/// [mixture](Exemplars::mixture) of several.
///
/// Minimises, at every scale from coarse to fine, the distance between statistics of features of
/// the result and of the exemplar, on every octave of the image at once:
///
/// ```text
/// L = sum over octaves o and layers l of
///     a |m_ol(x) - m_ol(exemplar)|^2 + b |W_ol (S_ol(x) - S_ol(exemplar)) W_ol|^2
///   + sum over octaves of d D_o(x, exemplar)  +  c R(x)
/// ```
///
/// with `m` the mean and `S` the covariance over positions ([`Mean`](crate::loss::Mean),
/// [`Covariance`](crate::loss::Covariance)), `W` the metric in which edges count
/// ([`partially_whitened`](crate::loss::Covariance::partially_whitened)), `D` the distance of the
/// distributions of colours ([`Wasserstein`](crate::loss::Wasserstein)), `R` the total variation,
/// and weights from
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
    exemplar: impl Into<Exemplars>,
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
    exemplar: impl Into<Exemplars>,
    options: &TextureOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    options.run.check()?;
    not_negative("total variation weight", options.total_variation_weight)?;
    not_negative("colour weight", options.colour_weight)?;
    let exemplars = exemplar.into().read("the exemplar", vgg.channels())?;
    let given: Vec<Size> = exemplars.sizes().collect();
    let size = match (&options.size, &options.kept) {
        (Some(size), _) => *size,
        (None, Some(kept)) => kept.size(),
        (None, None) => exemplars.first_size(),
    };
    size.check("the result")?;
    let kept = match &options.kept {
        Some(kept) => Some(kept.read(size, vgg.channels())?),
        None => None,
    };
    let mut images: Vec<(&str, Size)> = given.iter().map(|size| ("the exemplar", *size)).collect();
    images.push(("the result", size));
    let layers = match &options.layers {
        Some(layers) => layers.clone(),
        None => style_layers(vgg, &images),
    };
    let minimum = deepest(vgg, &layers, &images)?;
    let all: Vec<Size> = images.iter().map(|(_, size)| *size).collect();
    let halvings = options.run.scales.halvings(&all, minimum);
    let sizes = size.octaves(halvings);
    let mean = exemplars.mean();
    let start = match &options.start {
        Some(picture) => picture.read("the starting picture", vgg.channels())?,
        None => options.run.starting_noise(sizes[0], &mean),
    };
    let course = Course {
        sizes,
        start,
        mean,
        formats: exemplars.formats(),
        kept,
    };
    run::run(vgg, course, &options.run, observer, |scale| {
        let given = exemplars.halved(halvings - scale, vgg.device());
        let octaves = if options.every_octave { scale } else { 0 };
        let style = Style {
            layers: &layers,
            statistics: options.statistics,
            size: size.halved(halvings - scale),
            octaves,
            weight: 1.0,
            colour_weight: options.colour_weight,
        };
        let objective = style.add(Objective::new(vgg), vgg, given)?;
        Ok(with_total_variation(
            objective,
            options.total_variation_weight,
        ))
    })
}

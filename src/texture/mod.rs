//! Texture synthesis: an image with the statistics of an exemplar, and its own layout.

mod resampled;

use std::time::Instant;

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, at_least_one, not_negative, positive};
use crate::exemplars::Exemplars;
use crate::imaging::{Picture, Scales, Size};
use crate::network::{Layer, Vgg};
use crate::run::{self, Identity, Inpainting, Observer, Outcome, RunOptions, RunPlan, run_setters};
use crate::terms::{
    PUBLISHED_BLOCKS, Statistics, StyleTerms, first_of, smallest_side, style_layers,
    with_total_variation,
};

/// Options of [`synthesize_texture`].
///
/// ```
/// use ranvgg::{Size, TextureOptions};
///
/// let options = TextureOptions::default()
///     .with_size(Size::new(512, 256))
///     .with_seed(7);
/// assert_eq!(options.run.seed, 7);
/// ```
///
/// Serde leaves pictures out: their pixels belong into files of their own.
#[derive(Clone, Debug, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_", strip_option)]
#[non_exhaustive]
pub struct TextureOptions {
    /// Which statistics the result shares with the exemplar. Default: distributions along resampled
    /// filters. They take the seed, channels and padding of the network, and nothing else. `layers`,
    /// `every_octave`, `colour_weight` and `total_variation_weight` are for statistics of a network's
    /// features. With resampled filters `layers` and a total variation are refused, and the other two
    /// have no effect.
    pub statistics: Statistics,
    /// Layers whose features count. Shallow ones carry grain and colour, deeper ones shapes. Default:
    /// `conv1_1 conv2_1 conv3_1`, of AlexNet `conv1 conv2 conv3`.
    #[setters(into)]
    pub layers: Option<Vec<Layer>>,
    /// Match them on every octave of the image at once, from the current scale down to the first,
    /// instead of on the image alone. Keeps large shapes while fine ones are drawn. Default: true.
    pub every_octave: bool,
    /// Weight of the distribution of colours, in units of one statistic. Default: 1.
    pub colour_weight: f64,
    /// The factor by which the exemplar is resized before its statistics are taken. Default: 1, unless
    /// the exemplar's shorter side is more than one and a half times the result's. Such an exemplar is
    /// reduced to one and a half times, since the result would show a small detail otherwise.
    pub exemplar_scale: Option<f64>,
    /// Keeps the periods of an exemplar that repeats itself: rows of bricks, tiles, weaves. Each position
    /// gets the distributions of the exemplar's positions of the same phase. For resampled filters and a
    /// single exemplar, without a mask and without inpainting. Default: true.
    pub periods: bool,
    /// Steps after which resampled filters are drawn anew. More than 1 gives worse results and is for
    /// study; with `usize::MAX` the filters are a fixed network (`docs/EVIDENCE.md`). Default: 1.
    pub steps_per_draw: usize,
    /// How strongly each patch is pulled to the exemplar's nearest patch, beside the distributions. A
    /// weight of 1 suits things with parts: flowers, leaves, stones that touch. It takes two to four times as long
    /// and copies larger pieces of the exemplar (`docs/QUALITY.md`). For resampled filters and a single
    /// exemplar without a mask; refused otherwise. Default: 0.
    pub nearest_weight: f64,
    /// Width and height of the result, independent of the exemplar's. Default: the first
    /// exemplar's.
    pub size: Option<Size>,
    /// Weight of the total variation, in units of one statistic. More gives smoother colours.
    /// Default: 0.
    pub total_variation_weight: f64,
    /// The picture to start from, resized to the first scale. Default: none, that is noise.
    #[serde(skip)]
    #[setters(into)]
    pub start_picture: Option<Picture>,
    /// A picture whose hole the texture fills, and which gives the result its size. Default: none.
    #[serde(skip)]
    pub inpainting: Option<Inpainting>,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
}

impl Default for TextureOptions {
    fn default() -> Self {
        Self {
            statistics: Statistics::Resampled,
            layers: None,
            every_octave: true,
            colour_weight: 1.0,
            exemplar_scale: None,
            periods: true,
            steps_per_draw: 1,
            nearest_weight: 0.0,
            size: None,
            total_variation_weight: 0.0,
            start_picture: None,
            inpainting: None,
            run: RunOptions::default(),
        }
    }
}

/// The longest that an exemplar's shorter side may be, in shorter sides of the result, unless a scale
/// is given.
const MOST_OF_RESULT: f64 = 1.5;

run_setters!(TextureOptions);

impl TextureOptions {
    /// The size to which an exemplar of size `given` is resized for a result of size `result`: see
    /// [`exemplar_scale`](Self::exemplar_scale).
    #[must_use]
    pub fn exemplar_size(&self, given: Size, result: Size) -> Size {
        let fitting = MOST_OF_RESULT * result.shorter() as f64 / given.shorter().max(1) as f64;
        given.scaled(self.exemplar_scale.unwrap_or(fitting.min(1.0)))
    }

    /// The method in its published form: Gram matrices of the first layer of each of the five
    /// blocks, at the final size alone. Its network has zero padding.
    #[must_use]
    pub fn paper(vgg: &Vgg) -> Self {
        Self {
            layers: Some(first_of(vgg, PUBLISHED_BLOCKS)),
            statistics: Statistics::Gram,
            every_octave: false,
            colour_weight: 0.0,
            run: RunOptions::default().with_scales(Scales::Single),
            ..Self::default()
        }
    }
}

/// Makes an image of any size with the texture of `exemplar`, a picture or a
/// [mixture](Exemplars::mixture) of several.
///
/// By default the distribution of the result's patches becomes that of the exemplar's along random
/// filters that are drawn anew at every step, by Adam, at sizes from 25 pixels up:
///
/// ```text
/// L_t = 1/K sum over f of 1/(M s_f) sum over p of |R_f(p) - T_f(R_f(p))|,   f drawn at step t
/// ```
///
/// with `R_f` the responses of filter `f` at `M` positions, `T_f` the optimal transport of their
/// distribution onto that of the exemplar's responses, whose standard deviation is `s_f` (Elnekave and
/// Weiss, "Generating natural images with direct patch distribution matching", ECCV 2022). This runs in
/// host memory, on all threads, whatever the network's device.
///
/// Other [`Statistics`] are those of a network's features. L-BFGS minimises, at every scale from coarse
/// to fine and on every octave of the image at once,
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
/// and weights from [`LayerNormalizer`](crate::LayerNormalizer). [`TextureOptions::paper`] is the form
/// of He, Wang and Hopcroft, NIPS 2016, section 3.2, after Gatys, Ecker and Bethge, NIPS 2015: one
/// scale, Gram matrices.
///
/// # Errors
///
/// Before any work:
///
/// - [`Error::InvalidOption`] for options outside of what is allowed,
/// - [`Error::Shape`], [`Error::Channels`] or [`Error::NotFinite`] for pictures that cannot be used,
/// - [`Error::ImageSize`] for an exemplar or a size that a layer cannot be computed from,
/// - [`Error::UnknownLayer`] or [`Error::Tensor`] for a layer that the network does not have.
/// - [`Error::File`] or [`Error::OtherRun`] for a file that the run cannot [go on](RunOptions::resume) from,
///   and [`Error::Output`] for a [checkpoint](RunOptions::checkpoint) that cannot be written.
///
/// While it runs, until a picture was made: [`Error::Device`] if the device fails, and
/// [`Error::NotFinite`] if the objective is not finite. Later the run ends with its last picture, and
/// [`Outcome::failure`] has the error.
pub fn synthesize_texture(
    vgg: &Vgg,
    exemplar: impl Into<Exemplars>,
    options: &TextureOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let begun = Instant::now();
    options.run.check()?;
    not_negative("total variation weight", options.total_variation_weight)?;
    not_negative("colour weight", options.colour_weight)?;
    not_negative("nearest weight", options.nearest_weight)?;
    at_least_one("steps per draw", options.steps_per_draw)?;
    if let Some(scale) = options.exemplar_scale {
        positive("the exemplar's scale", scale)?;
    }
    let exemplars = exemplar.into().read("the exemplar", vgg.channels())?;
    let size = match (&options.size, &options.inpainting) {
        (Some(size), _) => *size,
        (None, Some(inpainting)) => inpainting.size(),
        (None, None) => match options.exemplar_scale {
            Some(scale) => exemplars.first_size().scaled(scale),
            None => exemplars.first_size(),
        },
    };
    size.check("the result")?;
    let kept = match &options.inpainting {
        Some(inpainting) => Some(inpainting.read(size, vgg.channels())?),
        None => None,
    };
    let scaled: Vec<Size> = exemplars
        .sizes()
        .map(|given| options.exemplar_size(given, size))
        .collect();
    for size in &scaled {
        size.check("the exemplar at its scale")?;
    }
    // Before anything is made as large as they are.
    match options.statistics {
        Statistics::Resampled => {
            let windows = kept.is_none() && !exemplars.has_regions();
            resampled::memory(vgg, size, &scaled, windows, options)?;
        }
        _ => options.run.check_memory(size, vgg.channels())?,
    }
    let exemplars = exemplars.resized_by(|given| options.exemplar_size(given, size));
    let identity = Identity::of(vgg, "texture", (options, &options.run), || {
        vec![("the exemplar", exemplars.fingerprint())]
    });
    if options.statistics == Statistics::Resampled {
        let result = resampled::Wanted {
            begun,
            identity,
            size,
            kept,
        };
        return resampled::synthesize(vgg, &exemplars, result, options, observer);
    }
    if options.nearest_weight > 0.0 {
        let allowed = "0 with statistics of a network";
        return Err(Error::option(
            "nearest weight",
            options.nearest_weight,
            allowed,
        ));
    }
    let given: Vec<Size> = exemplars.sizes().collect();
    let mut images: Vec<(&str, Size)> = given.iter().map(|size| ("the exemplar", *size)).collect();
    images.push(("the result", size));
    let layers = match &options.layers {
        Some(layers) => layers.clone(),
        None => style_layers(vgg, &images),
    };
    let minimum = smallest_side(vgg, &layers, &images)?;
    let all: Vec<Size> = images.iter().map(|(_, size)| *size).collect();
    let halvings = options.run.scales.halvings(&all, minimum);
    let sizes = size.octaves(halvings);
    let mean = exemplars.mean();
    let start = match &options.start_picture {
        Some(picture) => picture.read("the starting picture", vgg.channels())?,
        None => options.run.starting_noise(sizes[0], &mean),
    };
    let plan = RunPlan {
        begun,
        identity,
        sizes,
        start,
        mean,
        formats: exemplars.formats(),
        kept,
    };
    run::run(vgg, plan, &options.run, observer, |scale, objective| {
        let given = exemplars.halved(halvings - scale, vgg.device());
        let octaves = if options.every_octave { scale } else { 0 };
        let style = StyleTerms {
            layers: &layers,
            statistics: options.statistics,
            size: size.halved(halvings - scale),
            octaves,
            weight: 1.0,
            colour_weight: options.colour_weight,
        };
        let objective = style.add(objective, vgg, given)?;
        Ok(with_total_variation(
            objective,
            options.total_variation_weight,
        ))
    })
}

//! Style transfer: the content of one picture in the style of another.

mod layers;
mod resampled;
mod tint;

use std::time::Instant;

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, not_negative, positive, unknown_name};
use crate::exemplars::Exemplars;
use crate::imaging::{Format, Picture, Raster, Size, luma, matched, with_luma};
use crate::network::{Layer, Vgg};
use crate::run::{Identity, Observer, Outcome, RunOptions, run_setters};
use crate::terms::Statistics;

/// What style transfer starts from, unless it is given a [picture](StyleOptions::start_picture).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown_start)]
pub enum StyleStart {
    /// The content picture. With resampled filters each of its pixels first gets the style's colour
    /// of the same rank of luminance, and noise is added.
    #[default]
    Content,
    /// Noise.
    Noise,
}

fn unknown_start(name: &str) -> Error {
    unknown_name::<StyleStart>("start", name)
}

/// Whose colours the result of a style transfer has.
///
/// (Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer",
/// 2016, describe both ways to keep the content's.)
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown_colours)]
pub enum Colours {
    /// Those of the style.
    #[default]
    Style,
    /// About those of the content: style pictures are first given the mean and covariance of its
    /// colours.
    Matched,
    /// Exactly those of the content: light and dark alone are painted, hue and saturation stay.
    Luminance,
}

fn unknown_colours(name: &str) -> Error {
    unknown_name::<Colours>("colours", name)
}

/// Options of [`transfer_style`].
///
/// `content_layer`, `style_layers`, `every_octave`, `colour_weight` and `total_variation_weight` are for
/// statistics of a network's features. With resampled filters layers and a total variation are refused,
/// and the other two have no effect.
///
/// Serde leaves pictures out: their pixels belong into files of their own.
#[derive(Clone, Debug, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_", strip_option)]
#[non_exhaustive]
pub struct StyleOptions {
    /// Which statistics the result shares with the style picture. Default: distributions along
    /// resampled filters. They take the seed, channels and padding of the network, and nothing else.
    pub statistics: Statistics,
    /// Weight of the content, in units of the style's distance. At 0.03 the content dissolves; at 1
    /// little but the colours change. Default: 0.15. With statistics of a network the unit is one
    /// statistic, and the default 3.
    pub content_weight: Option<f64>,
    /// Weight of the style; with statistics of a network, of each statistic. Default: 1.
    pub style_weight: f64,
    /// Width and height of the result; the content picture is resized to it. Default: the content
    /// picture's.
    pub size: Option<Size>,
    /// Size of the style's strokes: the style picture is resized so that its shorter side is this
    /// many times the result's. Default: 1.
    pub style_scale: f64,
    /// Whose colours the result has. Default: the style's.
    pub colours: Colours,
    /// A mask that is white where the content counts. It is resized to the result. Default: none, the
    /// content counts everywhere. [`Exemplars::regions`] says where each style counts.
    #[serde(skip)]
    #[setters(into)]
    pub content_mask: Option<Picture>,
    /// What to start from. Default: the content picture.
    pub start: StyleStart,
    /// The picture to start from, resized to the first scale, in place of what `start` says.
    /// Default: none.
    #[serde(skip)]
    #[setters(into)]
    pub start_picture: Option<Picture>,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
    /// The layer whose features the result shares with the content picture. A deeper one keeps
    /// less of its detail. Default: `conv2_2`, of AlexNet `conv2`.
    pub content_layer: Option<Layer>,
    /// Layers whose statistics it shares with the style picture. Default: `conv1_1 conv2_1
    /// conv3_1`, of AlexNet `conv1 conv2 conv3`.
    #[setters(into)]
    pub style_layers: Option<Vec<Layer>>,
    /// Match them on every octave of the image at once. Default: true.
    pub every_octave: bool,
    /// Weight of the distribution of the style's colours, in units of one statistic. Default: 1.
    pub colour_weight: f64,
    /// Weight of the total variation, in the same units. Default: 0.
    pub total_variation_weight: f64,
}

impl Default for StyleOptions {
    fn default() -> Self {
        Self {
            content_layer: None,
            style_layers: None,
            statistics: Statistics::Resampled,
            every_octave: true,
            content_weight: None,
            style_weight: 1.0,
            colour_weight: 1.0,
            total_variation_weight: 0.0,
            size: None,
            style_scale: 1.0,
            colours: Colours::default(),
            content_mask: None,
            start: StyleStart::default(),
            start_picture: None,
            run: RunOptions::default(),
        }
    }
}

run_setters!(StyleOptions);

impl StyleOptions {
    fn check(&self) -> Result<()> {
        self.run.check()?;
        if let Some(weight) = self.content_weight {
            not_negative("content weight", weight)?;
        }
        positive("style weight", self.style_weight)?;
        not_negative("colour weight", self.colour_weight)?;
        not_negative("total variation weight", self.total_variation_weight)?;
        positive("style scale", self.style_scale)
    }

    /// The size to which a style picture of size `given` is resized for a result of size `result`: see
    /// [`style_scale`](Self::style_scale).
    #[must_use]
    pub fn style_size(&self, given: Size, result: Size) -> Size {
        let factor = self.style_scale * result.shorter() as f64 / given.shorter().max(1) as f64;
        given.scaled(factor)
    }
}

/// Paints `content` in the style of `style`: a picture, a [mixture](Exemplars::mixture) of several,
/// or several in [regions](Exemplars::regions) of their own.
///
/// By default the distribution of the result's patches becomes that of the style's along random filters
/// that are drawn anew at every step, as in [`synthesize_texture`](crate::synthesize_texture), and a few
/// filters of luminance keep the contours of the content:
///
/// ```text
/// L_t = D_t(x, style) + a C_t(x, content)
/// ```
///
/// For `D`, positions of the style and of the result are split, anew for each bank of filters, into six
/// classes of equal shares by their rank along a random direction of luminance and orientation, and
/// distributions are compared class by class: light comes to light, and strokes follow contours. `C` is
/// the distance of the responses at each position from the content's, in the contrast of the style,
/// where the content is not flat. This runs in host memory, on all threads, whatever the network's
/// device. (Distributions in classes of a guide are this crate's own; guides of luminance and
/// orientation are those of Hertzmann et al., "Image Analogies", SIGGRAPH 2001.)
///
/// With other [`Statistics`] L-BFGS minimises, at every scale from coarse to fine,
///
/// ```text
/// L = a |F(x) - F(content)|^2 / (2 N M)  +  b D(x, style)  +  c R(x)
/// ```
///
/// with `D` the distance of statistics that [`synthesize_texture`](crate::synthesize_texture)
/// minimises, where every term is first scaled by [`LayerNormalizer`](crate::LayerNormalizer), so that `a`,
/// `b` and `c` mean the same at any size and layer. (He, Wang and Hopcroft, NIPS 2016, section
/// 3.3.)
///
/// # Errors
///
/// Those of [`synthesize_texture`](crate::synthesize_texture).
pub fn transfer_style(
    vgg: &Vgg,
    content: impl Into<Picture>,
    style: impl Into<Exemplars>,
    options: &StyleOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let begun = Instant::now();
    options.check()?;
    let content = content.into();
    let formats = content.formats();
    let content = content.read("the content picture", vgg.channels())?;
    let style = style.into().read("the style picture", vgg.channels())?;
    let mask = match &options.content_mask {
        Some(mask) => Some(mask.read_region("the content mask")?),
        None => None,
    };
    let size = options.size.unwrap_or(content.size());
    size.check("the result")?;
    if options.colours != Colours::Style && vgg.channels() != 3 {
        let allowed = "those of the style, for pictures of other than three channels";
        return Err(Error::option("colours", "those of the content", allowed));
    }
    let identity = Identity::of(vgg, "style", (options, &options.run), || {
        let mut inputs = vec![
            ("the content picture", content.fingerprint()),
            ("the style picture", style.fingerprint()),
        ];
        let mask = mask.as_ref().map(Raster::fingerprint);
        inputs.extend(mask.map(|mask| ("the content mask", mask)));
        inputs
    });
    let scaled: Vec<Size> = style
        .sizes()
        .map(|own| options.style_size(own, size))
        .collect();
    for size in &scaled {
        size.check("the style at its scale")?;
    }
    // Before anything is made as large as the result.
    match options.statistics {
        Statistics::Resampled => {
            resampled::memory(vgg, size, &scaled, options)?;
        }
        _ => options.run.check_memory(size, vgg.channels())?,
    }
    let style = style.resized_by(|own| options.style_size(own, size));
    let coloured = content.resized(size);
    drop(content);
    // Pictures share their values until one of them is changed, and the last is dropped.
    let colours = (options.colours == Colours::Luminance).then(|| coloured.clone());
    let (picture, style) = match options.colours {
        Colours::Style => (coloured, style),
        Colours::Matched => {
            let style = style.changed(|picture| matched(picture, &coloured));
            (coloured, style)
        }
        Colours::Luminance => {
            let luminance = luma(&coloured);
            let style = style.changed(|picture| luma(&matched(picture, &coloured)));
            (luminance, style)
        }
    };
    let content = ContentPicture {
        begun,
        identity,
        picture,
        mask,
        formats,
    };
    let outcome = match options.statistics {
        Statistics::Resampled => resampled::paint(vgg, content, &style, options, observer),
        _ => layers::paint(vgg, content, &style, options, observer),
    }?;
    Ok(match colours {
        Some(colours) => outcome.changed(|picture| with_luma(&colours, picture)),
        None => outcome,
    })
}

/// The content picture at the result's size, the mask of where it counts, and its pixel types.
struct ContentPicture {
    /// When the task began.
    begun: Instant,
    identity: Option<Identity>,
    picture: Raster,
    mask: Option<Raster>,
    formats: Vec<Format>,
}

//! Style transfer: the content of one picture in the style of another.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, not_negative, positive};
use crate::exemplars::Exemplars;
use crate::imaging::{Picture, Raster, Size, luma, matched, with_luma};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;
use crate::run::{self, Course, Observer, Outcome, RunOptions, Unobserved};
use crate::task::{self, Statistics, Style, deepest, with_content, with_total_variation};

/// What style transfer starts from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum StyleStart {
    /// The content picture.
    #[default]
    Content,
    /// Noise.
    Noise,
    /// Another picture, resized.
    Picture(Picture),
}

/// Whose colours the result of a style transfer has.
///
/// (Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer",
/// 2016, describe both ways to keep the content's.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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

/// Options of [`transfer_style`].
#[derive(Clone, Debug)]
pub struct StyleOptions {
    /// The layer whose features the result shares with the content picture. A deeper one keeps
    /// less of its detail. Default: `conv2_2`, of AlexNet `conv2`.
    pub content_layer: Option<Layer>,
    /// Layers whose statistics it shares with the style picture. Default: `conv1_1 conv2_1
    /// conv3_1`, of AlexNet `conv1 conv2 conv3`.
    pub style_layers: Option<Vec<Layer>>,
    /// Which statistics of their features. Default: means, and whitened covariances.
    pub statistics: Statistics,
    /// Match them on every octave of the image at once. Default: true.
    pub every_octave: bool,
    /// How strongly content pulls, in units of one statistic of the style. Below 1 the content
    /// dissolves, above 10 little but the colours change. Default: 3.
    pub content_weight: f64,
    /// How strongly each statistic of the style pulls. Default: 1.
    pub style_weight: f64,
    /// How strongly the distribution of the style's colours pulls, in units of one of its
    /// statistics. Default: 1.
    pub colour_weight: f64,
    /// Weight of the total variation, in the same units. Default: 0.
    pub total_variation_weight: f64,
    /// Width and height of the result; the content picture is resized to it. Default: the content
    /// picture's.
    pub size: Option<Size>,
    /// Size of the style's strokes: the style picture is resized so that its shorter side is this
    /// many times the result's. Default: 1.
    pub style_scale: f64,
    /// Whose colours the result has. Default: the style's.
    pub colours: Colours,
    /// Where the content pulls: white of a mask, which is resized to the result. Default:
    /// everywhere. Where a style pulls, and which, is said by [`Exemplars::regions`].
    pub content_mask: Option<Picture>,
    /// What to start from. Default: the content picture.
    pub start: StyleStart,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
}

impl Default for StyleOptions {
    fn default() -> Self {
        Self {
            content_layer: None,
            style_layers: None,
            statistics: Statistics::Whitened,
            every_octave: true,
            content_weight: 3.0,
            style_weight: 1.0,
            colour_weight: 1.0,
            total_variation_weight: 0.0,
            size: None,
            style_scale: 1.0,
            colours: Colours::default(),
            content_mask: None,
            start: StyleStart::default(),
            run: RunOptions::default(),
        }
    }
}

impl StyleOptions {
    fn check(&self) -> Result<()> {
        self.run.check()?;
        not_negative("content weight", self.content_weight)?;
        positive("style weight", self.style_weight)?;
        not_negative("colour weight", self.colour_weight)?;
        not_negative("total variation weight", self.total_variation_weight)?;
        positive("style scale", self.style_scale)
    }
}

/// Paints `content` in the style of `style`: a picture, a [mixture](Exemplars::mixture) of several,
/// or several in [regions](Exemplars::regions) of their own.
///
/// Minimises, at every scale from coarse to fine,
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
/// Options outside of what is allowed, pictures too small for the layers, and anything the device
/// reports; all but the last before any work.
pub fn transfer_style(
    vgg: &Vgg,
    content: impl Into<Picture>,
    style: impl Into<Exemplars>,
    options: &StyleOptions,
) -> Result<Outcome> {
    transfer_style_observed(vgg, content, style, options, &mut Unobserved)
}

/// As [`transfer_style`], watched: see [`Observer`].
///
/// # Errors
///
/// Those of [`transfer_style`].
pub fn transfer_style_observed(
    vgg: &Vgg,
    content: impl Into<Picture>,
    style: impl Into<Exemplars>,
    options: &StyleOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    options.check()?;
    let content = content.into();
    let formats = content.formats();
    let content = content.read("the content picture", vgg.channels())?;
    let style = style.into().read("the style picture", vgg.channels())?;
    let size = options.size.unwrap_or(content.size());
    size.check("the result")?;
    let scaled = |own: &Raster| own.resized(style_size(own.size(), size, options.style_scale));
    let style = style.changed(scaled);
    let mut images = vec![("the result", size)];
    images.extend(style.sizes().map(|size| ("the style picture", size)));
    let content_layer = match options.content_layer {
        Some(layer) => layer,
        None => task::content_layer(vgg),
    };
    let style_layers = match &options.style_layers {
        Some(layers) => layers.clone(),
        None => task::style_layers(vgg, &images),
    };
    let minimum =
        deepest(vgg, &[content_layer], &images[..1])?.max(deepest(vgg, &style_layers, &images)?);
    let all: Vec<Size> = images.iter().map(|(_, size)| *size).collect();
    let halvings = options.run.scales.halvings(&all, minimum);
    let sizes = size.octaves(halvings);
    let content_mask = match &options.content_mask {
        Some(mask) => Some(mask.read_region("the content mask")?),
        None => None,
    };
    if options.colours != Colours::Style && vgg.channels() != 3 {
        let allowed = "those of the style, for pictures of other than three channels";
        return Err(Error::option("colours", "those of the content", allowed));
    }
    let coloured = content.resized(size);
    let (content, style) = match options.colours {
        Colours::Style => (coloured.clone(), style),
        Colours::Matched => {
            let style = style.changed(|picture| matched(picture, &coloured));
            (coloured.clone(), style)
        }
        Colours::Luminance => {
            let light = luma(&coloured);
            let style = style.changed(|picture| luma(&matched(picture, &coloured)));
            (light, style)
        }
    };
    let mean = style.mean();
    let start = match &options.start {
        StyleStart::Content => content.clone(),
        StyleStart::Picture(picture) => picture.read("the starting picture", vgg.channels())?,
        StyleStart::Noise => options.run.starting_noise(sizes[0], &mean),
    };
    let course = Course {
        sizes,
        start,
        mean,
        formats,
        kept: None,
    };
    let outcome = run::run(vgg, course, &options.run, observer, |scale| {
        let octaves = halvings - scale;
        let style = style.halved(octaves, vgg.device());
        let mut objective = Objective::new(vgg);
        if options.content_weight > 0.0 {
            let content = content.resized(size.halved(octaves));
            let at = (content_layer, options.content_weight);
            objective = with_content(objective, vgg, &content, content_mask.as_ref(), at)?;
        }
        let octaves = if options.every_octave { scale } else { 0 };
        let terms = Style {
            layers: &style_layers,
            statistics: options.statistics,
            size: size.halved(halvings - scale),
            octaves,
            weight: options.style_weight,
            colour_weight: options.style_weight * options.colour_weight,
        };
        let objective = terms.add(objective, vgg, style)?;
        Ok(with_total_variation(
            objective,
            options.total_variation_weight,
        ))
    })?;
    Ok(match options.colours {
        Colours::Luminance => outcome.changed(|picture| with_luma(&coloured, picture)),
        _ => outcome,
    })
}

/// The style picture's size when its shorter side is `scale` times that of the result.
fn style_size(style: Size, result: Size, scale: f64) -> Size {
    let factor = scale * result.shorter() as f64 / style.shorter() as f64;
    let side = |side: usize| ((side as f64 * factor).round() as usize).max(1);
    Size::new(side(style.width), side(style.height))
}

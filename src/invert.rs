//! Inversion: an image with the same features as a given one, from nothing but those features.

use crate::error::Result;
use crate::imaging::Picture;
use crate::network::{Layer, Vgg};
use crate::objective::Objective;
use crate::run::{self, Course, Observer, Outcome, RunOptions, Unobserved};
use crate::task::{deepest, with_content, with_total_variation};

/// Options of [`invert`].
#[derive(Clone, Debug)]
pub struct InvertOptions {
    /// Weight of the total variation, in units of the content loss. More removes the fine noise
    /// that deep layers do not see, and detail that they do. Default: 0.
    pub total_variation_weight: f64,
    /// The picture to start from, resized; noise where there is none.
    pub start: Option<Picture>,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
}

impl Default for InvertOptions {
    fn default() -> Self {
        Self {
            total_variation_weight: 0.0,
            start: None,
            run: RunOptions {
                evaluations: 200,
                ..RunOptions::default()
            },
        }
    }
}

/// Reconstructs `picture` from its features at `layer`.
///
/// Minimises `|F(x) - F(picture)|^2 / (2 N M)` from noise. What comes back shows what the layer
/// keeps of an image; what is lost or invented, what it ignores. (He, Wang and Hopcroft, NIPS
/// 2016, section 3.1.)
///
/// From coarse to fine, as is the default, the features of smaller copies help, and the result
/// shows more than those at full size alone; [`Scales::Single`](crate::Scales::Single) leaves them
/// out.
///
/// # Errors
///
/// Options outside of what is allowed, a picture too small for the layer or, for a fully connected
/// layer, not 224x224, and anything the device reports; all but the last before any work.
pub fn invert(
    vgg: &Vgg,
    picture: impl Into<Picture>,
    layer: Layer,
    options: &InvertOptions,
) -> Result<Outcome> {
    invert_observed(vgg, picture, layer, options, &mut Unobserved)
}

/// As [`invert`], watched: see [`Observer`].
///
/// # Errors
///
/// Those of [`invert`].
pub fn invert_observed(
    vgg: &Vgg,
    picture: impl Into<Picture>,
    layer: Layer,
    options: &InvertOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    options.run.check()?;
    crate::error::not_negative("total variation weight", options.total_variation_weight)?;
    let picture = picture.into();
    let formats = picture.formats();
    let picture = picture.into_raster("the picture", vgg.channels())?;
    let size = picture.size();
    let minimum = deepest(vgg, &[layer], &[("the picture", size)])?;
    let halvings = options.run.scales.halvings(&[size], minimum);
    let sizes = size.octaves(halvings);
    let mean = picture.mean();
    let start = match &options.start {
        Some(start) => {
            let start = start.clone();
            start.into_raster("the starting picture", vgg.channels())?
        }
        None => options.run.starting_noise(sizes[0], &mean),
    };
    let course = Course {
        sizes,
        start,
        mean,
        formats,
        kept: None,
    };
    run::run(vgg, course, &options.run, observer, |scale| {
        let picture = picture.resized(size.halved(halvings - scale));
        let objective = with_content(Objective::new(vgg), vgg, &picture, None, (layer, 1.0))?;
        Ok(with_total_variation(
            objective,
            options.total_variation_weight,
        ))
    })
}

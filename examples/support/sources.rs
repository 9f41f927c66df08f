//! What a texture or style is made of, from the command line.

use std::path::PathBuf;

use clap::Args;
use image::DynamicImage;
use ranvgg::{Exemplars, Statistics, Vgg};

use super::{Result, open_picture};

/// What a texture or style is made of.
#[derive(Args, Debug)]
pub(crate) struct Sources {
    /// Shares of several pictures, separated by commas [default: equal]
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        conflicts_with = "guide"
    )]
    pub(crate) weights: Vec<f64>,

    /// Which picture goes where in the result: of two, the first where this one is black and the
    /// second where it is white; of more, greys between; a single one where it is white
    #[arg(long, value_name = "PICTURE")]
    pub(crate) guide: Option<PathBuf>,

    /// Statistics that are matched: resampled, whitened, distributions, moments or gram [default:
    /// resampled; whitened where layers are named or weights come from a file]
    #[arg(long, value_name = "NAME")]
    statistics: Option<Statistics>,

    /// Weight of the distribution of colours, in units of one statistic [default: 1]
    #[arg(long, value_name = "W")]
    pub(crate) colour_weight: Option<f64>,
}

impl Sources {
    /// What is asked for, or what fits a network, of which `layers` may be named.
    pub(crate) fn statistics(&self, vgg: &Vgg, layers: bool) -> Statistics {
        let of_a_network = layers || vgg.recipe().is_none();
        self.statistics.unwrap_or(match of_a_network {
            true => Statistics::Whitened,
            false => Statistics::Resampled,
        })
    }

    /// The pictures at `paths`, mixed or side by side.
    pub(crate) fn read(&self, paths: &[PathBuf], bundled: &str) -> Result<Exemplars> {
        let mut pictures = Vec::new();
        for path in paths {
            pictures.push(open_picture(Some(path), bundled)?);
        }
        if pictures.is_empty() {
            pictures.push(open_picture(None, bundled)?);
        }
        if !self.weights.is_empty() && self.weights.len() != pictures.len() {
            let (found, expected) = (self.weights.len(), pictures.len());
            return Err(format!("--weights has {found} numbers for {expected} pictures").into());
        }
        let Some(guide) = &self.guide else {
            let weights = self.weights.iter().copied().chain(std::iter::repeat(1.0));
            return Ok(Exemplars::mixture(pictures.into_iter().zip(weights)));
        };
        let guide = open_picture(Some(guide), "")?.to_luma8();
        let count = pictures.len();
        let regions = pictures.into_iter().enumerate().map(|(number, picture)| {
            let mask = image::GrayImage::from_fn(guide.width(), guide.height(), |x, y| {
                let level = usize::from(guide.get_pixel(x, y).0[0]);
                let here = match count {
                    1 => level >= 128,
                    _ => level * count / 256 == number,
                };
                image::Luma([if here { 255 } else { 0 }])
            });
            (Exemplars::from(picture), DynamicImage::from(mask))
        });
        Ok(Exemplars::regions(regions))
    }
}

//! What a texture or style is made of: a picture, a mixture, or one picture for each region.

use std::path::{Path, PathBuf};

use clap::Args;
use image::{DynamicImage, GrayImage, Luma};
use ranvgg::{Exemplars, Statistics, Vgg};

use crate::failure::Result;
use crate::pictures::{self, Bundled};
use crate::values;

/// What of a picture is matched, and how several share the result.
#[derive(Args, Debug)]
pub(crate) struct Sources {
    /// Shares of several pictures in a mixture, separated by commas [default: equal]
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        value_parser = values::positive,
        conflicts_with = "guide"
    )]
    pub(crate) weights: Vec<f64>,

    /// Picture of greys that says which of several pictures goes where: of two, the first where it is
    /// black and the second where it is white; of more, greys between; a single one where it is white
    /// [default: none]
    #[arg(long, value_name = "PICTURE")]
    pub(crate) guide: Option<PathBuf>,

    /// Statistics that are matched [default: resampled; whitened where layers are named or weights
    /// come from a file]
    #[arg(long, value_name = "NAME", value_parser = values::name::<Statistics>())]
    statistics: Option<Statistics>,

    /// Weight of the distribution of colours, with statistics of a network and in units of one of them
    /// [default: 1]
    #[arg(long, value_name = "W", value_parser = values::weight)]
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

    /// Whether several pictures are to make one.
    pub(crate) fn mix(&self) -> bool {
        self.guide.is_some() || !self.weights.is_empty()
    }

    /// Opens the pictures at `paths`.
    pub(crate) fn open(&self, paths: &[PathBuf], bundled: Bundled) -> Result<Vec<DynamicImage>> {
        let paths: Vec<Option<&Path>> = match paths {
            [] => vec![None],
            paths => paths.iter().map(|path| Some(path.as_path())).collect(),
        };
        if !self.weights.is_empty() && self.weights.len() != paths.len() {
            let (found, expected) = (self.weights.len(), paths.len());
            return Err(format!("--weights has {found} numbers for {expected} pictures").into());
        }
        let pictures = paths.into_iter();
        pictures
            .map(|path| pictures::open_or(path, bundled))
            .collect()
    }

    /// Pictures, mixed or side by side.
    pub(crate) fn exemplars(&self, pictures: Vec<DynamicImage>) -> Result<Exemplars> {
        match &self.guide {
            Some(guide) => Ok(guided(pictures, &pictures::open(guide)?.to_luma8())),
            None => {
                let weights = self.weights.iter().copied().chain(std::iter::repeat(1.0));
                Ok(Exemplars::mixture(pictures.into_iter().zip(weights)))
            }
        }
    }
}

/// Each picture where the guide has its grey.
fn guided(pictures: Vec<DynamicImage>, guide: &GrayImage) -> Exemplars {
    let count = pictures.len();
    let regions = pictures.into_iter().enumerate().map(|(number, picture)| {
        let mask = GrayImage::from_fn(guide.width(), guide.height(), |x, y| {
            let level = usize::from(guide.get_pixel(x, y).0[0]);
            let here = match count {
                1 => level >= 128,
                _ => level * count / 256 == number,
            };
            Luma([if here { 255 } else { 0 }])
        });
        (Exemplars::from(picture), DynamicImage::from(mask))
    });
    Exemplars::regions(regions)
}

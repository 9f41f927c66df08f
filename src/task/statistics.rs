//! Statistics that make a texture or a style, as terms of an objective.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{map_size, region};
use crate::error::{Error, Result};
use crate::exemplars::{Given, GivenPart};
use crate::imaging::{Raster, Size};
use crate::kernels::Padding;
use crate::loss::{Gram, Loss, Region, Wasserstein, moments_of_mixture};
use crate::network::{Layer, Vgg};
use crate::objective::{Objective, halve};

/// Which statistics of features make a texture or a style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistics {
    /// Gram matrices, as published: means and covariances in one, of which means have most weight.
    /// Shapes dissolve.
    Gram,
    /// Means and covariances, each with its own weight: shapes keep their place in the picture, and
    /// ragged outlines.
    Moments,
    /// Means, and covariances measured where weak directions count as well: outlines are drawn.
    #[default]
    Whitened,
    /// Means, and distributions of features along 64 directions: more than two moments tell, for
    /// 1.6 times the time.
    Distributions,
}

impl Statistics {
    /// All of them, by name.
    const NAMES: [(&'static str, Self); 4] = [
        ("gram", Self::Gram),
        ("moments", Self::Moments),
        ("whitened", Self::Whitened),
        ("distributions", Self::Distributions),
    ];
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, known)| known == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for Statistics {
    type Err = Error;

    /// Reads a name: `gram`, `moments`, `whitened` or `distributions`.
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, statistics)| *statistics).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name).join(", ");
            Error::option("statistics", format!("`{name}`"), names)
        })
    }
}

/// A style, as terms of an objective.
pub(crate) struct Style<'a> {
    pub(crate) layers: &'a [Layer],
    pub(crate) statistics: Statistics,
    /// Size of the image.
    pub(crate) size: Size,
    /// Halvings of the image that are matched besides the image itself.
    pub(crate) octaves: usize,
    /// Weight of each statistic.
    pub(crate) weight: f64,
    /// Weight of the distribution of colours, in the same units.
    pub(crate) colour_weight: f64,
}

/// Weight of a mean compared with the covariance beside it. Of 1, 5, 10 and 20 ten gave the closest
/// patches (`docs/QUALITY.md`): whitened covariances see little of how much there is of what.
const MEAN_WEIGHT: f64 = 10.0;

/// How covariances are whitened: see [`Covariance::partially_whitened`](crate::loss::Covariance::partially_whitened).
const WHITENING: f64 = 0.5;

/// Directions along which features are compared, and colours.
const DIRECTIONS: usize = 64;
const COLOUR_DIRECTIONS: usize = 32;

/// Positions at the border of an exemplar's map that its statistics leave out. What is mirrored
/// there is found at the border of every result, and would be put into its place.
const MARGIN: usize = 1;

/// Where a term counts.
enum Place {
    Everywhere,
    In(Region),
    /// In a region too small for a map of this size.
    Nowhere,
}

impl Style<'_> {
    /// Adds the statistics of each region's mixture of exemplars, on the image and on its halvings.
    ///
    /// A network that wraps makes a result that tiles. The exemplars need not tile: read as if they
    /// did, their own seams would be part of their statistics, so they are read by reflection then.
    pub(crate) fn add(
        &self,
        mut objective: Objective,
        vgg: &Vgg,
        mut given: Vec<Given<'_>>,
    ) -> Result<Objective> {
        let reader = match vgg.padding() {
            Padding::Circular => vgg.with_padding(Padding::Reflect),
            _ => vgg.clone(),
        };
        let margin = match self.statistics {
            Statistics::Gram => 0,
            _ => MARGIN,
        };
        for octave in 0..=self.octaves {
            let image = self.size.halved(octave);
            // One layer at a time: a pass costs little, the maps of all layers much memory.
            for &layer in self.layers {
                let places = places(&given, map_size(vgg, image, layer)?, vgg.device());
                for (number, (group, place)) in given.iter().zip(places).enumerate() {
                    let mut maps = Vec::new();
                    for part in &group.parts {
                        let picture = part.picture.clone();
                        let Some(map) = reader.features(picture, &[layer])?.take(layer) else {
                            unreachable!("every tap has features");
                        };
                        maps.extend(part.counted(map, margin)?);
                    }
                    let name = |what: &str| named(&format!("{what} {layer}"), octave, number);
                    for (what, weight, loss) in self.at_layer(maps)? {
                        let put = |objective: Objective, weight: f64, loss: Box<dyn Loss>| {
                            objective.at_octave(octave, name(what), layer, weight, loss)
                        };
                        objective = place.put(objective, weight, loss, put);
                    }
                }
            }
            if self.colour_weight > 0.0 {
                let places = places(&given, image, vgg.device());
                for (number, (group, place)) in given.iter().zip(places).enumerate() {
                    let mut colours = Vec::new();
                    for part in &group.parts {
                        colours.extend(part.counted(part.picture.clone(), 0)?);
                    }
                    if colours.is_empty() {
                        continue;
                    }
                    let loss = Box::new(Wasserstein::of_mixture(colours, COLOUR_DIRECTIONS)?);
                    let put = |objective: Objective, weight: f64, loss: Box<dyn Loss>| {
                        let name = named("colours", octave, number);
                        objective.at_halved_image(octave, name, weight, loss)
                    };
                    objective = place.put(objective, self.colour_weight, loss, put);
                }
            }
            if octave < self.octaves {
                let parts = given.iter_mut().flat_map(|group| &mut group.parts);
                for part in parts {
                    part.picture = halve(part.picture.clone())?;
                }
            }
        }
        Ok(objective)
    }

    /// The losses of a layer whose exemplars have these maps: names, weights, losses.
    fn at_layer(
        &self,
        maps: Vec<(Tensor<4>, f64)>,
    ) -> Result<Vec<(&'static str, f64, Box<dyn Loss>)>> {
        let weight = self.weight;
        if maps.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match self.statistics {
            Statistics::Gram => vec![("gram", weight, Box::new(Gram::of_mixture(maps)?))],
            Statistics::Moments => {
                let (mean, covariance) = moments_of_mixture(maps)?;
                vec![
                    ("mean", weight, Box::new(mean)),
                    ("covariance", weight, Box::new(covariance)),
                ]
            }
            Statistics::Whitened => {
                let (mean, covariance) = moments_of_mixture(maps)?;
                let covariance = covariance.partially_whitened(WHITENING)?;
                vec![
                    ("mean", weight * MEAN_WEIGHT, Box::new(mean)),
                    ("covariance", weight, Box::new(covariance)),
                ]
            }
            Statistics::Distributions => {
                let distribution = Wasserstein::of_mixture(maps.clone(), DIRECTIONS)?;
                let (mean, _) = moments_of_mixture(maps)?;
                vec![
                    ("mean", weight * MEAN_WEIGHT, Box::new(mean)),
                    ("distribution", weight, Box::new(distribution)),
                ]
            }
        })
    }
}

impl Place {
    /// Adds a loss here by `put`. Its weight is in proportion to the area, so that it pulls as hard
    /// at each position as one that counts everywhere.
    fn put(
        &self,
        objective: Objective,
        weight: f64,
        loss: Box<dyn Loss>,
        put: impl FnOnce(Objective, f64, Box<dyn Loss>) -> Objective,
    ) -> Objective {
        match self {
            Self::Everywhere => put(objective, weight, loss),
            Self::In(region) => {
                let loss = Box::new(region.restrict(loss));
                put(objective, weight * region.share(), loss)
            }
            Self::Nowhere => objective,
        }
    }
}

impl GivenPart<'_> {
    /// The positions of a map of this picture that count, with the picture's share; none where its
    /// mask leaves none. `margin` positions at the border do not.
    fn counted(&self, map: Tensor<4>, margin: usize) -> Result<Option<(Tensor<4>, f64)>> {
        let [_, _, height, width] = map.dims();
        let (map, size) = if height.min(width) <= 2 * margin {
            (map, Size::new(width, height))
        } else {
            let size = Size::new(width - 2 * margin, height - 2 * margin);
            let inner = map.narrow(2, margin, size.height);
            (inner.narrow(3, margin, size.width), size)
        };
        let Some(mask) = self.mask else {
            return Ok(Some((map, self.share)));
        };
        // The mask of a map without its border, from that of the whole.
        let whole = mask.resized(Size::new(width, height));
        let whole = whole.to_tensor(&map.device());
        let top = (height - size.height) / 2;
        let left = (width - size.width) / 2;
        let inner = whole.narrow(2, top, size.height);
        let inner = inner.narrow(3, left, size.width);
        match Region::of(inner.reshape([size.height, size.width])) {
            Ok(region) => Ok(Some((region.gather(map)?, self.share))),
            Err(Error::InvalidOption { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Where each group counts in a map of `size`. Of regions that overlap the lightest has a position.
fn places(given: &[Given<'_>], size: Size, device: &Device) -> Vec<Place> {
    let masks: Vec<Option<Raster>> = given
        .iter()
        .map(|group| group.region.map(|mask| mask.resized(size)))
        .collect();
    let lightness = |group: usize, pixel: usize| {
        let mask: Option<&Raster> = masks[group].as_ref();
        mask.map_or(1.0, |mask| mask.values()[pixel])
    };
    let place = |(number, mask): (usize, &Option<Raster>)| {
        if mask.is_none() {
            return Place::Everywhere;
        }
        let mine = Raster::from_pixels(size, |pixel| {
            let own = lightness(number, pixel);
            let others = (0..given.len()).filter(|other| *other != number);
            let first = others.into_iter().all(|other| {
                let its = lightness(other, pixel);
                own > its || own == its && number < other
            });
            [if first { own } else { 0.0 }]
        });
        region(&mine, size, device).map_or(Place::Nowhere, Place::In)
    };
    masks.iter().enumerate().map(place).collect()
}

/// The name of a term at an octave, of a region after the first.
fn named(what: &str, octave: usize, number: usize) -> String {
    let mut name = what.to_owned();
    if octave > 0 {
        name += &format!(" octave {octave}");
    }
    if number > 0 {
        name += &format!(" region {}", number + 1);
    }
    name
}

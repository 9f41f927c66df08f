//! Statistics that make a texture or a style, as terms of an objective.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{map_size, region};
use crate::engine::Padding;
use crate::error::{Error, Result, unknown_name};
use crate::exemplars::{Given, GivenPart};
use crate::imaging::{Raster, Size};
use crate::loss::{Gram, Loss, Region, Wasserstein, moments_of_mixture};
use crate::network::{Layer, Vgg};
use crate::objective::{Objective, halve};

/// Which statistics make a texture or a style.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[strum(serialize_all = "lowercase", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Statistics {
    /// Gram matrices, as published: means and covariances in one, of which means have most weight.
    /// Shapes dissolve.
    Gram,
    /// Means and covariances, each with its own weight: shapes keep their place in the picture, and
    /// ragged outlines.
    Moments,
    /// Means, and covariances measured where weak directions count as well: outlines are drawn.
    Whitened,
    /// Means, and distributions of features along 64 directions: more than two moments tell, for
    /// 1.6 times the time.
    Distributions,
    /// Whole distributions of the responses of random filters that are drawn anew at every step: no
    /// network at all, but a stream of them. For textures.
    Resampled,
}

fn unknown(name: &str) -> Error {
    unknown_name::<Statistics>("statistics", name)
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

/// What is said where features of a network are asked for.
fn reads_no_network() -> Error {
    let allowed = "gram, moments, whitened or distributions where features of a network count";
    Error::option("statistics", Statistics::Resampled, allowed)
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

/// A statistic of a map: what it is called, its weight and its target.
struct Statistic {
    name: &'static str,
    weight: f64,
    loss: Box<dyn Loss>,
}

/// Where a statistic counts.
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
        for octave in 0..=self.octaves {
            let image = self.size.halved(octave);
            // One layer at a time: a pass costs little, the maps of all layers much memory.
            for &layer in self.layers {
                let places = places(&given, map_size(vgg, image, layer)?, vgg.device());
                for (number, (group, place)) in given.iter().zip(places).enumerate() {
                    for statistic in self.of_layer(group, &reader, layer)? {
                        let what = format!("{} {layer}", statistic.name);
                        let name = named(&what, octave, number);
                        if let Some((weight, loss)) = statistic.at(&place) {
                            objective = objective.at_octave(octave, name, layer, weight, loss);
                        }
                    }
                }
            }
            if self.colour_weight > 0.0 {
                let places = places(&given, image, vgg.device());
                for (number, (group, place)) in given.iter().zip(places).enumerate() {
                    let statistic = self.of_colours(group)?;
                    if let Some((weight, loss)) = statistic.and_then(|it| it.at(&place)) {
                        let name = named("colours", octave, number);
                        objective = objective.at_halved_image(octave, name, weight, loss);
                    }
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

    /// The statistics of a group's features at a layer.
    fn of_layer(&self, group: &Given<'_>, reader: &Vgg, layer: Layer) -> Result<Vec<Statistic>> {
        let margin = match self.statistics {
            Statistics::Gram => 0,
            _ => MARGIN,
        };
        let mut maps = Vec::new();
        for part in &group.parts {
            let map = reader.features_at(part.picture.clone(), layer)?;
            maps.extend(part.counted(map, margin)?);
        }
        if maps.is_empty() {
            return Ok(Vec::new());
        }
        let statistic = |name, factor: f64, loss| Statistic {
            name,
            weight: self.weight * factor,
            loss,
        };
        Ok(match self.statistics {
            Statistics::Gram => vec![statistic("gram", 1.0, Box::new(Gram::of_mixture(maps)?))],
            Statistics::Moments => {
                let (mean, covariance) = moments_of_mixture(maps)?;
                vec![
                    statistic("mean", 1.0, Box::new(mean)),
                    statistic("covariance", 1.0, Box::new(covariance)),
                ]
            }
            Statistics::Whitened => {
                let (mean, covariance) = moments_of_mixture(maps)?;
                let covariance = covariance.partially_whitened(WHITENING)?;
                vec![
                    statistic("mean", MEAN_WEIGHT, Box::new(mean)),
                    statistic("covariance", 1.0, Box::new(covariance)),
                ]
            }
            Statistics::Distributions => {
                let distribution = Wasserstein::of_mixture(maps.clone(), DIRECTIONS)?;
                let (mean, _) = moments_of_mixture(maps)?;
                vec![
                    statistic("mean", MEAN_WEIGHT, Box::new(mean)),
                    statistic("distribution", 1.0, Box::new(distribution)),
                ]
            }
            Statistics::Resampled => return Err(reads_no_network()),
        })
    }

    /// The distribution of a group's colours.
    fn of_colours(&self, group: &Given<'_>) -> Result<Option<Statistic>> {
        let mut colours = Vec::new();
        for part in &group.parts {
            colours.extend(part.counted(part.picture.clone(), 0)?);
        }
        if colours.is_empty() {
            return Ok(None);
        }
        Ok(Some(Statistic {
            name: "colours",
            weight: self.colour_weight,
            loss: Box::new(Wasserstein::of_mixture(colours, COLOUR_DIRECTIONS)?),
        }))
    }
}

impl Statistic {
    /// Its weight and loss at a place. The weight is in proportion to the area, so that it pulls as
    /// hard at each position as one that counts everywhere.
    fn at(self, place: &Place) -> Option<(f64, Box<dyn Loss>)> {
        match place {
            Place::Everywhere => Some((self.weight, self.loss)),
            Place::In(region) => {
                let weight = self.weight * region.share();
                Some((weight, Box::new(region.restrict(self.loss))))
            }
            Place::Nowhere => None,
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
        // The mask is that of the whole map.
        let whole = mask.resized(Size::new(width, height));
        let (top, left) = ((height - size.height) / 2, (width - size.width) / 2);
        let inner = Raster::from_pixels(size, |pixel| {
            let (row, column) = (pixel / size.width + top, pixel % size.width + left);
            [whole.values()[row * width + column]]
        });
        match region(&inner, size, &map.device()) {
            Some(region) => Ok(Some((region.gather(map)?, self.share))),
            None => Ok(None),
        }
    }
}

/// Where each group counts in a map of `size`. Of regions that overlap the lightest has a position.
fn places(given: &[Given<'_>], size: Size, device: &Device) -> Vec<Place> {
    let masks: Vec<Option<Raster>> = given
        .iter()
        .map(|group| group.region.map(|mask| mask.resized(size)))
        .collect();
    let lightness = |number: usize, pixel: usize| {
        let mask: Option<&Raster> = masks[number].as_ref();
        mask.map_or(1.0, |mask| mask.values()[pixel])
    };
    let place = |(number, mask): (usize, &Option<Raster>)| {
        if mask.is_none() {
            return Place::Everywhere;
        }
        let mine = Raster::from_pixels(size, |pixel| {
            let own = lightness(number, pixel);
            let lightest = (0..masks.len()).all(|other| {
                let its = lightness(other, pixel);
                its < own || its <= own && number <= other
            });
            [if lightest { own } else { 0.0 }]
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

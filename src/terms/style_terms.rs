//! Statistics of exemplars as terms of an objective.

use burn::tensor::{Device, Tensor};

use super::{Statistics, map_size, region};
use crate::engine::Padding;
use crate::error::{Error, Result};
use crate::exemplars::{DeviceMixture, DeviceSource};
use crate::imaging::{Raster, Size, halve};
use crate::loss::{Gram, Loss, Region, Wasserstein, moments_of_mixture};
use crate::network::{Layer, Vgg};
use crate::objective::Objective;

/// The statistics of exemplars that an objective matches, and their weights.
pub(crate) struct StyleTerms<'a> {
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

/// The error of resampled filters where features of a network are asked for.
fn reads_no_network() -> Error {
    let allowed = "gram, moments, whitened or distributions where features of a network count";
    Error::option("statistics", Statistics::Resampled, allowed)
}

/// Weight of a mean compared with the covariance beside it. Of 1, 5, 10 and 20, ten gave the closest
/// patches (`docs/QUALITY.md`): whitened covariances say little of how often a feature occurs.
const MEAN_WEIGHT: f64 = 10.0;

/// How covariances are whitened: see [`Covariance::partially_whitened`](crate::loss::Covariance::partially_whitened).
const WHITENING: f64 = 0.5;

/// Numbers of directions along which features and colours are compared.
const DIRECTIONS: usize = 64;
const COLOUR_DIRECTIONS: usize = 32;

/// Positions at the border of an exemplar's map that its statistics leave out. Padding by reflection
/// makes features there that occur at every border; as statistics they would occur inside as well.
const MARGIN: usize = 1;

/// A statistic of a map: its name, its weight and the loss that compares with it.
struct Statistic {
    name: &'static str,
    weight: f64,
    loss: Box<dyn Loss>,
}

/// The positions of a map at which a mixture's statistics count.
enum Coverage {
    Everywhere,
    In(Region),
    /// In a region too small for a map of this size.
    Nowhere,
}

impl StyleTerms<'_> {
    /// Adds the statistics of each region's mixture of exemplars, on the image and on its halvings.
    ///
    /// A network with circular padding makes a result that tiles. Exemplars need not tile, and their
    /// seams must not become statistics; they are read with reflection instead.
    pub(crate) fn add(
        &self,
        mut objective: Objective,
        vgg: &Vgg,
        mut mixtures: Vec<DeviceMixture<'_>>,
    ) -> Result<Objective> {
        let reader = match vgg.padding() {
            Padding::Circular => vgg.with_padding(Padding::Reflect),
            _ => vgg.clone(),
        };
        for octave in 0..=self.octaves {
            let image = self.size.halved(octave);
            // One layer at a time: a pass costs little, the maps of all layers much memory.
            for &layer in self.layers {
                let coverages = coverages(&mixtures, map_size(vgg, image, layer)?, vgg.device());
                for (number, (mixture, coverage)) in mixtures.iter().zip(coverages).enumerate() {
                    for statistic in self.of_layer(mixture, &reader, layer)? {
                        let what = format!("{} {layer}", statistic.name);
                        let name = named(&what, octave, number);
                        if let Some((weight, loss)) = statistic.at(&coverage) {
                            objective = objective.at_octave(octave, name, layer, weight, loss);
                        }
                    }
                }
            }
            if self.colour_weight > 0.0 {
                let coverages = coverages(&mixtures, image, vgg.device());
                for (number, (mixture, coverage)) in mixtures.iter().zip(coverages).enumerate() {
                    let statistic = self.of_colours(mixture)?;
                    if let Some((weight, loss)) = statistic.and_then(|it| it.at(&coverage)) {
                        let name = named("colours", octave, number);
                        objective = objective.at_halved_image(octave, name, weight, loss);
                    }
                }
            }
            if octave < self.octaves {
                let members = mixtures.iter_mut().flat_map(|mixture| &mut mixture.members);
                for member in members {
                    member.picture = halve(member.picture.clone())?;
                }
            }
        }
        Ok(objective)
    }

    /// The statistics of a mixture's features at a layer.
    fn of_layer(
        &self,
        mixture: &DeviceMixture<'_>,
        reader: &Vgg,
        layer: Layer,
    ) -> Result<Vec<Statistic>> {
        let margin = match self.statistics {
            Statistics::Gram => 0,
            _ => MARGIN,
        };
        let mut maps = Vec::new();
        for member in &mixture.members {
            let map = reader.features_at(member.picture.clone(), layer)?;
            maps.extend(member.counted(map, margin)?);
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

    /// The distribution of a mixture's colours.
    fn of_colours(&self, mixture: &DeviceMixture<'_>) -> Result<Option<Statistic>> {
        let mut colours = Vec::new();
        for member in &mixture.members {
            colours.extend(member.counted(member.picture.clone(), 0)?);
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
    /// Its weight and loss where it counts. The weight is in proportion to the area, so that the gradient
    /// at a position is as large as that of a statistic that counts everywhere.
    fn at(self, coverage: &Coverage) -> Option<(f64, Box<dyn Loss>)> {
        match coverage {
            Coverage::Everywhere => Some((self.weight, self.loss)),
            Coverage::In(region) => {
                let weight = self.weight * region.share();
                Some((weight, Box::new(region.restrict(self.loss))))
            }
            Coverage::Nowhere => None,
        }
    }
}

impl DeviceSource<'_> {
    /// The positions of a map of this picture that count, with the picture's share; none if its mask
    /// leaves none. `margin` positions at the border do not count.
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

/// Where each mixture counts in a map of `size`. Where regions overlap, the one with the lightest mask
/// counts.
fn coverages(mixtures: &[DeviceMixture<'_>], size: Size, device: &Device) -> Vec<Coverage> {
    let masks: Vec<Option<Raster>> = mixtures
        .iter()
        .map(|mixture| mixture.region.map(|mask| mask.resized(size)))
        .collect();
    let lightness = |number: usize, pixel: usize| {
        let mask: Option<&Raster> = masks[number].as_ref();
        mask.map_or(1.0, |mask| mask.values()[pixel])
    };
    let coverage = |(number, mask): (usize, &Option<Raster>)| {
        if mask.is_none() {
            return Coverage::Everywhere;
        }
        let mine = Raster::from_pixels(size, |pixel| {
            let own = lightness(number, pixel);
            let lightest = (0..masks.len()).all(|other| {
                let its = lightness(other, pixel);
                its < own || its <= own && number <= other
            });
            [if lightest { own } else { 0.0 }]
        });
        region(&mine, size, device).map_or(Coverage::Nowhere, Coverage::In)
    };
    masks.iter().enumerate().map(coverage).collect()
}

/// The name of a term; octaves and regions after the first are part of it.
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

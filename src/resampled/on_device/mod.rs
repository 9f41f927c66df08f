//! The objective of textures and paintings on a GPU, where the picture and its optimiser stay.
//!
//! Filters and the borders between classes are the host's: a few ten thousand numbers at any size of the picture. It reads
//! a few numbers of each step, and the picture every now and then.

mod check;
mod descent;
mod labels;
#[cfg(all(test, feature = "wgpu"))]
mod tests;

use burn::tensor::{Device, Tensor};

pub(crate) use self::check::check_device;
use self::descent::Descent;
use self::labels::Splits;
use super::comparison::SOFT;
use super::distance::Draw;
use super::draw::{self, BANK};
use super::{BANKS, Content, Exemplar, Optimised, Painting, Resampled};
use crate::backend::{guarded, upload};
use crate::device::{self, DeviceClass};
use crate::engine::adam::Lists;
use crate::engine::patches::{
    self, DeviceFilters, DeviceGuide, DeviceMask, Filters, Labels, Mixture, Picture,
};
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size, luma_weights};
use crate::optim::{Adam, Stepper};
use crate::random::{self, Purpose};

/// Filters of a step.
const FILTERS: usize = BANKS * BANK;

/// Pixels from which on a GPU is used. Smaller pictures take less time on the host than a GPU's answer takes.
pub(crate) const FEWEST_PIXELS: usize = 96 * 96;

impl Resampled {
    /// Steps from a state of the optimiser on, on a GPU that has kernels for this target, which nearest patches do not
    /// pull. Filters are drawn anew every `steps_per_draw` steps. A GPU in software is slower than the host.
    pub(crate) fn steps_on<'a>(
        &'a self,
        device: &Device,
        (adam, picture): (&Adam, Optimised<'_>),
        steps_per_draw: u32,
    ) -> Result<Option<Box<dyn Stepper + 'a>>> {
        steps_on((self, None), device, (adam, picture), steps_per_draw)
    }
}

impl Painting {
    /// Steps from a state of the optimiser on, on a GPU that has kernels for this target.
    pub(crate) fn steps_on_device<'a>(
        &'a self,
        (adam, picture): (&Adam, Optimised<'_>),
    ) -> Result<Option<Box<dyn Stepper + 'a>>> {
        let content = (&self.content, self.weight);
        let target = (&self.style, Some(content));
        steps_on(target, &self.device, (adam, picture), 1)
    }
}

fn steps_on<'a>(
    (style, content): (&'a Resampled, Option<(&'a Content, f64)>),
    device: &Device,
    (adam, picture): (&Adam, Optimised<'_>),
    steps_per_draw: u32,
) -> Result<Option<Box<dyn Stepper + 'a>>> {
    if picture.whole.pixels() < FEWEST_PIXELS || !computes(device) {
        return Ok(None);
    }
    let objective = Objective::new(style, content, device)?;
    let descent = match objective {
        Some(objective) => Descent::new(objective, adam, picture, steps_per_draw)?,
        None => None,
    };
    Ok(descent.map(|descent| Box::new(descent) as Box<dyn Stepper + 'a>))
}

/// Whether a device is a GPU that is faster than the host.
fn computes(device: &Device) -> bool {
    // Tests have no other.
    let is_slow = |info: device::DeviceInfo| info.class == DeviceClass::SoftwareGpu && !cfg!(test);
    patches::serves(device) && !device::info_of(device).is_some_and(is_slow)
}

/// What is minimised.
struct Objective<'a> {
    style: &'a Resampled,
    regions: Vec<DeviceRegion>,
    /// Of the picture.
    guide: Option<DeviceGuide>,
    contours: Option<Contours>,
    /// Whether there is a term of the content, which may have no weight.
    is_painting: bool,
    device: Device,
}

/// A region and its exemplars.
struct DeviceRegion {
    exemplars: Vec<DeviceExemplar>,
    /// The parts of the exemplars.
    shares: Tensor<1>,
    mask: Option<DeviceMask>,
}

struct DeviceExemplar {
    picture: Picture,
    mask: Option<DeviceMask>,
    guide: Option<DeviceGuide>,
}

/// The content's term.
struct Contours {
    /// The luminance.
    content: Picture,
    mask: Option<DeviceMask>,
    /// Positions of the content that count.
    count: usize,
    /// Of each exemplar the positions that count, and its weight among the styles.
    styles: Vec<(usize, f32)>,
    weight: f64,
}

impl<'a> Objective<'a> {
    /// None: there are no kernels for such a target.
    fn new(
        style: &'a Resampled,
        content: Option<(&Content, f64)>,
        device: &Device,
    ) -> Result<Option<Self>> {
        let weighted = content.filter(|(_, weight)| *weight > 0.0);
        if style.nearest.is_some() || !patches::serves(device) {
            return Ok(None);
        }
        guarded(|| {
            let exemplar = |exemplar: &Exemplar| DeviceExemplar {
                picture: on_device(&exemplar.image, false, device),
                mask: exemplar.mask.as_ref().map(|mask| mask.on(device)),
                guide: exemplar.guide.as_ref().map(|guide| guide.on(device)),
            };
            let regions = style.regions.iter().map(|region| DeviceRegion {
                exemplars: region.exemplars.iter().map(exemplar).collect(),
                shares: upload(
                    region
                        .exemplars
                        .iter()
                        .map(|exemplar| exemplar.share)
                        .collect(),
                    device,
                ),
                mask: region.mask.as_ref().map(|mask| mask.on(device)),
            });
            Ok(Some(Self {
                style,
                regions: regions.collect(),
                guide: style.guide.as_ref().map(|guide| guide.on(device)),
                contours: weighted.map(|(content, weight)| Contours {
                    content: on_device(&content.luminance, style.wraps, device),
                    mask: content.mask.as_ref().map(|mask| mask.on(device)),
                    count: style.count(content),
                    styles: style.counts(content.luminance.size()),
                    weight,
                }),
                is_painting: content.is_some(),
                device: device.clone(),
            }))
        })
    }

    fn exemplars(&self) -> impl Iterator<Item = &DeviceExemplar> {
        self.regions.iter().flat_map(|region| &region.exemplars)
    }

    fn channels(&self) -> usize {
        let first = self.style.exemplars().next();
        first.map_or(0, |exemplar| exemplar.image.channels())
    }

    /// How many filters are compared at once for a picture of this size; none if no buffer is large enough.
    fn filters_at_once(&self, size: Size) -> Option<usize> {
        let filters = (FILTERS, self.channels(), self.style.filter_side(size));
        let size = [size.height, size.width];
        let exemplars = self.exemplars();
        let of_each = exemplars.map(|exemplar| exemplar.picture.filters_at_once(size, filters));
        of_each.min().flatten()
    }

    /// The gradients at a picture along the filters of draw number `draw`, with numbers after them whose sums are `K` times
    /// the style's term and the content's term. See [`Resampled::distance`] and [`Content::distance`]. `most` filters are
    /// compared at once.
    fn gradients(
        &self,
        picture: &Picture,
        size: Size,
        (draw, most): (u32, usize),
    ) -> Result<Lists> {
        let side = self.style.filter_side(size);
        let channels = self.channels();
        let drawn = self.style.draw(channels, side, draw);
        let labels = self.labels(picture, size, &drawn);
        let mut sum: Option<patches::Gradient> = None;
        let of_filter = channels * side * side;
        let weights: Vec<f32> = drawn
            .banks
            .iter()
            .flat_map(|bank| &bank.weights)
            .copied()
            .collect();
        for (number, weights) in weights.chunks(most * of_filter).enumerate() {
            let filters = self.filters(weights, (channels, side));
            let responses = picture.responses(&filters);
            for (region, (own, others)) in self.regions.iter().zip(&labels) {
                let exemplars = region.exemplars.iter().zip(others);
                let mixture = Mixture {
                    exemplars: exemplars
                        .map(|(exemplar, labels)| {
                            (exemplar.picture.responses(&filters), labels.as_ref())
                        })
                        .collect(),
                    shares: &region.shares,
                    first_bank: number * most / BANK,
                };
                let gradient = responses.transported(own.as_ref(), &mixture, &filters, SOFT);
                sum = Some(match sum.take() {
                    Some(sum) => sum.plus(gradient),
                    None => gradient,
                });
            }
        }
        let first = sum.ok_or_else(|| Error::device("no filters"))?;
        let contours = self.contours.as_ref();
        Ok(Lists {
            first: first.into_tensor(),
            second: contours
                .map(|contours| self.contours(contours, picture, (size, draw)).into_tensor()),
        })
    }

    fn filters(&self, weights: &[f32], (channels, side): (usize, usize)) -> DeviceFilters {
        let filters = Filters {
            weights,
            count: weights.len() / (channels * side * side),
            channels,
            side,
        };
        filters.on(&self.device)
    }

    /// The gradient of the content's term.
    fn contours(
        &self,
        contours: &Contours,
        picture: &Picture,
        (size, step): (Size, u32),
    ) -> patches::Gradient {
        let style = self.style;
        let side = style.filter_side(size);
        let mut generator = random::stream(style.seed, Purpose::Contours, step);
        let bank = draw::bank(1, side, &mut generator);
        let of_luminance = self.filters(&bank.weights, (1, side));
        // The response of a picture's luminance is that of its channels to weighted filters.
        let channels = self.channels();
        let luma = luma_weights(channels);
        let planes = bank.weights.chunks(side * side);
        let weighted: Vec<f32> = planes
            .flat_map(|plane| {
                let luma = luma.iter();
                luma.flat_map(move |luma| plane.iter().map(move |weight| luma * weight))
            })
            .collect();
        let filters = self.filters(&weighted, (channels, side));
        let factor = (contours.weight * BANKS as f64) as f32;
        let share = (contours.weight / (contours.count.max(1) * BANK) as f64) as f32;
        let content = contours.content.responses(&of_luminance);
        let styles = self.exemplars().zip(&contours.styles);
        let styles = styles.map(|(exemplar, (count, weight))| {
            let responses = exemplar.picture.responses(&filters);
            (responses.within(exemplar.mask.as_ref()), *count, *weight)
        });
        picture.responses(&filters).contours(
            (content.within(contours.mask.as_ref()), contours.count),
            styles.collect(),
            &filters,
            (factor, share),
        )
    }

    /// For each region the classes of the positions of the picture and of the exemplars.
    fn labels(
        &self,
        picture: &Picture,
        size: Size,
        drawn: &Draw,
    ) -> Vec<(Option<Labels>, Vec<Option<Labels>>)> {
        let shape = (self.style.filter_side(size), BANKS);
        // In the order in which the pictures take their words of the noise.
        let mut splits = self.style.splits(size, drawn).into_iter();
        let mut label =
            |picture: &Picture, guide: Option<&DeviceGuide>, mask: Option<&DeviceMask>| {
                let splits = splits.next();
                let splits = splits.as_ref().map(Splits::borrowed);
                picture.labels(guide.zip(splits.as_deref()), mask, shape)
            };
        let of_region = |region: &DeviceRegion| {
            let own = label(picture, self.guide.as_ref(), region.mask.as_ref());
            let others = region.exemplars.iter().map(|exemplar| {
                let (guide, mask) = (exemplar.guide.as_ref(), exemplar.mask.as_ref());
                label(&exemplar.picture, guide, mask)
            });
            (own, others.collect())
        };
        self.regions.iter().map(of_region).collect()
    }
}

fn on_device(raster: &Raster, wraps: bool, device: &Device) -> Picture {
    let Size { width, height } = raster.size();
    Picture::new(raster.values(), [height, width], wraps, device)
}

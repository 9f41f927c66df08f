//! The objective of textures and paintings on a GPU, where the picture and its optimiser stay.
//!
//! Filters and the borders between classes are the host's: a few ten thousand numbers at any size of the picture. It reads
//! a few numbers of each step, and the picture every now and then.

mod check;
mod descent;
mod labels;
#[cfg(all(test, feature = "wgpu"))]
mod tests;

use burn::tensor::Device;

pub(crate) use self::check::check_device;
use self::descent::Descent;
use super::comparison::SOFT;
use super::draw::{self, BANK};
use super::{BANKS, Content, Optimised, Painting, Resampled};
use crate::device::{self, DeviceClass};
use crate::engine::adam::Lists;
use crate::engine::patches::{self, DeviceFilters, DeviceGuide, Filters, Labels, Picture};
use crate::error::{Error, Result};
use crate::imaging::{Raster, Size, luma_weights};
use crate::optim::{Adam, Stepper};
use crate::random::{self, Purpose};

/// Filters of a step.
const FILTERS: usize = BANKS * BANK;

/// Pixels from which on a GPU is used. Smaller pictures take less time on the host than a GPU's answer takes.
const FEWEST_PIXELS: usize = 96 * 96;

impl Resampled {
    /// Steps from a state of the optimiser on, on a GPU that has kernels for this target: one exemplar without masks and
    /// nearest patches. Filters are drawn anew every `steps_per_draw` steps. A GPU in software is slower than the host.
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
    /// Steps from a state of the optimiser on, on a GPU that has kernels for this target: one style without masks.
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
    exemplar: Picture,
    /// Of the picture, and of the exemplar.
    guides: Option<[DeviceGuide; 2]>,
    contours: Option<Contours>,
    /// Whether there is a term of the content, which may have no weight.
    is_painting: bool,
    device: Device,
}

/// The content's term.
struct Contours {
    /// The luminance.
    content: Picture,
    weight: f64,
}

impl<'a> Objective<'a> {
    /// None: there are no kernels for such a target.
    fn new(
        style: &'a Resampled,
        content: Option<(&Content, f64)>,
        device: &Device,
    ) -> Result<Option<Self>> {
        let ([region], None) = (style.regions.as_slice(), &style.nearest) else {
            return Ok(None);
        };
        let ([exemplar], None) = (region.exemplars.as_slice(), &region.mask) else {
            return Ok(None);
        };
        let has_mask =
            exemplar.mask.is_some() || content.is_some_and(|(content, _)| content.mask.is_some());
        if has_mask || !patches::serves(device) {
            return Ok(None);
        }
        crate::backend::guarded(|| {
            let guides = match (&style.guide, &exemplar.guide) {
                (Some(own), Some(other)) => Some([own, other].map(|guide| guide.on(device))),
                _ => None,
            };
            let contours = content
                .filter(|(_, weight)| *weight > 0.0)
                .map(|(content, weight)| Contours {
                    content: on_device(&content.luminance, style.wraps, device),
                    weight,
                });
            Ok(Some(Self {
                style,
                exemplar: on_device(&exemplar.image, false, device),
                guides,
                contours,
                is_painting: content.is_some(),
                device: device.clone(),
            }))
        })
    }

    /// The exemplar. There is one.
    fn exemplar(&self) -> &'a Raster {
        &self.style.regions[0].exemplars[0].image
    }

    /// How many filters are compared at once for a picture of this size; none if no buffer is large enough.
    fn filters_at_once(&self, size: Size) -> Option<usize> {
        let side = self.style.filter_side(size);
        let filters = (FILTERS, self.exemplar().channels(), side);
        self.exemplar
            .filters_at_once([size.height, size.width], filters)
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
        let channels = self.exemplar().channels();
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
            let labels = labels.as_ref();
            let gradient = picture.responses(&filters).transported(
                self.exemplar.responses(&filters),
                labels.map(|[own, other]| ([own, other], number * most / BANK)),
                &filters,
                SOFT,
            );
            sum = Some(match sum.take() {
                Some(sum) => sum.plus(gradient),
                None => gradient,
            });
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
        let channels = self.exemplar().channels();
        let luma = luma_weights(channels);
        let planes = bank.weights.chunks(side * side);
        let weighted: Vec<f32> = planes
            .flat_map(|plane| {
                let luma = luma.iter();
                luma.flat_map(move |luma| plane.iter().map(move |weight| luma * weight))
            })
            .collect();
        let filters = self.filters(&weighted, (channels, side));
        let reach = if style.wraps { 0 } else { side - 1 };
        let positions = (size.width - reach) * (size.height - reach);
        let factor = (contours.weight * BANKS as f64) as f32;
        let share = (contours.weight / (positions * BANK) as f64) as f32;
        picture.responses(&filters).contours(
            contours.content.responses(&of_luminance),
            self.exemplar.responses(&filters),
            &filters,
            (factor, share),
        )
    }

    /// The classes of the positions of the picture and of the exemplar, if there is a guide.
    fn labels(
        &self,
        picture: &Picture,
        size: Size,
        drawn: &super::distance::Draw,
    ) -> Option<[Labels; 2]> {
        let [own, other] = self.guides.as_ref()?;
        let side = self.style.filter_side(size);
        let [of_picture, of_exemplar] = self.style.splits(size, drawn)?;
        Some([
            picture.labels(own, &of_picture.borrowed(), side),
            self.exemplar.labels(other, &of_exemplar.borrowed(), side),
        ])
    }
}

fn on_device(raster: &Raster, wraps: bool, device: &Device) -> Picture {
    let Size { width, height } = raster.size();
    Picture::new(raster.values(), [height, width], wraps, device)
}

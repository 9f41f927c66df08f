//! Distributions of a picture's responses to filters, compared with an exemplar's, and its contours, compared with those
//! of a content picture. Nothing is read from the device.
//!
//! ```text
//! mod ──> operation (of Burn's backend) <── launches ──> kernels
//! ```

mod kernels;
mod launches;
mod operation;

use burn::backend::Dispatch;
use burn::tensor::{Device, Int, Tensor, TensorData};

pub(crate) use self::kernels::NOISE_WORDS;
use self::kernels::{AFTER_DIRECTION, FILTERS, LANES, LONGEST_SIDE, SHARED_BYTES, UNITS};
use self::operation::{
    Classes, Compared, ContourPart, Geometry, GuideGeometry, Labelling, Patches as _,
};
use crate::backend::largest_buffer;
use crate::engine::tables::{BANK, CLASSES};

/// Square filters.
#[derive(Clone, Copy)]
pub(crate) struct Filters<'a> {
    /// `[count, channels, side, side]`.
    pub(crate) weights: &'a [f32],
    pub(crate) count: usize,
    pub(crate) channels: usize,
    pub(crate) side: usize,
}

/// Filters on a device.
pub(crate) struct DeviceFilters {
    /// `[filters / 16, channels, side, side, 16]`, with zeros after the last filter.
    forward: Tensor<1>,
    /// `[filters, side, side, 4]`.
    backward: Tensor<1>,
    count: usize,
    channels: usize,
    side: usize,
}

/// A picture on a device.
pub(crate) struct Picture {
    /// `[H, W, C]`; other values may follow.
    values: Tensor<1>,
    /// Height and width.
    size: [usize; 2],
    /// Whether it repeats without end.
    wraps: bool,
}

/// The responses of a picture to filters.
pub(crate) struct Responses {
    /// `[filters, rows, columns]`.
    values: Tensor<3>,
    geometry: Geometry,
}

/// A guide of a picture, by which positions are put into classes.
pub(crate) struct DeviceGuide {
    /// `[channels, H, W]`.
    planes: Tensor<1>,
    /// Channels, height and width.
    shape: [usize; 3],
    /// Pixels of the picture for each of the guide, along both axes.
    step: usize,
    /// Whether scores have noise.
    noisy: bool,
}

/// How the positions of a picture are split into classes for one bank of filters.
pub(crate) struct Split<'a> {
    pub(crate) direction: &'a [f32],
    /// The scores at the borders between classes.
    pub(crate) borders: &'a [f32],
    /// The width of the noise.
    pub(crate) width: f32,
    /// The key, the stream and the number of the first word of the noise.
    pub(crate) noise: [u32; NOISE_WORDS],
}

/// The pixels of a picture that count.
pub(crate) struct DeviceMask {
    /// 1 at pixels that count and 0 at others, `[H, W]`.
    values: Tensor<1>,
}

/// The classes of a picture's positions.
pub(crate) struct Labels {
    /// `[banks, rows, columns]`.
    values: Tensor<3>,
    labelling: Labelling,
}

/// The responses of the exemplars of a region.
pub(crate) struct Mixture<'a> {
    /// With their labels.
    pub(crate) exemplars: Vec<(Responses, Option<&'a Labels>)>,
    /// The part of each exemplar.
    pub(crate) shares: &'a Tensor<1>,
    /// The bank of the first filter.
    pub(crate) first_bank: usize,
}

/// The gradient at a picture, on the device: `[H, W, C]`, then sums of distances.
pub(crate) struct Gradient(Tensor<1>);

/// Whether the kernels run on a device: their workgroups and shared memory are within its limits.
pub(crate) fn serves(device: &Device) -> bool {
    super::runs_workgroups(device, UNITS, SHARED_BYTES)
}

pub(crate) fn upload(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

impl Filters<'_> {
    /// Writes filters to a device.
    pub(crate) fn on(self, device: &Device) -> DeviceFilters {
        DeviceFilters {
            forward: upload(self.forward_weights(), device),
            backward: upload(self.backward_weights(), device),
            count: self.count,
            channels: self.channels,
            side: self.side,
        }
    }

    /// Weights in the order of the kernel of responses.
    fn forward_weights(self) -> Vec<f32> {
        let taps = self.channels * self.side * self.side;
        let mut packed = Vec::with_capacity(self.count.next_multiple_of(FILTERS) * taps);
        for group in (0..self.count).step_by(FILTERS) {
            for tap in 0..taps {
                let weight = |filter: usize| self.weights.get(filter * taps + tap);
                let filters = group..group + FILTERS;
                packed.extend(filters.map(|filter| weight(filter).copied().unwrap_or(0.0)));
            }
        }
        packed
    }

    /// Weights in the order of the kernel of gradients.
    fn backward_weights(self) -> Vec<f32> {
        let taps = self.side * self.side;
        let mut packed = vec![0.0; self.count * taps * LANES];
        for (index, weight) in self.weights.iter().enumerate() {
            let (plane, tap) = (index / taps, index % taps);
            let (filter, channel) = (plane / self.channels, plane % self.channels);
            packed[(filter * taps + tap) * LANES + channel] = *weight;
        }
        packed
    }
}

impl Picture {
    /// A picture of interleaved values, `[H, W, C]`, on a device with these kernels.
    pub(crate) fn new(values: &[f32], size: [usize; 2], wraps: bool, device: &Device) -> Self {
        Self::of(upload(values.to_vec(), device), size, wraps)
    }

    /// The picture that the first values of a list are.
    pub(crate) fn of(values: Tensor<1>, size: [usize; 2], wraps: bool) -> Self {
        Self {
            values,
            size,
            wraps,
        }
    }

    /// Of `count` filters, how many at once the kernels compare along a picture of this height and width with this one: as
    /// many as there is a buffer for their responses. None: they do not compare it.
    pub(crate) fn filters_at_once(
        &self,
        size: [usize; 2],
        (count, channels, side): (usize, usize, usize),
    ) -> Option<usize> {
        let bytes = |size: [usize; 2]| (size[0] * size[1] * FILTERS * size_of::<f32>()) as u64;
        let of_group = bytes(size).max(bytes(self.size)).max(1);
        let groups = match largest_buffer(&self.values.device()) {
            Some(largest) => (largest / of_group) as usize,
            None => count,
        };
        let computes = count.is_multiple_of(FILTERS) && side <= LONGEST_SIDE && channels <= LANES;
        (computes && groups > 0).then(|| (groups * FILTERS).min(count))
    }

    fn geometry(&self, filters: &DeviceFilters) -> Geometry {
        let [height, width] = self.size;
        Geometry {
            height,
            width,
            channels: filters.channels,
            filters: filters.count,
            side: filters.side,
            wraps: self.wraps,
        }
    }

    /// The responses of this picture.
    pub(crate) fn responses(&self, filters: &DeviceFilters) -> Responses {
        let geometry = self.geometry(filters);
        let padded = Geometry {
            filters: filters.count.next_multiple_of(FILTERS),
            ..geometry
        };
        let (values, weights) = (self.values.clone(), filters.forward.clone());
        let responses =
            Dispatch::filter_responses(values.into_dispatch(), weights.into_dispatch(), padded);
        Responses {
            values: Tensor::from_dispatch(responses),
            geometry,
        }
    }

    /// The classes of this picture's positions for filters of that side and so many banks: by a guide with a split for each
    /// bank, by a mask, or by both. None: all have one class.
    pub(crate) fn labels(
        &self,
        guided: Option<(&DeviceGuide, &[Split<'_>])>,
        mask: Option<&DeviceMask>,
        (side, banks): (usize, usize),
    ) -> Option<Labels> {
        if guided.is_none() && mask.is_none() {
            return None;
        }
        let labelling = Labelling {
            guided: guided.is_some(),
            noisy: guided.is_some_and(|(guide, _)| guide.noisy),
            masked: mask.is_some(),
        };
        // What is not read may be anything.
        let unread = || self.values.clone();
        let ([channels, height, width], step) =
            guided.map_or(([0; 3], 1), |(guide, _)| (guide.shape, guide.step));
        let geometry = Geometry {
            height: self.size[0],
            width: self.size[1],
            channels,
            filters: banks * BANK,
            side,
            wraps: self.wraps,
        };
        let guide_geometry = GuideGeometry {
            channels,
            height,
            width,
            step,
            banks,
            labelling,
        };
        let device = self.values.device();
        let splits = guided.map(|(_, splits)| upload(numbers(splits), &device));
        let planes = guided.map_or_else(unread, |(guide, _)| guide.planes.clone());
        let labels = Dispatch::position_classes(
            planes.into_dispatch(),
            splits.unwrap_or_else(unread).into_dispatch(),
            mask.map_or_else(unread, |mask| mask.values.clone())
                .into_dispatch(),
            geometry,
            guide_geometry,
        );
        Some(Labels {
            values: Tensor::from_dispatch(labels),
            labelling,
        })
    }
}

/// Splits in the order of the kernel.
fn numbers(splits: &[Split<'_>]) -> Vec<f32> {
    let halves = |word: &u32| [(word & 0xffff) as f32, (word >> 16) as f32];
    let mut numbers = Vec::new();
    for split in splits {
        numbers.reserve(split.direction.len() + AFTER_DIRECTION);
        numbers.extend(split.direction);
        // Borders of a class that there are too few positions for lie above all scores.
        let missing = std::iter::repeat(&f32::MAX);
        numbers.extend(split.borders.iter().chain(missing).take(CLASSES - 1));
        numbers.push(split.width);
        numbers.extend(split.noise.iter().flat_map(halves));
    }
    numbers
}

impl DeviceMask {
    /// The pixels that count, row by row.
    pub(crate) fn new(pixels: impl Iterator<Item = bool>, device: &Device) -> Self {
        let values = pixels.map(|counts| f32::from(u8::from(counts)));
        Self {
            values: upload(values.collect(), device),
        }
    }
}

impl DeviceGuide {
    /// A guide of `[channels, H, W]` values, each of which is that of `step` by `step` pixels. Scores have noise if `noisy`.
    pub(crate) fn new(
        planes: Vec<f32>,
        shape: [usize; 3],
        (step, noisy): (usize, bool),
        device: &Device,
    ) -> Self {
        Self {
            planes: upload(planes, device),
            shape,
            step,
            noisy,
        }
    }
}

impl Responses {
    /// The gradient of the distances from where the responses are transported to, onto those of a mixture of exemplars: of
    /// all, or class by class with the labels of the pictures, if any has some. The modulus of a distance is smoothed below
    /// `soft` standard deviations.
    ///
    /// ```text
    /// D = sum over f of 1/(M s_f) sum over p of |R_f(p) - T_f(R_f(p))|
    /// ```
    ///
    /// is the sum of the distances, and the gradient is that of `M D`.
    pub(crate) fn transported(
        &self,
        labels: Option<&Labels>,
        mixture: &Mixture<'_>,
        filters: &DeviceFilters,
        soft: f32,
    ) -> Gradient {
        let others = mixture.exemplars.iter().filter_map(|(_, labels)| *labels);
        let labelling = labels.into_iter().chain(others);
        let labelling: Vec<Labelling> = labelling.map(|labels| labels.labelling).collect();
        let inside = labelling.iter().map(|labelling| labelling.classes()).max();
        let inside = inside.unwrap_or(1);
        let masked = labelling.iter().any(|labelling| labelling.masked);
        let classes = Classes {
            count: inside + usize::from(masked),
            inside,
            first_bank: mixture.first_bank,
            soft,
        };
        let compared = match labelling.is_empty() {
            true => Compared::Transported,
            false => Compared::TransportedByClass,
        };
        // Without classes nothing is read of the labels. A picture without labels beside one with a mask has one class.
        let labels_of = |responses: &Self, labels: Option<&Labels>| match (labels, compared) {
            (Some(labels), _) => labels.values.clone(),
            (None, Compared::Transported) => responses.values.clone(),
            (None, _) => responses.values.zeros_like(),
        };
        let ranges_of = |responses: &Self, labels: &Tensor<3>| {
            let (responses, labels) = (responses.values.clone(), labels.clone());
            let (responses, labels) = (responses.into_dispatch(), labels.into_dispatch());
            Tensor::<4>::from_dispatch(Dispatch::response_ranges(responses, labels, classes))
        };
        let counts_of = |responses: &Self, labels: &Tensor<3>, ranges: Tensor<4>| {
            let (responses, labels) = (responses.values.clone(), labels.clone());
            let counts = Dispatch::response_histograms(
                responses.into_dispatch(),
                labels.into_dispatch(),
                ranges.into_dispatch(),
                classes,
            );
            Tensor::<3, Int>::from_dispatch(counts)
        };
        let own_labels = labels_of(self, labels);
        let counts = counts_of(self, &own_labels, ranges_of(self, &own_labels));
        let exemplars: Vec<(&Self, Tensor<3>)> = mixture
            .exemplars
            .iter()
            .map(|(responses, labels)| (responses, labels_of(responses, *labels)))
            .collect();
        let ranges = exemplars
            .iter()
            .map(|(responses, labels)| ranges_of(responses, labels));
        // Those of all exemplars have the same bins.
        let ranges = joined(ranges.collect(), |ranges| Tensor::cat(ranges, 2));
        let others = exemplars.iter().map(|(responses, labels)| {
            let counts = counts_of(responses, labels, ranges.clone());
            counts.unsqueeze::<4>()
        });
        let others = joined(others.collect(), |counts| Tensor::cat(counts, 0));
        let tables = Dispatch::transport_tables(
            counts.into_dispatch(),
            others.into_dispatch(),
            mixture.shares.clone().into_dispatch(),
            classes,
        );
        let gradient = Dispatch::response_gradient(
            self.values.clone().into_dispatch(),
            own_labels.into_dispatch(),
            tables,
            filters.backward.clone().into_dispatch(),
            self.geometry,
            compared,
            classes,
        );
        Gradient(Tensor::from_dispatch(gradient))
    }

    /// These responses without those whose middle is outside of a mask, for [`contours`](Self::contours).
    pub(crate) fn within(self, mask: Option<&DeviceMask>) -> Self {
        match mask {
            None => self,
            Some(mask) => {
                let mask = mask.values.clone().into_dispatch();
                let values = self.values.into_dispatch();
                let hidden = Dispatch::hide_responses(values, mask, self.geometry);
                Self {
                    values: Tensor::from_dispatch(hidden),
                    geometry: self.geometry,
                }
            }
        }
    }

    /// The gradient of the distances of contours from those of a content picture, with the moments of styles' responses:
    ///
    /// ```text
    /// sum over f, p of w(z) h((R_f(p) - m_f) / s_f - z),   z = (Q_f(p) - n_f) / t_f
    /// w(z) = z^2 / (z^2 + 1),   h(d) = |d| - ln(1 + |d|)
    /// ```
    ///
    /// `m` and `s` are weighted sums over the styles. The gradient is multiplied by `factor`, and the sum by `share`.
    /// Responses come with the number of positions that count, styles with their weights.
    pub(crate) fn contours(
        self,
        (content, count): (Self, usize),
        styles: Vec<(Self, usize, f32)>,
        filters: &DeviceFilters,
        (factor, share): (f32, f32),
    ) -> Gradient {
        let part = |responses: &Self, count: usize, part: ContourPart| {
            let responses = responses.values.clone().into_dispatch();
            Tensor::<2>::from_dispatch(Dispatch::contour_tables(responses, count, part))
        };
        let of_content = part(&content, count, ContourPart::Content { factor, share });
        let of_styles = styles
            .iter()
            .map(|(style, count, weight)| part(style, *count, ContourPart::Style(*weight)));
        let tables = of_styles.fold(of_content, |sum, part| sum + part);
        let classes = Classes {
            count: 1,
            inside: 1,
            first_bank: 0,
            soft: 0.0,
        };
        let gradient = Dispatch::response_gradient(
            self.values.into_dispatch(),
            content.values.into_dispatch(),
            tables.into_dispatch(),
            filters.backward.clone().into_dispatch(),
            self.geometry,
            Compared::WithContent,
            classes,
        );
        Gradient(Tensor::from_dispatch(gradient))
    }
}

/// Several lists joined, or one as it is.
fn joined<T>(mut lists: Vec<T>, join: impl FnOnce(Vec<T>) -> T) -> T {
    match lists.len() {
        1 => lists.remove(0),
        _ => join(lists),
    }
}

impl Gradient {
    /// The sum of this one and another one of the same picture.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The gradient, `[H, W, C]`, and after it numbers whose sum is that of the distances.
    pub(crate) fn into_tensor(self) -> Tensor<1> {
        self.0
    }
}

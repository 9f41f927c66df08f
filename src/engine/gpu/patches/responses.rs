//! Responses compared with those of exemplars and of a content picture.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::filters::DeviceFilters;
use super::labels::{DeviceMask, Labels};
use super::operation::{Classes, Compared, ContourPart, Geometry, Labelling, Patches as _};
use crate::engine::tables::BANK;

/// The responses of a picture to filters.
pub(crate) struct Responses {
    /// `[filters, rows, columns]`.
    pub(super) values: Tensor<3>,
    pub(super) geometry: Geometry,
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
            (None, _) => {
                let [_, rows, columns] = responses.values.dims();
                let banks = mixture.first_bank + filters.count.div_ceil(BANK);
                Tensor::zeros([banks, rows, columns], &responses.values.device())
            }
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

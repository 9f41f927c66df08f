//! The content term of a painting: contours at the places where the content has them.

use std::cell::OnceCell;

use pulp::Arch;
use rayon::prelude::*;

use super::Resampled;
use super::arithmetic::{logarithm, sum};
use super::buffers::Buffers;
use super::canvas::Canvas;
use super::distance::add_to_band;
use super::draw::{self, BANK};
use super::filters::FilterBank;
use super::labels::{Labels, Mask, OUTSIDE};
use super::planes::Planes;
use super::source::Source;
use super::tiles::{Tiles, Window};
use crate::imaging::{Raster, luma_weights};
use crate::random::{self, Purpose};

/// A content picture. Its term compares responses of luminance position by position.
pub(crate) struct Content {
    pub(super) luminance: Raster,
    /// Where the content counts. None: everywhere.
    pub(super) mask: Option<Mask>,
}

/// Responses of one filter: mean and standard deviation.
#[derive(Clone, Copy, Default)]
struct Moments {
    mean: f32,
    deviation: f32,
}

impl Content {
    /// The content term of a picture's luminance, as large as the canvas. The content counts where `mask` is white.
    pub(crate) fn of(luminance: Raster, mask: Option<&Raster>) -> Self {
        Self {
            luminance,
            mask: mask.map(Mask::new),
        }
    }

    /// The distance of an image's contours from the content's along the filters of step number `step`. Adds
    /// its gradient, times `factor`, to `gradient`, `[H, W, C]`.
    ///
    /// ```text
    /// C = 1/K sum over f of 1/M sum over p of w(z) h((R_f(p) - m_f) / s_f - z),   z = (Q_f(p) - n_f) / t_f
    /// w(z) = z^2 / (z^2 + 1),   h(d) = |d| - ln(1 + |d|)
    /// ```
    ///
    /// `R_f` and `Q_f` are the responses of filter `f` to the luminance of the image and of the content.
    /// `m_f, s_f` and `n_f, t_f` are mean and standard deviation of the style's responses and of the
    /// content's. `K` is the number of filters and `M` the number of positions. So contours get the
    /// contrast that they have in the style, and flat places of the content have no weight. The gradient
    /// is that of `K M C`.
    pub(super) fn distance(
        &self,
        style: &Resampled,
        image: Canvas<'_>,
        (step, factor): (u32, f32),
        gradient: &mut [f32],
    ) -> f64 {
        let mut generator = random::stream(style.seed, Purpose::Contours, step);
        let banks = [draw::bank(
            1,
            style.filter_side(image.size()),
            &mut generator,
        )];
        let tiles = Tiles::new(&image, banks[0].reach());
        let canvas = Canvas::of(&self.luminance, style.wraps);
        let keep = style.keeps(&tiles);
        let content = source(
            (canvas, tiles.clone()),
            &banks,
            self.mask.as_ref(),
            (keep, &style.buffers),
        )
        .differentiated();
        let content_moments = content.moments();
        let count = content_moments.at(0, 0, 0, 0)[0].count;
        let moments = Self::style_moments(style, &banks);

        let bands = gradient.par_chunks_mut(tiles.band_rows() * image.width * image.channels);
        let of_band = |(band, gradient): (usize, &mut [f32])| -> f64 {
            let of_tile = |tile: usize| {
                let around = tiles.positions_around(tile);
                let Window { rows, columns } = tiles.pixels_of(&around);
                let responses = banks[0].responses(&image.luminance().window(rows, columns));
                let content = content.responses(tile, 0, &OnceCell::new());
                let (own, pixels) = (tiles.own_positions(tile), tiles.pixels(tile));
                let reach = banks[0].reach();
                let (height, width) = (pixels.rows.len(), pixels.columns.len());
                let mut window = style.buffers.planes(BANK, height + reach, width + reach);
                window.data.fill(0.0);
                let [first_row, first_column] = tiles.corner_around(tile);
                let (mut sum, mut distances) = (0.0, Vec::new());
                for (filter, of_style) in moments.iter().enumerate() {
                    let sums = content_moments.at(0, 0, 0, filter)[0];
                    let of_content = Moments {
                        mean: sums.mean(),
                        deviation: sums.standard_deviation(),
                    };
                    for (row, y) in around.rows.clone().enumerate() {
                        let (values, labels) = content.row((filter, 0), (&around, y));
                        let target = &mut window.row_mut(filter, first_row + row)[first_column..];
                        let place = (responses.row(filter, row), values, labels);
                        let foreign = (own.columns.start - around.columns.start) as usize;
                        let distance = row_gradient(
                            place,
                            (of_content, *of_style),
                            (factor, foreign),
                            (target, &mut distances),
                        );
                        if own.rows.contains(&y) {
                            sum += f64::from(distance);
                        }
                    }
                }
                let luminance_gradient = banks[0].input_gradient(&window);
                let channels = channel_gradient(&luminance_gradient, image.channels);
                (channels, pixels.columns.start as usize, sum)
            };
            let mut sum = 0.0;
            for tile in tiles.of_band(band) {
                let (channels, left, distances) = of_tile(tile);
                add_to_band(&channels, (gradient, image.width), left);
                sum += distances;
            }
            sum
        };
        let bands: Vec<f64> = bands.enumerate().map(of_band).collect();
        bands.into_iter().sum::<f64>() / (count.max(1) as usize * BANK) as f64
    }

    /// Moments of the style's responses to each filter: means over all exemplars.
    fn style_moments(style: &Resampled, banks: &[FilterBank; 1]) -> [Moments; BANK] {
        let regions = style.regions.len() as f32;
        let mut moments = [Moments::default(); BANK];
        for exemplar in style.exemplars() {
            let canvas = Canvas::of(&exemplar.image, false).luminance();
            let tiles = Tiles::new(&canvas, banks[0].reach());
            let mask = exemplar.mask.as_ref();
            let sums = source((canvas, tiles), banks, mask, (false, &style.buffers)).moments();
            let share = exemplar.share / regions;
            for (filter, moments) in moments.iter_mut().enumerate() {
                let sums = sums.at(0, 0, 0, filter)[0];
                moments.mean += share * sums.mean();
                moments.deviation += share * sums.standard_deviation();
            }
        }
        moments
    }
}

/// A picture for one bank, with one class inside the mask.
fn source<'a>(
    (canvas, tiles): (Canvas<'a>, Tiles),
    banks: &'a [FilterBank; 1],
    mask: Option<&'a Mask>,
    memory: (bool, &'a Buffers),
) -> Source<'a> {
    let labels = vec![vec![Labels::new(
        mask,
        None,
        (tiles.positions(), banks[0].reach()),
    )]];
    Source::new((canvas, tiles), banks, (labels, 1), memory)
}

/// Writes the gradients at the responses in a row, times `factor`. Returns the sum of the distances from position
/// `first` on. The row: responses, those of the content, and labels. `distances` is a buffer.
fn row_gradient(
    (responses, content, labels): (&[f32], &[f32], Option<&[u8]>),
    (of_content, of_style): (Moments, Moments),
    (factor, first): (f32, usize),
    (gradient, distances): (&mut [f32], &mut Vec<f32>),
) -> f32 {
    distances.resize(responses.len(), 0.0);
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let places = responses.iter().zip(content).zip(&mut *gradient);
            for (((response, content), gradient), distance) in places.zip(&mut *distances) {
                let z = (content - of_content.mean) / of_content.deviation;
                let (own, slope) = contour_distance(*response, z, of_style);
                (*gradient, *distance) = (factor * slope, own);
            }
            if let Some(labels) = labels {
                let places = gradient.iter_mut().zip(&mut *distances).zip(labels);
                for ((gradient, distance), label) in places {
                    if *label == OUTSIDE {
                        (*gradient, *distance) = (0.0, 0.0);
                    }
                }
            }
            sum(&distances[first..])
        },
    )
}

/// The distance of a response, `w(z) h((r - m) / s - z)`, and its derivative.
#[inline(always)]
fn contour_distance(response: f32, z: f32, Moments { mean, deviation }: Moments) -> (f32, f32) {
    let weight = z * z / (z * z + 1.0);
    let difference = (response - mean) / deviation - z;
    let distance = weight * (difference.abs() - logarithm(1.0 + difference.abs()));
    let slope = weight * difference / ((difference.abs() + 1.0) * deviation);
    (distance, slope)
}

/// The gradient at the channels of a picture from the gradient at its luminance.
fn channel_gradient(luminance_gradient: &Planes, channels: usize) -> Planes {
    let (height, width) = (luminance_gradient.height, luminance_gradient.width);
    let mut gradient = Planes::new(channels, height, width);
    for (channel, weight) in luma_weights(channels).into_iter().enumerate() {
        for y in 0..height {
            let values = luminance_gradient.row(0, y).iter();
            for (gradient, value) in gradient.row_mut(channel, y).iter_mut().zip(values) {
                *gradient = weight * value;
            }
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::{assert_near, golden};

    #[test]
    fn distance_and_gradient_are_those_of_another_program() {
        let responses = (0..40).map(|i| (0.9 * i as f32).sin());
        let z = (0..40).map(|i| 2.0 * (0.31 * i as f32).cos());
        let moments = Moments {
            mean: 0.2,
            deviation: 0.7,
        };
        let found = responses
            .zip(z)
            .map(|(r, z)| contour_distance(r, z, moments));
        let (distances, slopes): (Vec<f32>, Vec<f32>) = found.unzip();
        let value: f32 = distances.iter().sum();
        assert_near("distance", 1e-5, &[value], &golden("contours", "value"));
        assert_near("gradient", 1e-5, &slopes, &golden("contours", "gradient"));
    }
}

//! Semantic guides: a few numbers at each pixel, by which positions of two pictures are put into classes
//! that are compared with each other. A painting is guided by luminance and orientation, a texture that
//! repeats itself by phase.

use std::ops::Range;

use super::planes::{Planes, planes};
use super::structure::{moments, smooth, standardise, structure_tensor};
use crate::imaging::{Raster, Size, luminance, segments};

/// Standard deviation in pixels of the Gaussian that smooths the luminance and the structure tensor.
const SMOOTHING: f32 = 3.0;

/// The guide of a picture of more pixels is made of the picture at half its size. It is smooth, and takes a quarter of the
/// memory.
pub(crate) const HALVED_FROM: usize = 1 << 23;

/// Weight of an orientation, where a standard deviation of the luminance has weight 1.
const ORIENTATION: f32 = 2.0;

/// Regularises the coherence of orientations: added to the gradient's energy in the denominator, in units
/// of the mean energy. Orientations of flat places are noise, and so they count less.
const COHERENCE_FLOOR: f32 = 0.3;

/// Weight of the canvas's structure tensor, where the content's has weight 1. In flat places of the content
/// strokes then follow the strokes found at the size before.
const CANVAS: f32 = 2.0;

/// Standard deviation of the noise added to the luminance, in standard deviations of the luminance. In flat
/// places of the content ranks of plain values would follow steps of 8 bits and blocks of JPEG.
const NOISE: f32 = 0.6;

/// A few numbers at each pixel of a picture. For a painting they are
///
/// ```text
/// g = (Y, o cos 2t, o sin 2t)
/// ```
///
/// where `Y` is the smoothed and standardised luminance, `t` the direction of the gradient by the smoothed
/// structure tensor, and `o` its coherence. (The tensor: Bigün and Granlund, "Optimal Orientation
/// Detection of Linear Symmetry", ICCV 1987. Luminance and orientation as guides of a painting:
/// Hertzmann et al., "Image Analogies", SIGGRAPH 2001.) For a texture that repeats itself they are cosines
/// and sines of its phases.
pub(crate) struct Guide {
    pub(super) planes: Planes,
    /// Standard deviation of the noise added to the first number.
    pub(super) noise: f32,
    /// Height and width of the picture.
    size: [usize; 2],
    /// Pixels of the picture for each of the planes, along both axes.
    pub(super) step: usize,
}

impl Guide {
    /// The guide of luminance and orientation of a picture.
    pub(crate) fn of(picture: &Raster) -> Self {
        Self::new(picture, None, HALVED_FROM)
    }

    /// The guide of a content picture and a canvas of the same size: the luminance of the content, and
    /// orientations of both.
    pub(crate) fn with_contours(picture: &Raster, canvas: &Raster) -> Self {
        Self::new(picture, Some(canvas), HALVED_FROM)
    }

    /// Pictures of more pixels than `halved_from` are halved first.
    fn new(picture: &Raster, canvas: Option<&Raster>, halved_from: usize) -> Self {
        let size = picture.size();
        let step = if size.pixels() > halved_from { 2 } else { 1 };
        let small = Size::new(size.width.div_ceil(step), size.height.div_ceil(step));
        let smoothing = SMOOTHING / step as f32;
        let light = |picture: &Raster| planes(&luminance(&picture.resized(small)));
        let picture = light(picture);
        let mut tensor = structure_tensor(&picture, smoothing);
        if let Some(canvas) = canvas {
            let mut canvas_tensor = structure_tensor(&light(canvas), smoothing);
            canvas_tensor.scale(CANVAS);
            tensor.add(&canvas_tensor);
        }
        Self {
            planes: luminance_and_orientation(picture, &tensor, smoothing),
            noise: NOISE,
            size: [size.height, size.width],
            step,
        }
    }

    /// The guide of a picture from the [phases](super::Lattice::phases) of its lattice.
    pub(super) fn from_phases(planes: Planes) -> Self {
        Self {
            size: [planes.height, planes.width],
            step: 1,
            planes,
            noise: 0.0,
        }
    }

    /// Adds the products of a direction and the numbers at pixels of a row. Beyond the border the picture repeats itself.
    pub(super) fn add_products(
        &self,
        direction: &[f32],
        (y, columns): (usize, Range<usize>),
        sums: &mut [f32],
    ) {
        let [height, width] = self.size;
        let row = y % height / self.step;
        let columns = columns.start as isize..columns.end as isize;
        for (channel, weight) in direction.iter().enumerate() {
            let values = self.planes.row(channel, row);
            let mut sums = sums.iter_mut();
            for segment in segments(columns.clone(), width) {
                if self.step == 1 {
                    let values = values[segment].iter();
                    values
                        .zip(&mut sums)
                        .for_each(|(value, sum)| *sum += weight * value);
                } else {
                    let values = segment.map(|x| values[x / self.step]);
                    values
                        .zip(&mut sums)
                        .for_each(|(value, sum)| *sum += weight * value);
                }
            }
        }
    }

    pub(super) fn channels(&self) -> usize {
        self.planes.channels
    }
}

/// The numbers of a painting's [`Guide`] from a luminance and its structure tensor.
fn luminance_and_orientation(mut luminance: Planes, tensor: &Planes, smoothing: f32) -> Planes {
    smooth(&mut luminance, smoothing);
    standardise(&mut luminance);
    let floor = COHERENCE_FLOOR * moments(tensor, 2).0;
    let mut planes = Planes::new(3, luminance.height, luminance.width);
    for y in 0..luminance.height {
        planes.row_mut(0, y).copy_from_slice(luminance.row(0, y));
        for component in 0..2 {
            let tensors = tensor.row(component, y).iter().zip(tensor.row(2, y));
            let values = planes.row_mut(1 + component, y).iter_mut();
            for (value, (component, energy)) in values.zip(tensors) {
                *value = ORIENTATION * component / (energy + floor).max(f32::MIN_POSITIVE);
            }
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::{assert_near, golden};
    use crate::resampled::coloured;

    fn planes(guide: &Guide) -> Vec<f32> {
        let planes = &guide.planes;
        let rows = (0..3).flat_map(|part| (0..planes.height).map(move |y| planes.row(part, y)));
        rows.flatten().copied().collect()
    }

    #[test]
    fn guides_are_those_of_another_program() {
        let raster = |across: f64, down: f64| {
            let pixels = coloured(24, 31, across, down).to_pixels();
            Raster::new(Size::new(31, 24), 3, pixels)
        };
        let (picture, canvas) = (raster(0.3, 0.2), raster(-0.4, 0.5));
        let alone = Guide::of(&picture);
        assert_near("guide", 1e-4, &planes(&alone), &golden("guide", "of"));
        let both = Guide::with_contours(&picture, &canvas);
        assert_near(
            "with contours",
            1e-4,
            &planes(&both),
            &golden("guide", "with_contours"),
        );
    }

    /// Every other row and column of a smooth picture tell what all tell.
    #[test]
    fn a_halved_guide_gives_nearly_the_same_products() {
        let pixels = coloured(121, 163, 0.05, 0.08).to_pixels();
        let picture = Raster::new(Size::new(163, 121), 3, pixels);
        let whole = Guide::new(&picture, Some(&picture), 163 * 121);
        let half = Guide::new(&picture, Some(&picture), 163 * 121 - 1);
        assert_eq!((whole.step, half.step), (1, 2));
        assert_eq!((half.planes.height, half.planes.width), (61, 82));
        let direction = [1.0, -0.6, 0.8];
        let (mut apart, mut squares) = (0.0, 0.0);
        for y in 0..130 {
            let products = |guide: &Guide| {
                let mut sums = vec![0.0; 120];
                guide.add_products(&direction, (y, 50..170), &mut sums);
                sums
            };
            for (half, whole) in products(&half).iter().zip(products(&whole)) {
                apart += (half - whole).powi(2);
                squares += whole * whole;
            }
        }
        let error = (apart / squares).sqrt();
        // Pixels in wrong places would be apart by more than 1.
        assert!(error < 0.25, "{error}");
    }
}

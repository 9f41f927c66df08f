//! Semantic guides: a few numbers at each pixel, by which positions of two pictures are put into classes
//! that are compared with each other. A painting is guided by luminance and orientation, a texture that
//! repeats itself by phase.

use super::planes::Planes;
use super::structure::{luminance, moments, smoothed, standardised, structure_tensor};

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
}

impl Guide {
    /// The guide of luminance and orientation of a picture.
    pub(crate) fn of(picture: &Planes) -> Self {
        Self::from_tensor(picture, &structure_tensor(picture))
    }

    /// The guide of a content picture and a canvas of the same size: the luminance of the content, and
    /// orientations of both.
    pub(crate) fn with_contours(picture: &Planes, canvas: &Planes) -> Self {
        let mut tensor = structure_tensor(picture);
        let mut canvas_tensor = structure_tensor(canvas);
        canvas_tensor.scale(CANVAS);
        tensor.add(&canvas_tensor);
        Self::from_tensor(picture, &tensor)
    }

    fn from_tensor(picture: &Planes, tensor: &Planes) -> Self {
        let luminance = standardised(&smoothed(&luminance(picture)));
        let floor = COHERENCE_FLOOR * moments(tensor, 2).0;
        let mut planes = Planes::new(3, picture.height, picture.width);
        for y in 0..picture.height {
            planes.row_mut(0, y).copy_from_slice(luminance.row(0, y));
            for component in 0..2 {
                let tensors = tensor.row(component, y).iter().zip(tensor.row(2, y));
                let values = planes.row_mut(1 + component, y).iter_mut();
                for (value, (component, energy)) in values.zip(tensors) {
                    *value = ORIENTATION * component / (energy + floor).max(f32::MIN_POSITIVE);
                }
            }
        }
        Self {
            planes,
            noise: NOISE,
        }
    }

    /// The guide of a picture from the [phases](super::Lattice::phases) of its lattice.
    pub(super) fn from_phases(planes: Planes) -> Self {
        Self { planes, noise: 0.0 }
    }

    pub(super) fn channels(&self) -> usize {
        self.planes.channels
    }
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
        let (picture, canvas) = (coloured(24, 31, 0.3, 0.2), coloured(24, 31, -0.4, 0.5));
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
}

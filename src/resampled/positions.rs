//! Positions of patches: those inside a mask, and classes that are compared with each other.

use super::planes::Planes;
use crate::imaging::{Raster, is_white};

/// The pixels of a picture that count.
pub(super) struct Mask {
    width: usize,
    pixels: Vec<bool>,
}

impl Mask {
    /// The white pixels of a raster with one channel.
    pub(super) fn new(raster: &Raster) -> Self {
        let pixels = raster.values().iter().map(|value| is_white(*value));
        Self {
            width: raster.size().width,
            pixels: pixels.collect(),
        }
    }

    /// Whether the middle pixel of the patch at row `y` and column `x` counts. On an image that wraps
    /// the patch may reach beyond the border.
    fn contains_middle(&self, y: usize, x: usize, reach: usize) -> bool {
        let height = self.pixels.len() / self.width;
        let (y, x) = ((y + reach / 2) % height, (x + reach / 2) % self.width);
        self.pixels[y * self.width + x]
    }
}

/// Positions of responses, in classes. Distributions are compared class by class.
pub(super) enum Positions {
    /// One class of all positions.
    All,
    /// Indices into a [`plane`](Planes::plane) of responses, class by class.
    Classes(Vec<Vec<u32>>),
}

impl Positions {
    /// One class of the positions whose patches have their middle in `mask`.
    pub(super) fn within(mask: Option<&Mask>, responses: &Planes, reach: usize) -> Self {
        match mask {
            None => Self::All,
            Some(mask) => Self::Classes(vec![indices_within(Some(mask), responses, reach)]),
        }
    }

    pub(super) fn classes(&self) -> usize {
        match self {
            Self::All => 1,
            Self::Classes(classes) => classes.len(),
        }
    }

    /// The responses of one filter in one class.
    pub(super) fn gather(&self, class: usize, responses: &Planes, filter: usize) -> Vec<f32> {
        match self {
            Self::All => {
                let mut values = Vec::with_capacity(responses.height * responses.width);
                (0..responses.height)
                    .for_each(|y| values.extend_from_slice(responses.row(filter, y)));
                values
            }
            Self::Classes(classes) => {
                let plane = responses.plane(filter);
                let indices = classes[class].iter();
                indices.map(|index| plane[*index as usize]).collect()
            }
        }
    }

    /// Writes values to the positions from which [`gather`](Self::gather) reads.
    pub(super) fn scatter(
        &self,
        (class, values): (usize, &[f32]),
        gradient: &mut Planes,
        filter: usize,
    ) {
        match self {
            Self::All => {
                let rows = values.chunks_exact(gradient.width.max(1));
                for (y, row) in rows.enumerate() {
                    gradient.row_mut(filter, y).copy_from_slice(row);
                }
            }
            Self::Classes(classes) => {
                let plane = gradient.plane_mut(filter);
                for (index, value) in classes[class].iter().zip(values) {
                    plane[*index as usize] = *value;
                }
            }
        }
    }
}

/// The indices into a plane of responses whose patches have their middle in `mask`.
pub(super) fn indices_within(mask: Option<&Mask>, responses: &Planes, reach: usize) -> Vec<u32> {
    let mut indices = Vec::new();
    for y in 0..responses.height {
        let row = (0..responses.width)
            .filter(|x| mask.is_none_or(|mask| mask.contains_middle(y, *x, reach)))
            .map(|x| responses.index_of(y, x) as u32);
        indices.extend(row);
    }
    indices
}

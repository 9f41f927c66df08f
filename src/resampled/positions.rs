//! Which patches count, and which are compared with which.

use super::planes::Planes;
use crate::imaging::{Raster, is_white};

/// Pixels that count.
pub(super) struct Mask {
    width: usize,
    pixels: Vec<bool>,
}

impl Mask {
    pub(super) fn of(raster: &Raster) -> Self {
        let pixels = raster.values().iter().map(|value| is_white(*value));
        Self {
            width: raster.size().width,
            pixels: pixels.collect(),
        }
    }

    /// Whether the pixel in the middle of a patch counts. Of an image that repeats, the patch may
    /// reach beyond the border.
    pub(super) fn holds(&self, y: usize, x: usize, reach: usize) -> bool {
        let height = self.pixels.len() / self.width;
        let (y, x) = ((y + reach / 2) % height, (x + reach / 2) % self.width);
        self.pixels[y * self.width + x]
    }
}

/// Positions of responses, in classes whose distributions are compared one by one.
pub(super) enum Positions {
    /// All of them, in one class.
    All,
    /// Places in a plane of responses, class by class.
    Classes(Vec<Vec<u32>>),
}

impl Positions {
    /// Where patches with their middle in `mask` respond.
    pub(super) fn within(mask: Option<&Mask>, responses: &Planes, reach: usize) -> Self {
        match mask {
            None => Self::All,
            Some(mask) => Self::Classes(vec![listed(responses, Some(mask), reach)]),
        }
    }

    pub(super) fn classes(&self) -> usize {
        match self {
            Self::All => 1,
            Self::Classes(classes) => classes.len(),
        }
    }

    /// The responses of one filter in one class.
    pub(super) fn gathered(&self, class: usize, responses: &Planes, filter: usize) -> Vec<f32> {
        match self {
            Self::All => {
                let mut values = Vec::with_capacity(responses.height * responses.width);
                (0..responses.height)
                    .for_each(|y| values.extend_from_slice(responses.row(filter, y)));
                values
            }
            Self::Classes(classes) => {
                let plane = responses.plane(filter);
                let places = classes[class].iter();
                places.map(|place| plane[*place as usize]).collect()
            }
        }
    }

    /// Puts values back to where [`gathered`](Self::gathered) took them.
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
                for (place, value) in classes[class].iter().zip(values) {
                    plane[*place as usize] = *value;
                }
            }
        }
    }
}

/// The places in a plane of responses whose patches have their middle in `mask`.
pub(super) fn listed(responses: &Planes, mask: Option<&Mask>, reach: usize) -> Vec<u32> {
    let mut places = Vec::new();
    for y in 0..responses.height {
        let counting = (0..responses.width)
            .filter(|x| mask.is_none_or(|mask| mask.holds(y, *x, reach)))
            .map(|x| responses.place(y, x) as u32);
        places.extend(counting);
    }
    places
}

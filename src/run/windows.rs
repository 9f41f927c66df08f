//! Windows of a picture that is too large for the optimiser's vectors: made one after the other, each with a ring of its
//! neighbours around it.
//!
//! What is finished of the neighbours stays as it is, and patches that reach into it fit both sides. What is not finished
//! yet changes along, so that the window has no border there, and is left as it was in the end: pixels that had steps in
//! two windows would be smoother than others. All windows have the same exemplars and the same filters.

use std::ops::Range;
use std::time::Duration;

use super::steps::{Steps, Stochastic};
use super::stochastic::{Estimate, Level};
use super::time::from_seconds;
use super::{Observer, StopReason};
use crate::error::Result;
use crate::imaging::{Raster, Size};

/// Pixels of the neighbours on every side: four times the reach of a patch.
pub(super) const RING: usize = 24;

/// A picture divided into windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    whole: Size,
    /// Rows and columns of a window, without its ring.
    cell: [usize; 2],
    wraps: bool,
}

/// The rows and columns of a window with its ring. Of a picture that wraps they may lie beyond its border.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    rows: Range<isize>,
    columns: Range<isize>,
}

impl Window {
    fn size(&self) -> Size {
        Size::new(self.columns.len(), self.rows.len())
    }
}

impl Grid {
    /// Windows of about that side; none for a picture that is no larger than one of them.
    pub(super) fn new(whole: Size, side: usize, wraps: bool) -> Option<Self> {
        if whole.pixels() <= side * side || wraps && whole.shorter() < 4 * RING {
            return None;
        }
        let cell = [whole.height, whole.width].map(|length| {
            // On both sides of a window lies another one.
            let fewest = if wraps { 2 } else { 1 };
            length.div_ceil(length.div_ceil(side).max(fewest))
        });
        Some(Self { whole, cell, wraps })
    }

    fn across(&self) -> usize {
        self.whole.width.div_ceil(self.cell[1])
    }

    pub(super) fn count(&self) -> usize {
        self.whole.height.div_ceil(self.cell[0]) * self.across()
    }

    /// Pixels of a window with its ring.
    pub(super) fn window_pixels(&self) -> usize {
        (self.cell[0] + 2 * RING) * (self.cell[1] + 2 * RING)
    }

    fn window(&self, number: usize) -> Window {
        let [rows, columns] = [number / self.across(), number % self.across()];
        let range = |index: usize, cell: usize, length: usize| {
            let (start, end) = (index * cell, ((index + 1) * cell).min(length));
            let (start, end) = (start as isize - RING as isize, (end + RING) as isize);
            match self.wraps {
                true => start..end,
                false => start.max(0)..end.min(length as isize),
            }
        };
        Window {
            rows: range(rows, self.cell[0], self.whole.height),
            columns: range(columns, self.cell[1], self.whole.width),
        }
    }

    /// Calls `visit` with each pixel of a window, row by row, and its place in the picture.
    fn pixels(&self, window: &Window, mut visit: impl FnMut(usize, [usize; 2])) {
        let mut pixel = 0;
        for y in window.rows.clone() {
            let y = y.rem_euclid(self.whole.height as isize) as usize;
            for x in window.columns.clone() {
                visit(pixel, [y, x.rem_euclid(self.whole.width as isize) as usize]);
                pixel += 1;
            }
        }
    }

    /// The values of a window.
    fn read(&self, picture: &Raster, window: &Window) -> Vec<f32> {
        let channels = picture.channels();
        let mut values = Vec::with_capacity(window.size().pixels() * channels);
        self.pixels(window, |_, [y, x]| {
            let first = (y * self.whole.width + x) * channels;
            values.extend_from_slice(&picture.values()[first..first + channels]);
        });
        values
    }

    /// The window that a pixel belongs to.
    fn owner(&self, [y, x]: [usize; 2]) -> usize {
        y / self.cell[0] * self.across() + x / self.cell[1]
    }

    /// 1 at the pixels of a window that do not belong to an earlier one, and 0 elsewhere.
    fn free(&self, number: usize, window: &Window) -> Raster {
        let mut free = Vec::with_capacity(window.size().pixels());
        self.pixels(window, |_, place| {
            free.push(if self.owner(place) < number { 0.0 } else { 1.0 });
        });
        Raster::new(window.size(), 1, free)
    }

    /// Writes the pixels of a window without its ring.
    fn write(&self, number: usize, values: &[f32], picture: &mut Raster) {
        let (channels, width) = (picture.channels(), self.whole.width);
        let target = picture.values_mut();
        self.pixels(&self.window(number), |pixel, [y, x]| {
            if self.owner([y, x]) == number {
                let from = &values[pixel * channels..][..channels];
                target[(y * width + x) * channels..][..channels].copy_from_slice(from);
            }
        });
    }
}

impl Stochastic<'_> {
    /// One level, window by window, and why it ended. A window that is over at its share of the time leaves the
    /// others theirs.
    pub(super) fn level_by_windows(
        &mut self,
        scale: usize,
        (grid, deadline): (&Grid, Option<Duration>),
        objective: &mut dyn FnMut(Level, &Raster) -> Box<dyn Estimate>,
        observer: &mut dyn Observer,
    ) -> Result<StopReason> {
        let level = self.plan.levels[scale];
        let estimate = objective(level, &self.canvas);
        let (draw, begun) = (self.counts.evaluations, self.clock.elapsed());
        let mut last = StopReason::Evaluations;
        for number in 0..grid.count() {
            let window = grid.window(number);
            let free = grid.free(number, &window);
            let adam = self.optimiser_from(grid.read(&self.canvas, &window))?;
            let share = (number + 1) as f64 / grid.count() as f64;
            let steps = Steps {
                scale,
                size: window.size(),
                whole: window.size(),
                margin: 0,
                first: 0,
                count: level.steps,
                draw,
                deadline: deadline.map(|end| {
                    let seconds = end.saturating_sub(begun).as_secs_f64() * share;
                    begun.saturating_add(from_seconds(seconds))
                }),
                free: Some(&free),
                saved: false,
                wraps: false,
            };
            let mut stepper = self.stepper(&steps, adam, &*estimate);
            let stop = self.descend(&steps, &mut *stepper, &*estimate, observer);
            grid.write(number, &stepper.into_point(), &mut self.canvas);
            last = stop?;
            if last == StopReason::Stopped {
                break;
            }
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_share_out_all_pixels() {
        for (size, side, wraps) in [
            (Size::new(300, 200), 128, false),
            (Size::new(300, 200), 128, true),
            (Size::new(2000, 130), 256, false),
            (Size::new(1000, 100), 256, true),
        ] {
            let grid = Grid::new(size, side, wraps).unwrap();
            assert!(grid.count() > 1);
            let picture = Raster::from_pixels(size, |pixel| [pixel as f32]);
            let mut made = Raster::new(size, 1, vec![-1.0; size.pixels()]);
            let mut owned = vec![0; size.pixels()];
            for number in 0..grid.count() {
                let window = grid.window(number);
                let values = grid.read(&picture, &window);
                let free = grid.free(number, &window);
                assert_eq!(values.len(), window.size().pixels());
                assert!(window.size().pixels() <= grid.window_pixels());
                grid.pixels(&window, |pixel, [y, x]| {
                    let place = y * size.width + x;
                    assert_eq!(values[pixel], picture.values()[place]);
                    // Finished ones stay, and so do no others.
                    let finished = made.values()[place] >= 0.0;
                    assert_eq!(free.values()[pixel], if finished { 0.0 } else { 1.0 });
                    owned[place] += usize::from(grid.owner([y, x]) == number);
                });
                grid.write(number, &values, &mut made);
            }
            assert_eq!(made, picture);
            assert!(owned.iter().all(|windows| *windows == 1));
        }
        assert_eq!(Grid::new(Size::square(128), 128, false), None);
    }
}

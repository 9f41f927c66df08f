//! A term that pulls patches to the exemplar's nearest patches: for textures of parts, such as leaves,
//! petals and fronds.
//!
//! (Elad and Milanfar, "Style Transfer Via Texture Synthesis", IEEE Transactions on Image Processing, 2017,
//! minimise such a distance alone. Patches that pay for their use are an idea of Kaspar et al., "Self Tuning
//! Texture Optimization", Eurographics 2015.)

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::draw;
use super::filters::FilterBank;
use super::patch_features::{BANKS, PatchFeatures, QUERIES};
use super::planes::Planes;
use crate::random::{self, Purpose};

/// Pixels between the patches of the canvas that are looked up. A patch between them gets the match of a
/// neighbour, shifted.
const STRIDE: usize = 2;

/// Steps between two searches.
const STEPS_PER_SEARCH: u32 = 12;

/// The share of a size's steps in which the term acts. Where the matches of two patches disagree, the
/// pixels between them are blurred. The remaining steps, of distributions alone, restore their grain.
const ACTIVE_SHARE: f64 = 0.6;

/// Side of the cells of the exemplar whose use is counted.
const CELL: usize = 4;

/// The price of a patch in a cell with average use, as a share of the mean squared distance of nearest
/// patches.
const PRICE: f32 = 0.5;

/// The nearest-patch term, and the matches of its last search.
pub(super) struct Nearest {
    /// The term's weight; the distance of distributions has weight 1.
    weight: f32,
    /// Steps in which the term acts.
    active_steps: u32,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For each position of the canvas's responses the position of the nearest patch in the exemplar's
    /// responses, row by row.
    matches: Arc<Vec<u32>>,
    /// How often the last search took a patch from each cell of the exemplar.
    uses: Vec<u32>,
    /// The mean squared distance of nearest patches in the last search.
    mean_distance: f32,
    /// The number of the next search.
    search: u32,
    /// Steps so far.
    step: u32,
}

impl Nearest {
    /// A term for a size with that many steps.
    pub(super) fn new(weight: f64, steps: usize, seed: u64) -> Self {
        Self {
            weight: weight as f32,
            active_steps: (steps as f64 * ACTIVE_SHARE) as u32,
            seed,
            state: Mutex::default(),
        }
    }

    /// The term's weight, and for each patch of an image the position of the exemplar's nearest patch.
    /// Positions count in responses of filters with that `side`. Each call is one step. Every few steps it
    /// searches anew, in the image that it asks for, and in the last steps it returns nothing.
    pub(super) fn matches(
        &self,
        image: impl FnOnce() -> Planes,
        exemplar: &Planes,
        side: usize,
    ) -> Option<(f32, Arc<Vec<u32>>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.step >= self.active_steps {
            return None;
        }
        if state.step.is_multiple_of(STEPS_PER_SEARCH) {
            self.search(&mut state, &image(), exemplar, side);
        }
        state.step += 1;
        Some((self.weight, Arc::clone(&state.matches)))
    }

    /// What the term keeps from one step to the next: the mean distance (its bits), the numbers of the
    /// next search and step, the count of uses, the uses, and the matches.
    pub(super) fn memory(&self) -> Vec<u32> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = [
            state.mean_distance.to_bits(),
            state.search,
            state.step,
            state.uses.len() as u32,
        ];
        [&numbers, &state.uses[..], &state.matches[..]].concat()
    }

    /// Goes on from what [`memory`](Self::memory) gave; false if that is incomplete, or not of a canvas and an exemplar with
    /// so many rows and columns of responses.
    pub(super) fn recall(&self, memory: &[u32], canvas: [usize; 2], exemplar: [usize; 2]) -> bool {
        let Some(([distance, search, step, uses], rest)) = memory.split_first_chunk() else {
            return false;
        };
        let Some((uses, matches)) = rest.split_at_checked(*uses as usize) else {
            return false;
        };
        let cells: usize = exemplar.iter().map(|side| side.div_ceil(CELL)).product();
        let positions: usize = exemplar.iter().product();
        // Nothing was searched before the first step.
        let counts = match step {
            0 => [0, 0],
            _ => [cells, canvas.iter().product()],
        };
        let within = matches.iter().all(|found| (*found as usize) < positions);
        let distance = f32::from_bits(*distance);
        if [uses.len(), matches.len()] != counts
            || !within
            || !distance.is_finite()
            || *search > step.div_ceil(STEPS_PER_SEARCH)
        {
            return false;
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State {
            matches: matches.to_vec().into(),
            uses: uses.to_vec(),
            mean_distance: distance,
            search: *search,
            step: *step,
        };
        true
    }

    fn search(&self, state: &mut State, image: &Planes, exemplar: &Planes, side: usize) {
        let banks: Vec<FilterBank> = (0..BANKS)
            .map(|number| {
                let index = state.search * BANKS + number;
                let mut generator = random::stream(self.seed, Purpose::Nearest, index);
                draw::bank(image.channels, side, &mut generator)
            })
            .collect();
        state.search += 1;
        let candidates = PatchFeatures::new(&banks, exemplar);
        let queries = PatchFeatures::new(&banks, image);
        let cells = Cells::new(&candidates);
        let prices = cells.prices(&state.uses, state.mean_distance);
        let scores: Vec<f32> = (candidates.norms.iter().enumerate())
            .map(|(position, norm)| norm + prices[cells.cell_of(position)])
            .collect();
        let rows: Vec<usize> = (0..queries.height).step_by(STRIDE).collect();
        let found: Vec<Vec<(u32, f32)>> = rows
            .par_iter()
            .map(|y| {
                let columns = (0..queries.width).step_by(STRIDE);
                let positions: Vec<usize> = columns.map(|x| y * queries.width + x).collect();
                positions
                    .chunks(QUERIES)
                    .flat_map(|positions| candidates.nearest(&scores, &queries, positions))
                    .collect()
            })
            .collect();
        state.uses = vec![0; cells.count()];
        let mut distances = 0.0;
        for (position, distance) in found.iter().flatten() {
            state.uses[cells.cell_of(*position as usize)] += 1;
            distances += f64::from(*distance);
        }
        let count: usize = found.iter().map(Vec::len).sum();
        state.mean_distance = (distances / count.max(1) as f64) as f32;
        state.matches = spread(&found, &candidates, &queries).into();
    }
}

/// The cells of an exemplar's responses.
struct Cells {
    rows: usize,
    columns: usize,
    /// Columns of the responses.
    width: usize,
}

impl Cells {
    fn new(candidates: &PatchFeatures) -> Self {
        Self {
            rows: candidates.height.div_ceil(CELL),
            columns: candidates.width.div_ceil(CELL),
            width: candidates.width,
        }
    }

    fn count(&self) -> usize {
        self.rows * self.columns
    }

    fn cell_of(&self, position: usize) -> usize {
        let (y, x) = (position / self.width, position % self.width);
        y / CELL * self.columns + x / CELL
    }

    /// The price of the patches of each cell, in proportion to the cell's use. Before the first search `uses` is
    /// empty and the price is zero.
    fn prices(&self, uses: &[u32], mean_distance: f32) -> Vec<f32> {
        let price = PRICE * mean_distance * self.count() as f32;
        let total = uses.iter().sum::<u32>().max(1);
        let uses = uses.iter().chain(std::iter::repeat(&0));
        uses.take(self.count())
            .map(|uses| price * *uses as f32 / total as f32)
            .collect()
    }
}

/// Extends the matches of every `STRIDE`-th position to all positions. A position between them takes the match
/// of the position above and to the left, shifted by the same amount.
fn spread(
    found: &[Vec<(u32, f32)>],
    candidates: &PatchFeatures,
    queries: &PatchFeatures,
) -> Vec<u32> {
    let mut matches = Vec::with_capacity(queries.height * queries.width);
    for y in 0..queries.height {
        for x in 0..queries.width {
            let (position, _) = found[y / STRIDE][x / STRIDE];
            let row = position as usize / candidates.width + y % STRIDE;
            let column = position as usize % candidates.width + x % STRIDE;
            let row = row.min(candidates.height - 1);
            let column = column.min(candidates.width - 1);
            matches.push((row * candidates.width + column) as u32);
        }
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resampled::coloured;

    #[test]
    fn a_picture_is_nearest_to_itself() {
        let exemplar = coloured(40, 53, 0.9, 0.7);
        let nearest = Nearest::new(1.0, 100, 3);
        let (weight, matches) = nearest.matches(|| exemplar.clone(), &exemplar, 7).unwrap();
        assert_eq!((weight, matches.len()), (1.0, 34 * 47));
        for (position, found) in matches.iter().enumerate() {
            assert_eq!(position, *found as usize);
        }
        assert!(nearest.state.lock().unwrap().mean_distance < 1e-9);
    }

    #[test]
    fn one_that_recalls_goes_on_with_the_same_matches() {
        let (exemplar, canvas) = (coloured(40, 53, 0.9, 0.7), coloured(40, 53, 0.4, 0.8));
        let matches =
            |nearest: &Nearest| nearest.matches(|| canvas.clone(), &exemplar, 7).unwrap().1;
        for steps in 0..30 {
            let (whole, resumed) = (Nearest::new(1.0, 100, 3), Nearest::new(1.0, 100, 3));
            (0..steps).for_each(|_| drop(matches(&whole)));
            let memory = whole.memory();
            assert!(resumed.recall(&memory, [34, 47], [34, 47]));
            if steps > 0 {
                assert!(!resumed.recall(&memory, [34, 48], [34, 47]));
                assert!(!resumed.recall(&memory, [34, 47], [3, 4]));
            }
            (0..14).for_each(|_| assert_eq!(matches(&whole), matches(&resumed)));
            assert_eq!(whole.memory(), resumed.memory());
        }
        let nearest = Nearest::new(1.0, 100, 3);
        for memory in [
            &[1, 2, 3][..],
            &[0, 0, 0, 2, 7],
            &[0, 0, 1, 0],
            &[0, 9, 0, 0],
        ] {
            assert!(!nearest.recall(memory, [34, 47], [34, 47]), "{memory:?}");
        }
    }

    #[test]
    fn a_shifted_picture_is_found_where_it_was() {
        let exemplar = coloured(60, 70, 0.9, 0.7);
        let mut part = Planes::new(3, 31, 42);
        for channel in 0..3 {
            for y in 0..31 {
                let row = &exemplar.row(channel, y + 11)[6..];
                part.row_mut(channel, y).copy_from_slice(&row[..42]);
            }
        }
        let nearest = Nearest::new(0.5, 100, 3);
        let (_, matches) = nearest.matches(|| part.clone(), &exemplar, 7).unwrap();
        for y in 0..25 {
            for x in 0..36 {
                let expected = (y + 11) * 64 + x + 6;
                assert_eq!(matches[y * 36 + x] as usize, expected, "{y} {x}");
            }
        }
    }

    #[test]
    fn patches_pay_for_their_use_and_stop_pulling() {
        // To a flat canvas some patches are a little nearer than all others.
        let exemplar = coloured(60, 70, 0.5, 0.4);
        let mut canvas = Planes::new(3, 60, 70);
        for channel in 0..3 {
            for y in 0..60 {
                canvas.row_mut(channel, y).fill(0.5);
            }
        }
        let nearest = Nearest::new(1.0, 100, 3);
        // All patches of the canvas are equal, so that one cell serves them all.
        let cell = || {
            let state = nearest.state.lock().unwrap();
            state.uses.iter().position(|uses| *uses == 27 * 32).unwrap()
        };
        let mut used = Vec::new();
        for step in 0..61u32 {
            let found = nearest.matches(|| canvas.clone(), &exemplar, 7);
            assert_eq!(found.is_some(), step < 60, "{step}");
            if step.is_multiple_of(STEPS_PER_SEARCH) && found.is_some() {
                used.push(cell());
            }
        }
        // Each search takes another cell, because the last one has a price.
        assert!(used.windows(2).all(|pair| pair[0] != pair[1]), "{used:?}");
        assert_eq!(used.len(), 5);
    }
}

//! A pull to the exemplar's nearest patches: for things with parts, leaves, petals, fronds.
//!
//! (Elad and Milanfar, "Style Transfer Via Texture Synthesis", IEEE Transactions on Image Processing, 2017,
//! minimise such a distance alone; that patches pay for their use is the idea of Kaspar et al., "Self Tuning
//! Texture Optimization", Eurographics 2015.)

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::draw::{self, BANK};
use super::filters::FilterBank;
use super::planes::Planes;
use crate::random::{self, Purpose};

/// Banks of filters along which patches are compared.
const BANKS: u32 = 3;
const FEATURES: usize = BANKS as usize * BANK;

/// Pixels from one patch of the canvas that is looked up to the next; those between follow it.
const STRIDE: usize = 2;

/// Steps after which nearest patches are looked up anew.
const STEPS: u32 = 12;

/// The share of a size's steps at which nearest patches pull. Where the patches of two places disagree, what
/// lies between them is blurred; distributions alone, in the rest of the steps, give it back its grain.
const SHARE: f64 = 0.6;

/// Sides of the cells of the exemplar whose use is counted.
const CELL: usize = 4;

/// What a patch pays for a cell that is used as often as the others: a share of the typical squared
/// distance of nearest patches.
const PRICE: f32 = 0.5;

/// The pull of nearest patches, and those of the last search.
pub(super) struct Nearest {
    /// Beside the distributions.
    weight: f32,
    /// How many steps it pulls.
    steps: u32,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The exemplar's place for each place of the canvas's responses, in rows of their width.
    places: Arc<Vec<u32>>,
    /// By cell of the exemplar, how often it was taken.
    uses: Vec<u32>,
    /// The mean squared distance of nearest patches.
    typical: f32,
    /// The number of the next search.
    number: u32,
    /// Steps so far.
    step: u32,
}

impl Nearest {
    pub(super) fn new(weight: f64, steps: usize, seed: u64) -> Self {
        Self {
            weight: weight as f32,
            steps: (steps as f64 * SHARE) as u32,
            seed,
            state: Mutex::default(),
        }
    }

    /// The weight of the pull, and for each place of the responses of filters of `side` to an image the
    /// place of the exemplar's nearest patch, looked up anew every few steps; none in the last steps.
    pub(super) fn places(
        &self,
        image: &Planes,
        exemplar: &Planes,
        side: usize,
    ) -> Option<(f32, Arc<Vec<u32>>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.step >= self.steps {
            return None;
        }
        if state.step.is_multiple_of(STEPS) {
            self.search(&mut state, image, exemplar, side);
        }
        state.step += 1;
        Some((self.weight, Arc::clone(&state.places)))
    }

    fn search(&self, state: &mut State, image: &Planes, exemplar: &Planes, side: usize) {
        let banks: Vec<FilterBank> = (0..BANKS)
            .map(|number| {
                let index = state.number * BANKS + number;
                let mut generator = random::stream(self.seed, Purpose::Nearest, index);
                draw::bank(image.channels, side, &mut generator)
            })
            .collect();
        state.number += 1;
        let of_exemplar = Candidates::new(&banks, exemplar);
        let cells = (
            of_exemplar.height.div_ceil(CELL),
            of_exemplar.width.div_ceil(CELL),
        );
        let price = PRICE * state.typical * (cells.0 * cells.1) as f32;
        let taken: u32 = state.uses.iter().sum();
        let bias: Vec<f32> = (0..of_exemplar.norms.len())
            .map(|place| {
                let (y, x) = (place / of_exemplar.width, place % of_exemplar.width);
                let cell = y / CELL * cells.1 + x / CELL;
                let uses = state.uses.get(cell).copied().unwrap_or(0);
                of_exemplar.norms[place] + price * uses as f32 / taken.max(1) as f32
            })
            .collect();
        let of_image = Candidates::new(&banks, image);
        let (height, width) = (of_image.height, of_image.width);
        let rows: Vec<usize> = (0..height).step_by(STRIDE).collect();
        let found: Vec<Vec<(u32, f32)>> = rows
            .par_iter()
            .map(|y| {
                let queries: Vec<usize> =
                    (0..width).step_by(STRIDE).map(|x| y * width + x).collect();
                queries
                    .chunks(QUERIES)
                    .flat_map(|queries| of_exemplar.nearest(&bias, &of_image, queries))
                    .collect()
            })
            .collect();
        let mut uses = vec![0; cells.0 * cells.1];
        let mut distance = 0.0;
        for (place, away) in found.iter().flatten() {
            let (y, x) = (
                *place as usize / of_exemplar.width,
                *place as usize % of_exemplar.width,
            );
            uses[y / CELL * cells.1 + x / CELL] += 1;
            distance += f64::from(*away);
        }
        let count: usize = found.iter().map(Vec::len).sum();
        state.typical = (distance / count.max(1) as f64) as f32;
        state.uses = uses;
        let mut places = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let (place, _) = found[y / STRIDE][x / STRIDE];
                let down = place as usize / of_exemplar.width + y % STRIDE;
                let across = place as usize % of_exemplar.width + x % STRIDE;
                let down = down.min(of_exemplar.height - 1);
                let across = across.min(of_exemplar.width - 1);
                places.push((down * of_exemplar.width + across) as u32);
            }
        }
        state.places = places.into();
    }
}

/// Patches of the canvas that are looked up together.
const QUERIES: usize = 4;

/// Candidates that are compared at once.
const CHUNK: usize = 512;

/// Patches of a picture by their responses to some filters.
struct Candidates {
    height: usize,
    width: usize,
    /// Response by response, each over all places.
    features: Vec<Vec<f32>>,
    /// The square of their length.
    norms: Vec<f32>,
}

impl Candidates {
    fn new(banks: &[FilterBank], picture: &Planes) -> Self {
        let mut features = Vec::with_capacity(FEATURES);
        let (mut height, mut width) = (0, 0);
        for bank in banks {
            let responses = bank.responses(picture);
            (height, width) = (responses.height, responses.width);
            for filter in 0..BANK {
                let rows = (0..height).flat_map(|y| responses.row(filter, y));
                features.push(rows.copied().collect::<Vec<f32>>());
            }
        }
        let mut norms = vec![0.0; height * width];
        for feature in &features {
            for (norm, value) in norms.iter_mut().zip(feature) {
                *norm += value * value;
            }
        }
        Self {
            height,
            width,
            features,
            norms,
        }
    }

    /// For patches at `queries` of `other`, at most `QUERIES`, the place of the candidate `e` with the
    /// least `|e|^2 - 2 q e` plus what its `bias` has beyond that, and its squared distance.
    fn nearest(&self, bias: &[f32], other: &Self, queries: &[usize]) -> Vec<(u32, f32)> {
        let mut weights = [[0.0; FEATURES]; QUERIES];
        for (weights, query) in weights.iter_mut().zip(queries) {
            for (weight, feature) in weights.iter_mut().zip(&other.features) {
                *weight = -2.0 * feature[*query];
            }
        }
        let mut best = [(0, f32::INFINITY); QUERIES];
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.scan(bias, &weights, &mut best),
        );
        let found = best.iter().zip(queries);
        let found = found.map(|((place, _), query)| {
            let difference = |feature: (&Vec<f32>, &Vec<f32>)| {
                (feature.0[*place as usize] - feature.1[*query]).powi(2)
            };
            let pairs = self.features.iter().zip(&other.features);
            (*place, pairs.map(difference).sum())
        });
        found.collect()
    }

    #[inline(always)]
    fn scan(
        &self,
        bias: &[f32],
        weights: &[[f32; FEATURES]; QUERIES],
        best: &mut [(u32, f32); QUERIES],
    ) {
        let mut scores = [[0.0f32; CHUNK]; QUERIES];
        for start in (0..bias.len()).step_by(CHUNK) {
            let count = CHUNK.min(bias.len() - start);
            for scores in &mut scores {
                scores[..count].copy_from_slice(&bias[start..start + count]);
            }
            for (number, feature) in self.features.iter().enumerate() {
                let values = &feature[start..start + count];
                for (scores, weights) in scores.iter_mut().zip(weights) {
                    let weight = weights[number];
                    for (score, value) in scores[..count].iter_mut().zip(values) {
                        *score += weight * value;
                    }
                }
            }
            for (scores, best) in scores.iter().zip(best.iter_mut()) {
                let least = scores[..count]
                    .iter()
                    .copied()
                    .fold(f32::INFINITY, f32::min);
                if least < best.1
                    && let Some(place) = scores[..count].iter().position(|score| *score <= least)
                {
                    *best = ((start + place) as u32, least);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resampled::coloured;

    #[test]
    fn a_picture_is_nearest_to_itself() {
        let exemplar = coloured(40, 53, 0.9, 0.7);
        let nearest = Nearest::new(1.0, 100, 3);
        let (weight, places) = nearest.places(&exemplar, &exemplar, 7).unwrap();
        assert_eq!((weight, places.len()), (1.0, 34 * 47));
        for (place, found) in places.iter().enumerate() {
            assert_eq!(place, *found as usize);
        }
        assert!(nearest.state.lock().unwrap().typical < 1e-9);
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
        let (_, places) = nearest.places(&part, &exemplar, 7).unwrap();
        for y in 0..25 {
            for x in 0..36 {
                let expected = (y + 11) * 64 + x + 6;
                assert_eq!(places[y * 36 + x] as usize, expected, "{y} {x}");
            }
        }
    }

    #[test]
    fn patches_pay_for_their_use_and_stop_pulling() {
        // A flat canvas, to which some patches are a little nearer than all others.
        let exemplar = coloured(60, 70, 0.5, 0.4);
        let mut canvas = Planes::new(3, 60, 70);
        for channel in 0..3 {
            for y in 0..60 {
                canvas.row_mut(channel, y).fill(0.5);
            }
        }
        let nearest = Nearest::new(1.0, 100, 3);
        // All of it is equal, so that one cell serves for all.
        let cell = || {
            let state = nearest.state.lock().unwrap();
            state.uses.iter().position(|uses| *uses == 27 * 32).unwrap()
        };
        let mut used = Vec::new();
        for step in 0..61u32 {
            let found = nearest.places(&canvas, &exemplar, 7);
            assert_eq!(found.is_some(), step < 60, "{step}");
            if step.is_multiple_of(STEPS) && found.is_some() {
                used.push(cell());
            }
        }
        // Another one each time: that of the time before has its price.
        assert!(used.windows(2).all(|pair| pair[0] != pair[1]), "{used:?}");
        assert_eq!(used.len(), 5);
    }
}

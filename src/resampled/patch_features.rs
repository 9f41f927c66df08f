//! Patches as vectors of responses to a few filters, and the search for the nearest.

use super::draw::BANK;
use super::filters::FilterBank;
use super::planes::Planes;

/// Filter banks whose responses are the features of a patch.
pub(super) const BANKS: u32 = 3;

/// Features of a patch.
const FEATURES: usize = BANKS as usize * BANK;

/// Queries that are compared with the candidates together.
pub(super) const QUERIES: usize = 4;

/// Candidates whose scores are computed at once.
const CHUNK: usize = 512;

/// The features of all patches of a picture.
pub(super) struct PatchFeatures {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Feature by feature, each at all positions row by row.
    features: Vec<Vec<f32>>,
    /// The squared norm of each position's features.
    pub(super) norms: Vec<f32>,
}

impl PatchFeatures {
    pub(super) fn new(banks: &[FilterBank], picture: &Planes) -> Self {
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

    /// The nearest candidate of each query, and its squared distance.
    ///
    /// A query is a patch `q` at one of `positions` in `queries`; there are at most `QUERIES` of them. The
    /// candidate `e` has the least `scores(e) - 2 q e`. With `scores(e) = |e|^2` that is the nearest one.
    pub(super) fn nearest(
        &self,
        scores: &[f32],
        queries: &Self,
        positions: &[usize],
    ) -> Vec<(u32, f32)> {
        let mut weights = [[0.0; FEATURES]; QUERIES];
        for (weights, position) in weights.iter_mut().zip(positions) {
            for (weight, feature) in weights.iter_mut().zip(&queries.features) {
                *weight = -2.0 * feature[*position];
            }
        }
        let mut best = [(0, f32::INFINITY); QUERIES];
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.scan(scores, &weights, &mut best),
        );
        let found = best.iter().zip(positions);
        let found = found.map(|((candidate, _), position)| {
            let square = |(own, other): (&Vec<f32>, &Vec<f32>)| {
                (own[*candidate as usize] - other[*position]).powi(2)
            };
            let features = self.features.iter().zip(&queries.features);
            (*candidate, features.map(square).sum())
        });
        found.collect()
    }

    /// Lowers `best`, the position and score of the best candidate so far, for each query.
    #[inline(always)]
    fn scan(
        &self,
        initial: &[f32],
        weights: &[[f32; FEATURES]; QUERIES],
        best: &mut [(u32, f32); QUERIES],
    ) {
        let mut scores = [[0.0f32; CHUNK]; QUERIES];
        for start in (0..initial.len()).step_by(CHUNK) {
            let count = CHUNK.min(initial.len() - start);
            for scores in &mut scores {
                scores[..count].copy_from_slice(&initial[start..start + count]);
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
                    && let Some(index) = scores[..count].iter().position(|score| *score <= least)
                {
                    *best = ((start + index) as u32, least);
                }
            }
        }
    }
}

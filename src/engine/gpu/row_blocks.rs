//! Blocks of whole rows of tiles, for feature maps whose transform would exceed a buffer.

/// Some rows of tiles of a map. The row after the last is the first.
pub(super) struct RowBlock {
    /// The first row that is transformed, and how many are.
    pub(super) first: usize,
    pub(super) rows: usize,
    /// The first row whose results are written, and how many are.
    pub(super) first_result: usize,
    pub(super) results: usize,
}

/// Cuts `rows` rows of tiles of `bytes` each into blocks. No block takes more than `largest` bytes
/// unless one row does. With `around` a block also transforms the rows before and after its own, which
/// the gradient of the input needs.
pub(super) fn row_blocks(rows: usize, bytes: usize, largest: usize, around: bool) -> Vec<RowBlock> {
    let most = (largest / bytes).max(if around { 3 } else { 1 });
    if rows <= most {
        let whole = RowBlock {
            first: 0,
            rows,
            first_result: 0,
            results: rows,
        };
        return vec![whole];
    }
    let margin = usize::from(around);
    let step = most - 2 * margin;
    (0..rows)
        .step_by(step)
        .map(|first| {
            let results = step.min(rows - first);
            RowBlock {
                first: (first + rows - margin) % rows,
                rows: results + 2 * margin,
                first_result: first,
                results,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts that the five-layer objective of a square image takes forward and backward, by the
    /// layers that go through the transform: channels (the larger number of both sides), and by how
    /// much the image is smaller there.
    fn of_an_evaluation(side: usize) -> usize {
        let shallow = [(64, 1), (128, 2), (128, 2)];
        let deep = [(256, 4), (256, 4), (256, 4), (256, 4)];
        let deepest = [(512, 8), (512, 8), (512, 8), (512, 8), (512, 16)];
        let layers = shallow.iter().chain(&deep).chain(&deepest);
        let count = layers.map(|(channels, smaller)| {
            let tiles = side / smaller / 4;
            let row = crate::engine::winograd::ELEMENTS * tiles * channels * 4;
            let ways = [false, true].map(|around| row_blocks(tiles, row, 128 << 20, around).len());
            ways[0] + ways[1]
        });
        count.sum()
    }

    #[test]
    fn parts_of_an_evaluation() {
        // By hand: of 1024x1024 conv1_2 has 256 rows of 2.25 MiB, 56 fit, of which the backward pass
        // keeps 54; conv2_1 and conv2_2 have 128 such rows, the four of conv3 64 each.
        assert_eq!(of_an_evaluation(256), 24);
        assert_eq!(of_an_evaluation(512), 26);
        assert_eq!(of_an_evaluation(1024), 2 * (5 + 2 * 3 + 4 * 2 + 5));
    }

    #[test]
    fn every_row_is_a_result_once_and_has_its_neighbours() {
        for rows in 1..40 {
            for most in 1..12 {
                for around in [false, true] {
                    let blocks = row_blocks(rows, 10, 10 * most, around);
                    let results = blocks
                        .iter()
                        .flat_map(|part| part.first_result..part.first_result + part.results);
                    assert!(results.eq(0..rows), "{rows} {most} {around}");
                    for part in &blocks {
                        assert!(part.rows <= most.max(3) || blocks.len() == 1);
                        let transformed: Vec<usize> =
                            (0..part.rows).map(|i| (part.first + i) % rows).collect();
                        let margin = usize::from(around && blocks.len() > 1);
                        let first = part.first_result + rows - margin;
                        let wanted = (0..part.results + 2 * margin).map(|i| (first + i) % rows);
                        assert!(transformed.iter().copied().eq(wanted));
                    }
                }
            }
        }
    }
}

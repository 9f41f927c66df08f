//! Splits a feature map into blocks of whole tile rows, so that the transform of a block fits into
//! a buffer.

/// Consecutive tile rows of a feature map. Row numbers are periodic: row 0 follows the last row.
pub(super) struct RowBlock {
    /// The first row that is transformed.
    pub(super) first: usize,
    /// The number of rows that are transformed.
    pub(super) rows: usize,
    /// The first row whose results are written.
    pub(super) first_result: usize,
    /// The number of rows whose results are written.
    pub(super) results: usize,
}

/// Splits `rows` tile rows, each of `bytes` bytes, into blocks of at most `largest` bytes. A block
/// has at least one row with results, even if that row is larger.
///
/// Each block also transforms `halo` rows before and after its results (0 or 1). The input gradient
/// needs one, because the windows of neighbouring tiles overlap.
pub(super) fn row_blocks(rows: usize, bytes: usize, largest: usize, halo: usize) -> Vec<RowBlock> {
    let most = (largest / bytes).max(1 + 2 * halo);
    if rows <= most {
        let whole = RowBlock {
            first: 0,
            rows,
            first_result: 0,
            results: rows,
        };
        return vec![whole];
    }
    let step = most - 2 * halo;
    (0..rows)
        .step_by(step)
        .map(|first| {
            let results = step.min(rows - first);
            RowBlock {
                first: (first + rows - halo) % rows,
                rows: results + 2 * halo,
                first_result: first,
                results,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks in one evaluation of the five-layer objective at a square image, forward and backward.
    fn of_an_evaluation(side: usize) -> usize {
        // The Winograd layers: the larger of both channel counts, and the stride of the layer.
        let shallow = [(64, 1), (128, 2), (128, 2)];
        let deep = [(256, 4), (256, 4), (256, 4), (256, 4)];
        let deepest = [(512, 8), (512, 8), (512, 8), (512, 8), (512, 16)];
        let layers = shallow.iter().chain(&deep).chain(&deepest);
        let count = layers.map(|(channels, stride)| {
            let tiles = side / stride / 4;
            let row = crate::engine::winograd::ELEMENTS * tiles * channels * 4;
            let passes = [0, 1].map(|halo| row_blocks(tiles, row, 128 << 20, halo).len());
            passes[0] + passes[1]
        });
        count.sum()
    }

    #[test]
    fn blocks_of_an_evaluation() {
        // By hand at 1024x1024: conv1_2 has 256 tile rows of 2.25 MiB. 56 rows fit into a buffer, 54 of
        // them with results in the backward pass. conv2_1 and conv2_2 have 128 such rows each, and the
        // four layers of conv3 have 64 each.
        assert_eq!(of_an_evaluation(256), 24);
        assert_eq!(of_an_evaluation(512), 26);
        assert_eq!(of_an_evaluation(1024), 2 * (5 + 2 * 3 + 4 * 2 + 5));
    }

    #[test]
    fn every_row_is_a_result_once_and_has_its_neighbours() {
        for rows in 1..40 {
            for most in 1..12 {
                for halo in [0, 1] {
                    let blocks = row_blocks(rows, 10, 10 * most, halo);
                    let results = blocks
                        .iter()
                        .flat_map(|block| block.first_result..block.first_result + block.results);
                    assert!(results.eq(0..rows), "{rows} {most} {halo}");
                    for block in &blocks {
                        assert!(block.rows <= most.max(3) || blocks.len() == 1);
                        let transformed: Vec<usize> =
                            (0..block.rows).map(|i| (block.first + i) % rows).collect();
                        let halo = if blocks.len() > 1 { halo } else { 0 };
                        let first = block.first_result + rows - halo;
                        let wanted = (0..block.results + 2 * halo).map(|i| (first + i) % rows);
                        assert!(transformed.iter().copied().eq(wanted));
                    }
                }
            }
        }
    }
}

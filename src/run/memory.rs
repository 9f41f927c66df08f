//! How a run by L-BFGS keeps within the memory that it may take.

use crate::error::{Error, Result};
use crate::imaging::Size;

/// Bytes for each pixel of an image or a block that passes through a network: feature maps, what is saved
/// for the backward pass, gradients (`docs/PERFORMANCE.md`).
const PASS: f64 = 500.0;

/// Vectors of the image's size beside the optimiser's history: image, gradient, direction, best point, those
/// of a line search, the halved images of all octaves, and what distributions of colours are sorted in.
const VECTORS: f64 = 14.0;

/// The same where the image is evaluated in blocks, whose gradients are added up.
const VECTORS_BY_BLOCKS: f64 = 26.0;

/// The fewest pairs of L-BFGS's history that are kept to save memory.
const FEWEST_PAIRS: usize = 3;

/// The smallest block: below it most of the work is in the margins.
const SMALLEST_BLOCK: usize = 256;

/// What a run takes on memory, and on what it saves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MemoryPlan {
    /// The longest side of an image that is evaluated as a whole, and the side of blocks of larger ones.
    /// `None`: all are evaluated as a whole.
    pub(super) block_side: Option<usize>,
    /// Pairs of vectors in the history of L-BFGS.
    pub(super) history: usize,
}

impl MemoryPlan {
    /// The plan for an image of this size that may take `memory` bytes, with `history` pairs if possible.
    pub(super) fn new(
        memory: Option<u64>,
        (size, channels): (Size, usize),
        history: usize,
    ) -> Result<Self> {
        let whole = Self {
            block_side: None,
            history,
        };
        let Some(memory) = memory else {
            return Ok(whole);
        };
        let pixels = size.pixels() as f64;
        let vector = pixels * (channels * size_of::<f32>()) as f64;
        let pairs = |count: usize| 2.0 * count as f64 * vector;
        if VECTORS * vector + pixels * PASS + pairs(history) <= memory as f64 {
            return Ok(whole);
        }
        let longest = size.width.max(size.height);
        if longest <= SMALLEST_BLOCK {
            let left = memory as f64 - VECTORS * vector - pixels * PASS;
            let fewest = FEWEST_PAIRS.min(history);
            if left < pairs(fewest) {
                let least = VECTORS * vector + pixels * PASS + pairs(fewest);
                return Err(too_little(memory, least, size));
            }
            return Ok(Self {
                block_side: None,
                history: ((left / pairs(1)) as usize).min(history),
            });
        }
        let left = memory as f64 - VECTORS_BY_BLOCKS * vector;
        let smallest = ((SMALLEST_BLOCK * SMALLEST_BLOCK) as f64).min(pixels) * PASS;
        let affordable = (left / 2.0).min(left - smallest) / pairs(1);
        let affordable = affordable.max(0.0) as usize;
        let history = affordable.clamp(FEWEST_PAIRS.min(history), history);
        let block_side = ((left - pairs(history)) / PASS).max(0.0).sqrt() as usize;
        if block_side < SMALLEST_BLOCK {
            let smallest = (SMALLEST_BLOCK * SMALLEST_BLOCK) as f64;
            let least =
                VECTORS_BY_BLOCKS * vector + pairs(FEWEST_PAIRS) + smallest.min(pixels) * PASS;
            return Err(too_little(memory, least, size));
        }
        Ok(Self {
            block_side: Some(block_side),
            history,
        })
    }
}

/// The error for a bound that is below what a result needs at least.
pub(super) fn too_little(memory: u64, least: f64, size: Size) -> Error {
    let allowed = format!("at least {:.0} bytes for a result of {size}", least * 1.01);
    Error::option("memory", memory, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_out_by_hand() {
        let plan = |memory, side| MemoryPlan::new(memory, (Size::square(side), 3), 10);
        let whole = MemoryPlan {
            block_side: None,
            history: 10,
        };
        assert_eq!(plan(None, 8192).unwrap(), whole);
        // 1024 x 1024 takes 2^20 (500 + 14 * 12 + 20 * 12) bytes: 908 MiB.
        assert_eq!(plan(Some(908 << 20), 1024).unwrap(), whole);
        // One byte less: the history may have half of what vectors leave, (908 - 312) / 2 MiB, which is
        // enough for 10 pairs of 24 MiB. A block has 356 MiB, or 746586 pixels.
        let blocks = plan(Some((908 << 20) - 1), 1024).unwrap();
        assert_eq!((blocks.block_side, blocks.history), (Some(864), 10));
        // 450 MiB: half of the 138 MiB beside the vectors is not enough for 3 pairs, which are kept all the
        // same. A block has 66 MiB, or 138412 pixels.
        let blocks = plan(Some(450 << 20), 1024).unwrap();
        assert_eq!((blocks.block_side, blocks.history), (Some(372), 3));
        // 470 MiB: a block of 256 x 256 pixels has 31.25 MiB, and half of the 158 MiB are 3 pairs.
        assert_eq!(plan(Some(470 << 20), 1024).unwrap().history, 3);
        // Vectors 312 MiB, 3 pairs 72 MiB and a block of 31.25 MiB: 415.25 MiB.
        assert!(plan(Some(415 << 20), 1024).is_err());
        // 100 x 100 pixels have no blocks: 5 MB, vectors of 1.68 MB and 9 pairs of 0.24 MB.
        let small = plan(Some(9_000_000), 100).unwrap();
        assert_eq!((small.block_side, small.history), (None, 9));
        assert!(plan(Some(7_000_000), 100).is_err());
        let error = plan(Some(5), 1024).unwrap_err().to_string();
        let words = "memory is 5; allowed: at least";
        assert!(error.starts_with(words), "{error}");
        assert!(plan(Some(420 << 20), 1024).is_ok());
    }
}

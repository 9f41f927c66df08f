//! Packed panels of a GEMM's right operand.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::disjoint_slice::DisjointSlice;

/// Right operands `[matrix][row][column]`, packed in panels that are two SIMD vectors wide.
pub(super) struct Panels {
    rows: usize,
    /// Panels in each matrix.
    count: usize,
    /// Columns in a panel.
    width: usize,
    /// `[matrix][panel][row][column of the panel]`, padded with zeros to whole panels.
    data: Vec<f32>,
}

impl Panels {
    /// Packs matrices. `values(row, column)` returns this entry of each matrix.
    pub(super) fn pack<const MATRICES: usize>(
        rows: usize,
        columns: usize,
        values: impl Fn(usize, usize) -> [f32; MATRICES] + Sync,
    ) -> Self {
        let width = panel_width();
        let count = columns.div_ceil(width);
        let mut data = vec![0.0; MATRICES * count * rows * width];
        let slice = DisjointSlice::new(&mut data);
        (0..count).into_par_iter().for_each(|panel| {
            for row in 0..rows {
                for column in panel * width..columns.min((panel + 1) * width) {
                    for (matrix, value) in values(row, column).into_iter().enumerate() {
                        let start = ((matrix * count + panel) * rows + row) * width;
                        // SAFETY: each entry belongs to one panel, and each panel to one task.
                        #[allow(unsafe_code)]
                        unsafe {
                            slice.part(start + column % width, 1)[0] = value;
                        }
                    }
                }
            }
        });
        Self {
            rows,
            count,
            width,
            data,
        }
    }

    /// Panels for one matrix with this number of columns, without rows.
    pub(super) fn empty(columns: usize) -> Self {
        let width = panel_width();
        Self {
            rows: 0,
            count: columns.div_ceil(width),
            width,
            data: Vec::new(),
        }
    }

    /// Replaces the matrix by the rows `[..][columns]`.
    #[inline(always)]
    pub(super) fn assign<S: Simd>(&mut self, _: S, values: &[f32], columns: usize) {
        self.rows = values.len() / columns;
        self.data.resize(self.count * self.rows * self.width, 0.0);
        let stride = self.rows * self.width;
        for (number, row) in values.chunks_exact(columns).enumerate() {
            for (panel, row) in row.chunks(self.width).enumerate() {
                let packed = &mut self.data[panel * stride + number * self.width..][..self.width];
                if row.len() == 2 * S::F32_LANES {
                    // A copy of a length that is known here, not a call for each row.
                    let (packed, row) = (S::as_mut_simd_f32s(packed).0, S::as_simd_f32s(row).0);
                    (packed[0], packed[1]) = (row[0], row[1]);
                } else {
                    packed[..row.len()].copy_from_slice(row);
                    packed[row.len()..].fill(0.0);
                }
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Panels in each matrix.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Columns in a panel.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// One panel, `[row][column of the panel]`.
    pub(super) fn panel(&self, matrix: usize, panel: usize) -> &[f32] {
        let length = self.rows * self.width;
        &self.data[(matrix * self.count + panel) * length..][..length]
    }
}

/// Columns in a panel on this processor: two SIMD vectors.
pub(super) fn panel_width() -> usize {
    Arch::new().dispatch(PanelWidth)
}

struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// Compiles only if kernels for both AVX2 and AVX-512 are switched on in `pulp`. Without either, processors that
    /// have no more would get kernels without vectors.
    #[test]
    fn kernels_are_those_of_the_processor() {
        let lanes = match Arch::new() {
            Arch::V4(_) => 16,
            Arch::V3(_) => 8,
            _ => 1,
        };
        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        assert_eq!(lanes > 1, has_avx2);
        assert_eq!(panel_width(), 2 * lanes);
    }
}

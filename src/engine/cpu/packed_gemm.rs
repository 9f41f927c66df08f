//! Dense products with a right factor that is packed once: where nearly all multiplications happen.
//!
//! A network's weights never change, so they are laid out in the order in which the innermost loop
//! reads them. The left factor is read where it lies. A library's product packs both at each call,
//! which at 16 to 128 rows costs as much as it saves (`docs/PERFORMANCE.md`).

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::shared::Shared;

/// Right factors `[matrix][row][column]`, packed in panels of two vectors of columns.
pub(super) struct Panels {
    rows: usize,
    /// Panels of each matrix.
    count: usize,
    /// Columns of a panel.
    width: usize,
    /// `[matrix][panel][row][column of the panel]`, zeros beyond the last column.
    data: Vec<f32>,
}

impl Panels {
    /// Packs; `values(row, column, out)` writes the value of each matrix at one place.
    pub(super) fn pack<const MATRICES: usize>(
        rows: usize,
        columns: usize,
        values: impl Fn(usize, usize) -> [f32; MATRICES] + Sync,
    ) -> Self {
        let width = panel_width();
        let count = columns.div_ceil(width);
        let mut data = vec![0.0; MATRICES * count * rows * width];
        let shared = Shared::new(&mut data);
        (0..count).into_par_iter().for_each(|panel| {
            for row in 0..rows {
                for column in panel * width..columns.min((panel + 1) * width) {
                    for (matrix, value) in values(row, column).into_iter().enumerate() {
                        let place = ((matrix * count + panel) * rows + row) * width;
                        // SAFETY: each place belongs to one panel, each panel to one task.
                        #[allow(unsafe_code)]
                        unsafe {
                            shared.part(place + column % width, 1)[0] = value;
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

    /// Room for one matrix of this many columns, still without rows.
    pub(super) fn empty(columns: usize) -> Self {
        let width = panel_width();
        Self {
            rows: 0,
            count: columns.div_ceil(width),
            width,
            data: Vec::new(),
        }
    }

    /// Packs the one matrix anew, from rows `[..][columns]`.
    pub(super) fn assign(&mut self, values: &[f32], columns: usize) {
        self.rows = values.len() / columns;
        self.data.resize(self.count * self.rows * self.width, 0.0);
        let panels = self.data.chunks_mut(self.rows * self.width).enumerate();
        for (panel, data) in panels {
            let first = panel * self.width;
            let width = self.width.min(columns - first);
            for (place, row) in data.chunks_mut(self.width).zip(values.chunks(columns)) {
                place[..width].copy_from_slice(&row[first..][..width]);
                place[width..].fill(0.0);
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn panel(&self, matrix: usize, panel: usize) -> &[f32] {
        let length = self.rows * self.width;
        &self.data[(matrix * self.count + panel) * length..][..length]
    }
}

/// Columns of a panel on this processor: two of its vectors.
pub(super) fn panel_width() -> usize {
    Arch::new().dispatch(Geometry).width
}

/// Rows of the widest step of a product on this processor: counts of rows should be multiples.
pub(super) fn step_rows() -> usize {
    Arch::new().dispatch(Geometry).rows
}

/// Asks what the widest step of a product is.
struct Geometry;

struct Step {
    rows: usize,
    width: usize,
}

impl WithSimd for Geometry {
    type Output = Step;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Step {
        Step {
            rows: step_of::<S>(),
            width: 2 * S::F32_LANES,
        }
    }
}

/// Whether a step of 14 rows by two vectors fits into registers: 28 sums, two vectors of the right
/// factor, one value of the left. With 16 registers 6 rows do.
#[inline(always)]
fn many_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

/// A left factor where it lies: row `r`, column `s * length + j` at
/// `r * stride + s * segment_stride + j * column_stride`.
///
/// A plain matrix has one segment. The patches of a kernel over an image have one for each line of
/// the kernel, and rows that overlap, so a convolution needs no copy of its patches.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) stride: usize,
    pub(super) segments: usize,
    pub(super) segment_stride: usize,
    pub(super) length: usize,
    pub(super) column_stride: usize,
}

impl<'a> Left<'a> {
    /// A matrix of `rows` rows, `stride` apart, of `columns` values.
    pub(super) fn matrix(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self {
            data,
            rows,
            stride,
            segments: 1,
            segment_stride: 0,
            length: columns,
            column_stride: 1,
        }
    }
}

/// `out = left * right` for one panel of one matrix; row `r` of the result, as wide as the panel,
/// begins at `r * out_stride`.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    simd: S,
    left: &Left<'_>,
    right: &Panels,
    (matrix, panel): (usize, usize),
    out: &mut [f32],
    out_stride: usize,
) {
    let Left { rows, stride, .. } = *left;
    assert_eq!(left.segments * left.length, right.rows);
    assert_eq!(right.width, 2 * S::F32_LANES);
    if rows == 0 || left.length == 0 {
        return;
    }
    let last = (rows - 1) * stride
        + (left.segments - 1) * left.segment_stride
        + (left.length - 1) * left.column_stride
        + 1;
    assert!(last <= left.data.len() && (rows - 1) * out_stride + right.width <= out.len());
    let steps = rows.div_ceil(step_of::<S>());
    let panel = right.panel(matrix, panel);
    let mut state = Steps {
        simd,
        left,
        right: panel,
        // What follows this panel in memory is what is read next; its lines are fetched evenly
        // over the steps.
        ahead: panel.as_ptr().wrapping_add(panel.len()),
        ahead_step: (right.width / steps).max(1),
        out,
        out_stride,
        done: 0,
    };
    // SAFETY: rows up to `rows`, their columns, the panel and the rows of the result lie in their
    // slices, as asserted above.
    #[allow(unsafe_code)]
    unsafe {
        if many_registers::<S>() {
            while state.left_over() >= 14 {
                state.step::<14>();
            }
            if state.left_over() >= 8 {
                state.step::<8>();
            }
        } else {
            while state.left_over() >= 6 {
                state.step::<6>();
            }
        }
        if state.left_over() >= 4 {
            state.step::<4>();
        }
        if state.left_over() >= 2 {
            state.step::<2>();
        }
        if state.left_over() >= 1 {
            state.step::<1>();
        }
    }
}

/// `left * right`, of one matrix, in rows as wide as all its panels.
pub(super) fn multiply_all(left: &Left<'_>, right: &Panels, products: &mut [f32]) {
    let stride = right.count * right.width;
    let product = |(panel, out): (usize, &mut [f32])| {
        Arch::new().dispatch(Product {
            left,
            right,
            panel,
            out,
            stride,
        });
    };
    if left.rows == 1 {
        // A fully connected layer at one position: its panels are all there is to share out.
        products
            .par_chunks_mut(right.width)
            .enumerate()
            .for_each(product);
    } else {
        for panel in 0..right.count {
            product((panel, &mut products[panel * right.width..]));
        }
    }
}

struct Product<'a> {
    left: &'a Left<'a>,
    right: &'a Panels,
    panel: usize,
    out: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let place = (0, self.panel);
        multiply(simd, self.left, self.right, place, self.out, self.stride);
    }
}

#[inline(always)]
fn step_of<S: Simd>() -> usize {
    if many_registers::<S>() { 14 } else { 6 }
}

/// Terms that are summed in registers before they join what was summed before: sums of sums round
/// less than long sums.
const RUN: usize = 256;

struct Steps<'a, S> {
    simd: S,
    left: &'a Left<'a>,
    right: &'a [f32],
    ahead: *const f32,
    ahead_step: usize,
    out: &'a mut [f32],
    out_stride: usize,
    done: usize,
}

impl<S: Simd> Steps<'_, S> {
    #[inline(always)]
    fn left_over(&self) -> usize {
        self.left.rows - self.done
    }

    /// The next `ROWS` rows of the result.
    ///
    /// # Safety
    ///
    /// At least that many are left over, and all of them lie inside their slices.
    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn step<const ROWS: usize>(&mut self) {
        let simd = self.simd;
        let lanes = S::F32_LANES;
        let zeros = [[simd.splat_f32s(0.0); 2]; ROWS];
        let Left {
            stride,
            segments,
            segment_stride,
            length,
            column_stride,
            ..
        } = *self.left;
        let mut ahead = self.ahead;
        let mut sums = zeros;
        let mut terms = 0;
        let mut adds = false;
        // SAFETY: inside the slices by the caller's promise; vectors need no alignment here.
        unsafe {
            let mut right = self.right.as_ptr();
            let first = self.left.data.as_ptr().add(self.done * stride);
            let out = self.out.as_mut_ptr().add(self.done * self.out_stride);
            for segment in 0..segments {
                let mut left = first.add(segment * segment_stride);
                let mut done = 0;
                while done < length {
                    let run = RUN.min(length - done);
                    for _ in 0..run {
                        let a = right.cast::<S::f32s>().read_unaligned();
                        let b = right.add(lanes).cast::<S::f32s>().read_unaligned();
                        prefetch(ahead);
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let value = simd.splat_f32s(*left.add(row * stride));
                            sums[0] = simd.mul_add_e_f32s(value, a, sums[0]);
                            sums[1] = simd.mul_add_e_f32s(value, b, sums[1]);
                        }
                        // Wrapping, since the last step may leave the matrix by more than one.
                        left = left.wrapping_add(column_stride);
                        right = right.add(2 * lanes);
                        ahead = ahead.wrapping_add(self.ahead_step);
                    }
                    done += run;
                    terms += run;
                    let last = segment + 1 == segments && done == length;
                    if last || terms >= RUN / 2 {
                        for (row, sums) in sums.into_iter().enumerate() {
                            for (half, sum) in sums.into_iter().enumerate() {
                                let out = out.add(row * self.out_stride + half * lanes);
                                let out = out.cast::<S::f32s>();
                                let sum = if adds {
                                    simd.add_f32s(out.read_unaligned(), sum)
                                } else {
                                    sum
                                };
                                out.write_unaligned(sum);
                            }
                        }
                        sums = zeros;
                        terms = 0;
                        adds = true;
                    }
                }
            }
        }
        self.ahead = ahead;
        self.done += ROWS;
    }
}

/// Asks for the cache line at `place` ahead of its use; the address need not be valid.
#[inline(always)]
fn prefetch(place: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it faults on no address.
    #[allow(unsafe_code)]
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

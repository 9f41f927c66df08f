//! A GEMM with a packed right operand. Nearly all multiplications of the CPU engine happen here.
//!
//! A network's weights never change, so they are packed once, in the order in which the microkernel
//! reads them. The left operand is not packed. A library packs both operands at each call, which at
//! 16 to 128 rows costs as much as it saves (`docs/PERFORMANCE.md`).

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::panels::Panels;

/// Rows of the largest microkernel on this processor. Products are fastest when their rows are a
/// multiple.
pub(super) fn microkernel_rows() -> usize {
    Arch::new().dispatch(MicrokernelRows)
}

struct MicrokernelRows;

impl WithSimd for MicrokernelRows {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        largest_rows::<S>()
    }
}

/// Whether a microkernel of 14 rows by two vectors fits into the registers: 28 sums, two vectors of
/// the right operand, one value of the left operand. 16 registers hold 6 rows.
#[inline(always)]
fn many_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

/// A strided left operand. The entry in row `r` and column `s * length + j` is at
/// `r * stride + s * segment_stride + j * column_stride`.
///
/// A plain matrix has one segment. A matrix of patches (im2col) has one segment for each row of the
/// kernel, and its rows overlap in memory, so a convolution needs no copy of its patches.
#[derive(Clone, Copy)]
pub(super) struct LeftOperand<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) stride: usize,
    pub(super) segments: usize,
    pub(super) segment_stride: usize,
    pub(super) length: usize,
    pub(super) column_stride: usize,
}

impl<'a> LeftOperand<'a> {
    /// A row-major matrix with this row stride.
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

/// `out = left * right` for one panel of one matrix. Row `r` of the result is as wide as the panel
/// and starts at `r * out_stride`.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    simd: S,
    left: &LeftOperand<'_>,
    right: &Panels,
    (matrix, panel): (usize, usize),
    out: &mut [f32],
    out_stride: usize,
) {
    let LeftOperand { rows, stride, .. } = *left;
    assert_eq!(left.segments * left.length, right.rows());
    assert_eq!(right.width(), 2 * S::F32_LANES);
    if rows == 0 || left.length == 0 {
        return;
    }
    let last = (rows - 1) * stride
        + (left.segments - 1) * left.segment_stride
        + (left.length - 1) * left.column_stride
        + 1;
    assert!(last <= left.data.len() && (rows - 1) * out_stride + right.width() <= out.len());
    let calls = rows.div_ceil(largest_rows::<S>());
    let panel = right.panel(matrix, panel);
    let mut kernel = Microkernel {
        simd,
        left,
        right: panel,
        // The next panel follows this one in memory. Its cache lines are prefetched evenly over the
        // calls.
        ahead: panel.as_ptr().wrapping_add(panel.len()),
        ahead_step: (right.width() / calls).max(1),
        out,
        out_stride,
        done: 0,
    };
    // SAFETY: all rows and columns of the left operand, the panel and all rows of the result lie
    // inside their slices, as asserted above.
    #[allow(unsafe_code)]
    unsafe {
        if many_registers::<S>() {
            while kernel.rows_left() >= 14 {
                kernel.run::<14>();
            }
            if kernel.rows_left() >= 8 {
                kernel.run::<8>();
            }
        } else {
            while kernel.rows_left() >= 6 {
                kernel.run::<6>();
            }
        }
        if kernel.rows_left() >= 4 {
            kernel.run::<4>();
        }
        if kernel.rows_left() >= 2 {
            kernel.run::<2>();
        }
        if kernel.rows_left() >= 1 {
            kernel.run::<1>();
        }
    }
}

/// `left * right` for the first matrix of `right`. The rows of the result are as wide as all panels.
pub(super) fn multiply_all(left: &LeftOperand<'_>, right: &Panels, products: &mut [f32]) {
    let stride = right.count() * right.width();
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
        // A fully connected layer has one row, so the threads share the panels.
        products
            .par_chunks_mut(right.width())
            .enumerate()
            .for_each(product);
    } else {
        for panel in 0..right.count() {
            product((panel, &mut products[panel * right.width()..]));
        }
    }
}

struct Product<'a> {
    left: &'a LeftOperand<'a>,
    right: &'a Panels,
    panel: usize,
    out: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let panel = (0, self.panel);
        multiply(simd, self.left, self.right, panel, self.out, self.stride);
    }
}

/// Rows of the largest microkernel.
#[inline(always)]
fn largest_rows<S: Simd>() -> usize {
    if many_registers::<S>() { 14 } else { 6 }
}

/// The most terms that are summed in registers before they are added to the result. A sum of short
/// sums rounds less than one long sum.
const RUN: usize = 256;

/// The state of one [`multiply`]: operands, and the rows that are done.
struct Microkernel<'a, S> {
    simd: S,
    left: &'a LeftOperand<'a>,
    right: &'a [f32],
    /// The address that is prefetched next.
    ahead: *const f32,
    /// The distance between prefetched addresses.
    ahead_step: usize,
    out: &'a mut [f32],
    out_stride: usize,
    done: usize,
}

impl<S: Simd> Microkernel<'_, S> {
    #[inline(always)]
    fn rows_left(&self) -> usize {
        self.left.rows - self.done
    }

    /// Computes the next `ROWS` rows of the result.
    ///
    /// # Safety
    ///
    /// At least `ROWS` rows are left, and all of them lie inside their slices.
    #[allow(unsafe_code)]
    #[inline(always)]
    unsafe fn run<const ROWS: usize>(&mut self) {
        let simd = self.simd;
        let lanes = S::F32_LANES;
        let zeros = [[simd.splat_f32s(0.0); 2]; ROWS];
        let LeftOperand {
            stride,
            segments,
            segment_stride,
            length,
            column_stride,
            ..
        } = *self.left;
        let rows = self.done + ROWS;
        debug_assert!(rows <= self.left.rows);
        debug_assert!(segments * length * 2 * lanes <= self.right.len());
        debug_assert!((rows - 1) * self.out_stride + 2 * lanes <= self.out.len());
        debug_assert!(
            segments * length == 0
                || (rows - 1) * stride
                    + (segments - 1) * segment_stride
                    + (length - 1) * column_stride
                    < self.left.data.len()
        );
        let mut ahead = self.ahead;
        let mut sums = zeros;
        let mut terms = 0;
        let mut accumulates = false;
        // SAFETY: the caller guarantees that all rows lie inside the slices. Loads and stores are
        // unaligned.
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
                        // After the last column the address may lie outside of the operand.
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
                                let sum = if accumulates {
                                    simd.add_f32s(out.read_unaligned(), sum)
                                } else {
                                    sum
                                };
                                out.write_unaligned(sum);
                            }
                        }
                        sums = zeros;
                        terms = 0;
                        accumulates = true;
                    }
                }
            }
        }
        self.ahead = ahead;
        self.done += ROWS;
    }
}

/// Prefetches the cache line at an address, which need not be valid.
#[inline(always)]
pub(super) fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it faults on no address.
    #[allow(unsafe_code)]
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

//! The two minimal filterings of the CPU engine, F(4x4, 3x3) and F(6x6, 3x3), one axis at a time.

use pulp::Simd;

use crate::engine::cpu::panels::Panels;
use crate::engine::winograd::{FILTER, transform_filter};

/// The largest side of an output tile.
pub(in crate::engine::cpu) const LARGEST_TILE: usize = 6;

/// The largest side of an input tile.
pub(super) const LARGEST_WINDOW: usize = LARGEST_TILE + 2;

/// One SIMD vector for each position along an axis of a tile. The first [`WINDOW`](Filtering::WINDOW)
/// or [`TILE`](Filtering::TILE) count.
pub(super) type Axis<V> = [V; LARGEST_WINDOW];

/// A minimal filtering F(m x m, 3x3): `Y = A' [ (G g G') . (B' d B) ] A`, see `engine/winograd.rs`.
pub(in crate::engine::cpu) trait Filtering: Send + Sync {
    /// `m`, the side of an output tile.
    const TILE: usize;
    /// The side of an input tile.
    const WINDOW: usize = Self::TILE + 2;
    /// Elements of a transformed tile.
    const ELEMENTS: usize = Self::WINDOW * Self::WINDOW;

    /// Packs `G g G'` of all filters, one matrix `[channel in][channel out]` for each element.
    fn pack(
        channels_in: usize,
        channels_out: usize,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Panels;

    /// `B' d`.
    fn input<S: Simd>(simd: S, d: Axis<S::f32s>) -> Axis<S::f32s>;

    /// `A' m`.
    fn output<S: Simd>(simd: S, m: Axis<S::f32s>) -> Axis<S::f32s>;
}

/// F(4x4, 3x3) at the points 0, 1, -1, 1/2, -2 and infinity, as on GPUs.
pub(super) struct Four;

impl Filtering for Four {
    const TILE: usize = 4;

    fn pack(
        channels_in: usize,
        channels_out: usize,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Panels {
        Panels::pack(channels_in, channels_out, |input, output| -> [f32; 36] {
            transform_filter(&FILTER, &filter(input, output))
        })
    }

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: Axis<S::f32s>) -> Axis<S::f32s> {
        let add = |a, b| simd.add_f32s(a, b);
        let sub = |a, b| simd.sub_f32s(a, b);
        let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
        let zero = simd.splat_f32s(0.0);
        let (far, near) = (sub(d[3], d[1]), sub(d[4], d[2]));
        [
            add(d[0], fma(1.5, far, fma(-2.0, d[2], d[4]))),
            fma(2.5, d[3], fma(0.5, d[2], sub(d[4], d[1]))),
            fma(-2.5, d[2], fma(0.5, d[3], add(d[4], d[1]))),
            fma(2.0, far, near),
            fma(-0.5, far, near),
            add(d[1], fma(1.5, near, fma(-2.0, d[3], d[5]))),
            zero,
            zero,
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: Axis<S::f32s>) -> Axis<S::f32s> {
        let add = |a, b| simd.add_f32s(a, b);
        let sub = |a, b| simd.sub_f32s(a, b);
        let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
        let zero = simd.splat_f32s(0.0);
        let (even, odd) = (add(m[1], m[2]), sub(m[1], m[2]));
        [
            add(add(m[0], even), add(m[3], m[4])),
            fma(-2.0, m[4], fma(0.5, m[3], odd)),
            fma(4.0, m[4], fma(0.25, m[3], even)),
            add(m[5], fma(-8.0, m[4], fma(0.125, m[3], odd))),
            zero,
            zero,
            zero,
            zero,
        ]
    }
}

/// F(6x6, 3x3) at the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity. It has 1.78 multiplications and
/// values of a transformed tile for each output, F(4x4, 3x3) 2.25, and rounds three times as much. Of 286
/// sets of opposite points these round least (`tests/golden/winograd_points.py`).
pub(super) struct Six;

impl Six {
    /// `G`. The rows of 1/2 and -1/2 are divided by 32, those of `A'` multiplied.
    const FILTER: [[f64; 3]; 8] = [
        [1.0, 0.0, 0.0],
        [-2.0 / 9.0, -2.0 / 9.0, -2.0 / 9.0],
        [-2.0 / 9.0, 2.0 / 9.0, -2.0 / 9.0],
        [1.0 / 90.0, 1.0 / 45.0, 2.0 / 45.0],
        [1.0 / 90.0, -1.0 / 45.0, 2.0 / 45.0],
        [1.0 / 45.0, 1.0 / 90.0, 1.0 / 180.0],
        [1.0 / 45.0, -1.0 / 90.0, 1.0 / 180.0],
        [0.0, 0.0, 1.0],
    ];
}

impl Filtering for Six {
    const TILE: usize = 6;

    fn pack(
        channels_in: usize,
        channels_out: usize,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Panels {
        Panels::pack(channels_in, channels_out, |input, output| -> [f32; 64] {
            transform_filter(&Self::FILTER, &filter(input, output))
        })
    }

    /// Points of opposite signs share their even and their odd powers.
    #[inline(always)]
    fn input<S: Simd>(simd: S, d: Axis<S::f32s>) -> Axis<S::f32s> {
        let add = |a, b| simd.add_f32s(a, b);
        let sub = |a, b| simd.sub_f32s(a, b);
        let mul = |a: f32, b| simd.mul_f32s(simd.splat_f32s(a), b);
        let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
        let even_one = fma(-4.25, d[4], add(d[2], d[6]));
        let odd_one = fma(-4.25, d[3], add(d[1], d[5]));
        let even_two = fma(0.25, d[2], fma(-1.25, d[4], d[6]));
        let odd_two = fma(2.0, d[5], fma(-2.5, d[3], mul(0.5, d[1])));
        let even_half = fma(4.0, fma(-1.25, d[4], d[2]), d[6]);
        let odd_half = fma(0.5, d[5], fma(-2.5, d[3], mul(2.0, d[1])));
        [
            fma(5.25, sub(d[4], d[2]), sub(d[0], d[6])),
            add(even_one, odd_one),
            sub(even_one, odd_one),
            add(even_two, odd_two),
            sub(even_two, odd_two),
            add(even_half, odd_half),
            sub(even_half, odd_half),
            fma(5.25, sub(d[3], d[5]), sub(d[7], d[1])),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: Axis<S::f32s>) -> Axis<S::f32s> {
        let add = |a, b| simd.add_f32s(a, b);
        let sub = |a, b| simd.sub_f32s(a, b);
        let fma = |a: f32, b, c| simd.mul_add_e_f32s(simd.splat_f32s(a), b, c);
        let zero = simd.splat_f32s(0.0);
        let (even_one, odd_one) = (add(m[1], m[2]), sub(m[1], m[2]));
        let (even_two, odd_two) = (add(m[3], m[4]), sub(m[3], m[4]));
        let (even_half, odd_half) = (add(m[5], m[6]), sub(m[5], m[6]));
        [
            fma(32.0, even_half, add(add(m[0], even_one), even_two)),
            fma(16.0, odd_half, fma(2.0, odd_two, odd_one)),
            fma(8.0, even_half, fma(4.0, even_two, even_one)),
            fma(4.0, odd_half, fma(8.0, odd_two, odd_one)),
            fma(2.0, even_half, fma(16.0, even_two, even_one)),
            fma(32.0, odd_two, add(add(m[7], odd_one), odd_half)),
            zero,
            zero,
        ]
    }
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;
    use crate::engine::winograd::{INPUT, OUTPUT};

    fn filter_axis<const WINDOW: usize>(matrix: &[[f64; 3]; WINDOW], taps: [f32; 3]) -> Axis<f32> {
        let mut axis = [0.0; LARGEST_WINDOW];
        for (value, row) in axis.iter_mut().zip(matrix) {
            let terms = row
                .iter()
                .zip(taps)
                .map(|(entry, tap)| entry * f64::from(tap));
            *value = terms.sum::<f64>() as f32;
        }
        axis
    }

    /// `A' [ (G g) . (B' d) ]` is the correlation of `d` with the taps `g`.
    fn assert_correlates<F: Filtering>(filter: impl Fn([f32; 3]) -> Axis<f32>) {
        let taps = [3.0, -5.0, 7.0];
        let input = [2.0, -3.0, 5.0, 11.0, -13.0, 4.0, 6.0, -9.0];
        let transformed = F::input(Scalar::new(), input);
        let filter = filter(taps);
        let products = std::array::from_fn(|i| transformed[i] * filter[i]);
        let output = F::output(Scalar::new(), products);
        for (i, found) in output.iter().take(F::TILE).enumerate() {
            let expected: f32 = (0..3).map(|tap| taps[tap] * input[i + tap]).sum();
            assert!((found - expected).abs() < 1e-3, "{i}: {found} {expected}");
        }
    }

    #[test]
    fn both_filterings_correlate() {
        assert_correlates::<Four>(|taps| filter_axis(&FILTER, taps));
        assert_correlates::<Six>(|taps| filter_axis(&Six::FILTER, taps));
    }

    #[test]
    fn the_small_filtering_has_the_matrices_of_gpus() {
        for column in 0..Four::WINDOW {
            let mut unit = [0.0; LARGEST_WINDOW];
            unit[column] = 8.0;
            let expected = INPUT.map(|row| row[column] as f32);
            assert_eq!(Four::input(Scalar::new(), unit)[..Four::WINDOW], expected);
            let expected = OUTPUT.map(|row| row[column] as f32);
            assert_eq!(Four::output(Scalar::new(), unit)[..Four::TILE], expected);
        }
    }
}

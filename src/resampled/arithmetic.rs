//! Arithmetic of rows, in loops that the compiler turns into vector instructions, with the same results on every processor.

/// A sum in an order that does not depend on the processor.
#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

/// The natural logarithm of a number from 1 on, to 2e-7, of vectors: the mantissa is brought between the roots of 1/2 and
/// 2, where `ln m = 2 artanh t = 2 (t + t^3/3 + ...)` with `t = (m - 1) / (m + 1)`.
#[inline(always)]
pub(super) fn logarithm(number: f32) -> f32 {
    const HALF_ROOT: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let shifted = number.to_bits().wrapping_sub(HALF_ROOT);
    let exponent = (shifted as i32) >> 23;
    let mantissa = f32::from_bits((shifted & 0x7f_ffff) + HALF_ROOT);
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let series = 1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0)));
    exponent as f32 * std::f32::consts::LN_2 + 2.0 * t * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_are_added() {
        let values: Vec<f32> = (0..53).map(|i| i as f32).collect();
        for count in 0..53usize {
            let expected = (count * count.saturating_sub(1) / 2) as f32;
            assert_eq!(sum(&values[..count]), expected);
        }
    }

    #[test]
    fn logarithms_are_those_of_std() {
        for step in 0..2000 {
            let number = 1.01f32.powi(step) * (1.0 + 1e-4 * step as f32);
            let (found, expected) = (logarithm(number), f64::from(number).ln());
            let allowed = 2e-7 * expected.max(1.0);
            assert!(
                (f64::from(found) - expected).abs() <= allowed,
                "ln {number} is {found}"
            );
        }
        assert_eq!(logarithm(1.0), 0.0);
    }
}

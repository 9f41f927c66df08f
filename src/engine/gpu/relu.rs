//! The ReLU, in a form that no shader compiler can simplify.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Minus infinity as a signed integer with the same bits. The negative numbers, minus zero and minus
/// infinity are all at or below it; every NaN and every positive number is above.
const MINUS_INFINITY: i32 = 0xff80_0000_u32.cast_signed();

/// `max(value, 0)`, and NaN where the value is NaN.
///
/// The comparison is one of integers. Shader compilers turn `value < 0 ? 0 : value` into a maximum,
/// and the maximum of zero and NaN may be zero (seen with Mesa's OpenGL): an error would look like a
/// feature that is absent.
#[cube]
pub(super) fn relu<N: Size>(value: Vector<f32, N>) -> Vector<f32, N> {
    let bits = Vector::<i32, N>::reinterpret(value);
    let negative = bits.less_equal(&Vector::<i32, N>::new(MINUS_INFINITY));
    select_many(negative, Vector::<f32, N>::new(0.0), value)
}

//! A ReLU that keeps NaN on every shader compiler.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The bits of minus infinity as a signed integer. As signed integers, the bits of all negative
/// numbers, minus zero and minus infinity are at most this value. The bits of NaN and of positive
/// numbers are larger.
const MINUS_INFINITY: i32 = 0xff80_0000_u32.cast_signed();

/// `max(value, 0)`, and NaN where the value is NaN.
///
/// The comparison is between integers. Shader compilers turn `value < 0 ? 0 : value` into a maximum,
/// and the maximum of zero and NaN may be zero (seen with Mesa's OpenGL). An error would then look like
/// an inactive feature.
#[cube]
pub(super) fn relu<N: Size>(value: Vector<f32, N>) -> Vector<f32, N> {
    let bits = Vector::<i32, N>::reinterpret(value);
    let negative = bits.less_equal(&Vector::<i32, N>::new(MINUS_INFINITY));
    select_many(negative, Vector::<f32, N>::new(0.0), value)
}

//! Halving of images on a device, and its adjoint, as matrix products.
//!
//! Burn's interpolation does not prevent aliasing and is not differentiable on every device. Means
//! of 2x2 pixels are no alternative: images that are optimised through them show squares.

use burn::tensor::{Device, Tensor, TensorData};

use super::resampling::{AxisWeights, Border, Kernel};
use crate::error::{Error, Result};

/// Resamples images `[1, C, H, W]` of one size to half the size, rounded down, with the weights of
/// [`AxisWeights`].
#[derive(Clone, Debug)]
pub(crate) struct Halving {
    /// `[1, 1, H / 2, H]`.
    rows: Tensor<4>,
    /// `[1, 1, W, W / 2]`.
    columns: Tensor<4>,
}

impl Halving {
    /// A halving for images of this size, with a periodic border if the image `wraps`. Each side
    /// has at least two pixels.
    pub(crate) fn new([height, width]: [usize; 2], wraps: bool, device: &Device) -> Self {
        Self {
            rows: matrix(height, wraps, device),
            columns: matrix(width, wraps, device).swap_dims(2, 3),
        }
    }

    /// Height and width of the input.
    pub(crate) fn input(&self) -> [usize; 2] {
        [self.rows.dims()[3], self.columns.dims()[2]]
    }

    /// The halved image, `[1, C, H / 2, W / 2]`.
    pub(crate) fn apply(&self, image: Tensor<4>) -> Tensor<4> {
        self.rows.clone().matmul(image).matmul(self.columns.clone())
    }

    /// The gradient at the image from the gradient at the halved image.
    pub(crate) fn gradient(&self, gradient: Tensor<4>) -> Tensor<4> {
        let rows = self.rows.clone().swap_dims(2, 3);
        rows.matmul(gradient)
            .matmul(self.columns.clone().swap_dims(2, 3))
    }
}

/// The longest side that is halved: its matrix takes 2 GiB.
const LONGEST: usize = 1 << 15;

/// The matrix of weights of an axis, `[1, 1, length / 2, length]`.
fn matrix(length: usize, wraps: bool, device: &Device) -> Tensor<4> {
    let half = length / 2;
    let weights = AxisWeights::new(length, half, Border::new(wraps), Kernel::Lanczos);
    let data = TensorData::new(weights.to_matrix(), [1, 1, half, length]);
    Tensor::from_data(data, device)
}

/// Resamples an image `[1, 3, H, W]` to half its size, rounded down, with a Lanczos kernel.
///
/// # Errors
///
/// [`Error::Shape`] for an image with a side below 2 or above 32768 pixels.
pub fn halve(image: Tensor<4>) -> Result<Tensor<4>> {
    Ok(halving_of(&image, false, &image.device())?.apply(image))
}

/// The halving on `device` for images of the size of `image`.
pub(crate) fn halving_of(image: &Tensor<4>, wraps: bool, device: &Device) -> Result<Halving> {
    let [.., height, width] = image.dims();
    if height.min(width) < 2 || height.max(width) > LONGEST {
        return Err(Error::Shape {
            what: "an image to halve".into(),
            found: image.dims().to_vec(),
            expected: format!("sides of 2 to {LONGEST} pixels"),
        });
    }
    Ok(Halving::new([height, width], wraps, device))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(shape: [usize; 4], phase: f32) -> Tensor<4> {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7 + phase).sin()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn flat_images_and_ramps_are_preserved() {
        let halving = Halving::new([9, 40], false, &Device::flex());
        assert_eq!(halving.input(), [9, 40]);
        let ramp: Vec<f32> = (0..9 * 40).map(|i| (i % 40) as f32).collect();
        let ramp = Tensor::from_data(TensorData::new(ramp, [1, 1, 9, 40]), &Device::flex());
        let half = halving.apply(ramp).to_data().try_into_vec::<f32>().unwrap();
        assert_eq!(half.len(), 4 * 20);
        // Away from the border, sample i of a halved ramp is the mean of samples 2 i and 2 i + 1.
        for (i, value) in half[..20].iter().enumerate().skip(3).take(14) {
            assert!(
                (value - (2.0 * i as f32 + 0.5)).abs() < 1e-4,
                "{i}: {value}"
            );
        }
        let flat = halving.apply(Tensor::full([1, 3, 9, 40], 0.3, &Device::flex()));
        let flat = flat.to_data().try_into_vec::<f32>().unwrap();
        assert!(flat.iter().all(|value| (value - 0.3).abs() < 1e-6));
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_adjoint(
            (channels, height, width) in (1usize..5, 2usize..40, 2usize..40),
            wraps: bool,
            phase in 0f32..6.0,
        ) {
            // <A x, y> = <x, A' y>
            let halving = Halving::new([height, width], wraps, &Device::flex());
            let x = numbers([1, channels, height, width], phase);
            let y = numbers([1, channels, height / 2, width / 2], phase + 1.0);
            let product = |a: Tensor<4>, b: Tensor<4>| (a * b).sum().into_scalar::<f32>();
            let left = product(halving.apply(x.clone()), y.clone());
            let right = product(halving.gradient(y.clone()), x.clone());
            let size = (product(x.clone(), x) * product(y.clone(), y)).sqrt();
            prop_assert!((left - right).abs() <= 1e-5 * size, "{left} {right}");
        }
    }

    #[test]
    fn halving_a_periodic_image_commutes_with_shifts() {
        let halving = Halving::new([4, 12], true, &Device::flex());
        let image = numbers([1, 3, 4, 12], 0.0);
        let shift = |image: Tensor<4>, by: usize| {
            let [.., width] = image.dims();
            let parts = vec![
                image.clone().narrow(3, by, width - by),
                image.narrow(3, 0, by),
            ];
            Tensor::cat(parts, 3)
        };
        let first = halving.apply(shift(image.clone(), 2));
        let after = shift(halving.apply(image), 1);
        let apart = (first - after).abs().max().into_scalar::<f32>();
        assert!(apart < 1e-6, "{apart}");
    }
}

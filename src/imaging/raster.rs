//! Pictures in host memory, with any number of channels.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use image::Rgb32FImage;

use super::Size;
use super::resampling::{AxisWeights, Border, Kernel, resample};
use crate::backend::read;
use crate::error::Result;

/// A picture, `[H, W, C]`: values of interleaved channels, row by row. Clones share their values until one is changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raster {
    size: Size,
    channels: usize,
    values: Arc<Vec<f32>>,
}

/// Whether this value of a mask counts as white.
pub(crate) fn is_white(value: f32) -> bool {
    value >= 0.5
}

impl Raster {
    /// A picture of `values` in the order `[H, W, C]`.
    pub(crate) fn new(size: Size, channels: usize, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), size.pixels() * channels);
        Self {
            size,
            channels,
            values: Arc::new(values),
        }
    }

    /// The picture with the channels `pixel(i)` at the pixel with row-major index `i`.
    pub(crate) fn from_pixels<P: IntoIterator<Item = f32>>(
        size: Size,
        pixel: impl FnMut(usize) -> P,
    ) -> Self {
        let values: Vec<f32> = (0..size.pixels()).flat_map(pixel).collect();
        let channels = values.len() / size.pixels().max(1);
        Self::new(size, channels, values)
    }

    /// The picture with `change` applied to each pixel.
    pub(crate) fn mapped<P: IntoIterator<Item = f32>>(
        &self,
        mut change: impl FnMut(&[f32]) -> P,
    ) -> Self {
        let mut pixels = self.pixels();
        Self::from_pixels(self.size, |_| {
            pixels.next().map(&mut change).into_iter().flatten()
        })
    }

    /// Reads a tensor `[1, C, H, W]`.
    pub(crate) fn from_tensor(tensor: Tensor<4>) -> Result<Self> {
        let [_, channels, height, width] = tensor.dims();
        let data = tensor.permute([0, 2, 3, 1]).inner();
        let values = read(data)?;
        Ok(Self::new(Size::new(width, height), channels, values))
    }

    /// A tensor `[1, C, H, W]` on a device.
    pub(crate) fn to_tensor(&self, device: &Device) -> Tensor<4> {
        let shape = [1, self.size.height, self.size.width, self.channels];
        let data = TensorData::new(self.values.to_vec(), shape);
        Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        Arc::make_mut(&mut self.values).as_mut_slice()
    }

    pub(crate) fn into_values(self) -> Vec<f32> {
        Arc::unwrap_or_clone(self.values)
    }

    pub(crate) fn pixels(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.channels)
    }

    pub(crate) fn pixels_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        Arc::make_mut(&mut self.values).chunks_exact_mut(self.channels)
    }

    pub(crate) fn rows_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        let row = self.channels * self.size.width;
        Arc::make_mut(&mut self.values).chunks_exact_mut(row)
    }

    /// The standard deviation of all values, each about the mean of its channel.
    pub(crate) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.pixels().flat_map(|pixel| {
            let deviations = pixel
                .iter()
                .zip(&mean)
                .map(|(value, mean)| f64::from(value - mean));
            deviations.map(|deviation| deviation * deviation)
        });
        (squares.sum::<f64>() / self.values.len().max(1) as f64).sqrt()
    }

    /// The mean of each channel.
    pub(crate) fn mean(&self) -> Vec<f32> {
        self.mean_of(self.pixels())
    }

    /// The mean of each channel over the pixels where a mask of the same size is white.
    pub(crate) fn mean_where(&self, mask: &Self) -> Vec<f32> {
        let pixels = self.pixels().zip(mask.values());
        self.mean_of(pixels.filter_map(|(pixel, mask)| is_white(*mask).then_some(pixel)))
    }

    fn mean_of<'a>(&self, pixels: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
        let (mut sums, mut count) = (vec![0.0; self.channels], 0.0);
        for pixel in pixels {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += f64::from(*value);
            }
            count += 1.0;
        }
        let mean = |sum: f64| (sum / f64::max(count, 1.0)) as f32;
        sums.into_iter().map(mean).collect()
    }

    /// This mask at another size. Where fine lines have all become grey, those pixels are white that are at least half as light
    /// as the lightest: a mask that is white somewhere stays so.
    pub(crate) fn resized_mask(&self, size: Size) -> Self {
        let mut mask = self.resized(size);
        let most = mask.values().iter().copied().fold(0.0, f32::max);
        if most > 0.0 && !is_white(most) {
            mask.values_mut()
                .iter_mut()
                .for_each(|value| *value /= most);
        }
        mask
    }

    /// The `count` channels from channel `first` on.
    pub(crate) fn narrow(&self, first: usize, count: usize) -> Self {
        if count == self.channels {
            return self.clone();
        }
        let values = self.pixels().flat_map(|pixel| &pixel[first..first + count]);
        Self::new(self.size, count, values.copied().collect())
    }

    /// Concatenates the channels of pictures of one size.
    pub(crate) fn stacked(rasters: &[Self]) -> Self {
        let size = rasters.first().map_or(Size::square(0), Self::size);
        Self::from_pixels(size, |pixel| {
            rasters.iter().flat_map(move |raster| {
                let first = pixel * raster.channels;
                raster.values[first..first + raster.channels]
                    .iter()
                    .copied()
            })
        })
    }

    /// The rectangle of this size at `(left, top)`. Beyond the border it repeats the nearest pixels.
    pub(crate) fn window(&self, (left, top): (isize, isize), size: Size) -> Self {
        let nearest = |index: isize, length: usize| index.clamp(0, length as isize - 1) as usize;
        let columns = |column: usize| nearest(column as isize + left, self.size.width);
        let columns: Vec<usize> = (0..size.width).map(columns).collect();
        let mut values = Vec::with_capacity(size.pixels() * self.channels);
        for row in 0..size.height {
            let row = nearest(row as isize + top, self.size.height);
            let pixels = &self.values[row * self.size.width * self.channels..];
            for column in &columns {
                values.extend_from_slice(&pixels[column * self.channels..][..self.channels]);
            }
        }
        Self::new(size, self.channels, values)
    }

    /// Adds `margin` pixels on every side, copies of the nearest ones.
    pub(crate) fn with_margin(&self, margin: usize) -> Self {
        let before = -(margin as isize);
        self.window((before, before), self.size.with_margin(margin))
    }

    /// Removes `margin` pixels on every side.
    pub(crate) fn without_margin(&self, margin: usize) -> Self {
        self.window(
            (margin as isize, margin as isize),
            self.size.without_margin(margin),
        )
    }

    /// As [`window`](Self::window), in the same memory if the rectangle lies inside.
    pub(crate) fn into_window(self, (left, top): (isize, isize), size: Size) -> Self {
        let (Size { width, height }, channels) = (self.size, self.channels);
        let (Ok(x), Ok(y)) = (usize::try_from(left), usize::try_from(top)) else {
            return self.window((left, top), size);
        };
        if x + size.width > width || y + size.height > height {
            return self.window((left, top), size);
        }
        let mut values = self.into_values();
        let row = size.width * channels;
        for index in 0..size.height {
            let start = ((index + y) * width + x) * channels;
            values.copy_within(start..start + row, index * row);
        }
        values.truncate(size.height * row);
        Self::new(size, channels, values)
    }

    /// Resamples with a Lanczos kernel of three lobes (see [`AxisWeights`]). The kernel overshoots
    /// at edges, so the result is clipped to 0..=1.
    pub(crate) fn resized(&self, size: Size) -> Self {
        self.resampled(size, Border::Renormalised, Kernel::Lanczos)
    }

    /// As [`resized`](Self::resized), for a periodic picture. If the picture tiles without a seam,
    /// so does the result.
    pub(crate) fn resized_periodic(&self, size: Size) -> Self {
        self.resampled(size, Border::Periodic, Kernel::Lanczos)
    }

    /// Resamples with a kernel that keeps as much detail everywhere (see [`Kernel::Even`]), as a periodic picture if it
    /// `wraps`.
    pub(crate) fn resized_evenly(&self, size: Size, wraps: bool) -> Self {
        self.resampled(size, Border::new(wraps), Kernel::Even)
    }

    fn resampled(&self, size: Size, border: Border, kernel: Kernel) -> Self {
        if self.size == size {
            return self.clone();
        }
        let rows = AxisWeights::new(self.size.height, size.height, border, kernel);
        let columns = AxisWeights::new(self.size.width, size.width, border, kernel);
        let mut values = resample(&self.values, self.channels, &rows, &columns);
        for value in &mut values {
            *value = value.clamp(0.0, 1.0);
        }
        Self::new(size, self.channels, values)
    }

    /// The first three channels as an RGB image. With fewer channels the first one becomes grey.
    pub(crate) fn to_rgb(&self) -> Rgb32FImage {
        let colours = self.pixels().flat_map(|pixel| match *pixel {
            [red, green, blue, ..] => [red, green, blue],
            [grey, ..] => [grey; 3],
            [] => [0.0; 3],
        });
        let (width, height) = (self.size.width as u32, self.size.height as u32);
        Rgb32FImage::from_raw(width, height, colours.collect()).unwrap_or_default()
    }
}

impl From<Rgb32FImage> for Raster {
    fn from(image: Rgb32FImage) -> Self {
        let size = Size::new(image.width() as usize, image.height() as usize);
        Self::new(size, 3, image.into_raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_period_gives_the_shifted_result() {
        let wave = |shift: usize| {
            Raster::from_pixels(Size::new(12, 10), |pixel| {
                let (x, y) = (pixel % 12, pixel / 12);
                let angle = ((x + shift) % 12) as f64 * std::f64::consts::TAU / 12.0;
                [
                    angle.sin() as f32,
                    (2.0 * angle).cos() as f32,
                    y as f32 / 10.0,
                ]
            })
        };
        let size = Size::new(24, 15);
        let (first, shifted) = (
            wave(0).resized_periodic(size),
            wave(1).resized_periodic(size),
        );
        let first: Vec<&[f32]> = first.pixels().collect();
        for (pixel, values) in shifted.pixels().enumerate() {
            let (x, y) = (pixel % 24, pixel / 24);
            let expected = first[y * 24 + (x + 2) % 24];
            for (a, b) in values.iter().zip(expected) {
                assert!((a - b).abs() < 1e-5, "{x} {y}");
            }
        }
    }

    #[test]
    fn a_margin_repeats_the_border_and_can_be_removed() {
        let picture = Raster::from_pixels(Size::new(2, 2), |pixel| [pixel as f32]);
        let wide = picture.with_margin(1);
        let expected = [
            0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 2.0, 2.0, 3.0, 3.0,
        ];
        assert_eq!(wide.values(), expected);
        assert_eq!(wide.without_margin(1), picture);
        let size = Size::new(2, 3);
        for corner in [(0, 0), (2, 1), (1, 1), (-1, 0), (3, 0), (0, 2)] {
            let expected = wide.window(corner, size);
            assert_eq!(wide.clone().into_window(corner, size), expected);
        }
    }

    #[test]
    fn channels_are_split_and_stacked() {
        let whole = Raster::from_pixels(Size::new(2, 1), |pixel| {
            [0.0, 1.0, 2.0, 3.0].map(|channel| channel + 10.0 * pixel as f32)
        });
        let (front, back) = (whole.narrow(0, 3), whole.narrow(3, 1));
        assert_eq!(back.values(), [3.0, 13.0]);
        assert_eq!(front.mean(), [5.0, 6.0, 7.0]);
        assert_eq!(Raster::stacked(&[front, back]), whole);
    }
}

//! Checks of images and layers, before the device gets any work.

use burn::tensor::{Device, Tensor};

use super::{Layer, Vgg};
use crate::backend::largest_buffer;
use crate::device::name_of;
use crate::engine::{ConvolutionShape, Padding, Precision, Weighted, has_half_kernel};
use crate::error::{Error, ImageReason, Result};
use crate::imaging::Size;

impl Vgg {
    /// Checks that a layer can be computed from an image of this size. Messages call the image `what`.
    ///
    /// # Errors
    ///
    /// [`Error::ImageSize`],
    /// [`Error::UnknownLayer`], and [`Error::InvalidOption`] for [`Precision::Half`] at a layer
    /// without kernels for it.
    pub fn check_image(&self, what: &str, width: usize, height: usize, layer: Layer) -> Result<()> {
        let index = self.check_layer(what, [width, height], layer)?;
        self.check_memory(what, [width, height], index)
    }

    /// Checks that there are kernels for a layer and those below, and that the image is large enough. The layer's index.
    fn check_layer(&self, what: &str, [width, height]: [usize; 2], layer: Layer) -> Result<usize> {
        let index = self.index_of(layer)?;
        self.architecture()
            .check_image(what, width, height, layer, self.padding())?;
        if self.precision() == Precision::Half {
            self.check_half(index)?;
        }
        Ok(index)
    }

    /// As [`check_image`](Self::check_image) for an image that may be evaluated in blocks of at most
    /// [`largest_side`](Self::largest_side): its feature maps may be larger than a buffer.
    pub(crate) fn check_image_in_blocks(&self, what: &str, size: Size, layer: Layer) -> Result<()> {
        let Size { width, height } = size;
        let index = self.check_layer(what, [width, height], layer)?;
        let stride = self.architecture().geometry(layer, self.padding())?.stride;
        // An axis that wraps is divided at multiples of the strides alone.
        let divided = width.is_multiple_of(stride) && height.is_multiple_of(stride);
        if self.padding() == Padding::Circular && !divided {
            self.check_memory(what, [width, height], index)?;
        }
        Ok(())
    }

    /// The side of the largest square image whose feature maps all fit into buffers of the device. None: of any.
    pub(crate) fn largest_side(&self) -> Option<usize> {
        let largest = largest_buffer(self.device())?;
        // Bytes of a map for each pixel of the image, by maps of a large one.
        let side = 1 << 14;
        let mut size = [side; 2];
        let mut most = 0.0f64;
        for (_, weighted) in &self.inner.layers {
            size = weighted.output(size[0], size[1]).into();
            if let Weighted::Convolution(shape, _) = weighted {
                let bytes = shape.channels_out as f64 * size[0] as f64 * size[1] as f64 * 4.0;
                most = most.max(bytes / (side * side) as f64);
            }
        }
        Some((largest as f64 / most.max(1.0)).sqrt() as usize)
    }

    /// Checks that the device has kernels and memory for all layers up to index `deepest`.
    fn check_stages(&self, what: &str, size: [usize; 2], deepest: usize) -> Result<()> {
        if self.precision() == Precision::Half {
            self.check_half(deepest)?;
        }
        self.check_memory(what, size, deepest)
    }

    /// Checks the shape and the device of an image.
    pub(crate) fn check_input(&self, image: &Tensor<4>) -> Result<()> {
        let [batch, channels, ..] = image.dims();
        if batch != 1 || channels != self.channels() {
            return Err(Error::Shape {
                what: "the image".into(),
                found: image.dims().to_vec(),
                expected: format!("[1, {}, height, width]", self.channels()),
            });
        }
        self.check_device(|| "the image".into(), &image.device())
    }

    /// Checks the image and the tapped layers of a forward pass.
    pub(super) fn check_taps(&self, image: &Tensor<4>, taps: &[Layer]) -> Result<()> {
        self.check_input(image)?;
        let [.., height, width] = image.dims();
        let mut deepest = None;
        for &tap in taps {
            deepest = deepest.max(Some(self.index_of(tap)?));
            self.architecture()
                .check_image("the image", width, height, tap, self.padding())?;
        }
        let deepest =
            deepest.ok_or_else(|| Error::option("taps", "empty", "at least one layer"))?;
        self.check_stages("the image", [width, height], deepest)
    }

    pub(super) fn check_device(&self, what: impl FnOnce() -> String, found: &Device) -> Result<()> {
        let expected = self.device();
        if found.clone().inner() == *expected {
            return Ok(());
        }
        Err(Error::DeviceMismatch {
            what: what(),
            found: name_of(found),
            expected: name_of(expected),
        })
    }

    /// Checks that each feature map fits into a buffer of the device.
    fn check_memory(&self, what: &str, [width, height]: [usize; 2], deepest: usize) -> Result<()> {
        let Some(largest) = largest_buffer(self.device()) else {
            return Ok(());
        };
        let (mut rows, mut columns) = (height, width);
        for (layer, weighted) in &self.inner.layers[..=deepest] {
            (rows, columns) = weighted.output(rows, columns);
            let Weighted::Convolution(shape, _) = weighted else {
                continue;
            };
            // f32 also in half precision: the gradients at a layer are added in f32.
            let values = shape.channels_out as u64 * rows as u64 * columns as u64;
            let bytes = 4 * values;
            if bytes > largest {
                return Err(Error::image_size(
                    what,
                    [width, height],
                    layer,
                    ImageReason::TooLarge {
                        map: bytes,
                        largest,
                    },
                ));
            }
        }
        Ok(())
    }

    /// Checks that all layers have half-precision kernels.
    fn check_half(&self, deepest: usize) -> Result<()> {
        for (layer, weighted) in &self.inner.layers[..=deepest] {
            match weighted {
                Weighted::Convolution(shape, _) if !has_half_kernel(*shape) => {
                    let ConvolutionShape {
                        channels_in,
                        channels_out,
                        kernel,
                        ..
                    } = *shape;
                    let allowed = format!(
                        "single or plain: no kernel for {layer}, of {channels_in} to {channels_out} \
                         channels by filters of {kernel}x{kernel}"
                    );
                    return Err(Error::option("precision", "half", allowed));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

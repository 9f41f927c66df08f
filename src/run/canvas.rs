//! The picture of a run: noise, sizes, the margin around it, and the pixels that stay.

use super::KeptPixels;
use crate::imaging::{Raster, Size};
use crate::random::{self, Purpose};

/// Noise around a mean colour: where runs start, and where weights are measured.
pub(super) fn noise_image(
    size: Size,
    mean: &[f32],
    amplitude: f64,
    (seed, purpose, index): (u64, Purpose, u32),
) -> Raster {
    let numbers = random::normal(seed, purpose, index, size.pixels() * mean.len());
    let values = numbers
        .into_iter()
        .zip(mean.iter().cycle())
        .map(|(number, mean)| mean + amplitude as f32 * number)
        .collect();
    Raster::new(size, mean.len(), values)
}

/// Adds noise of that standard deviation to all values.
pub(super) fn add_noise(
    picture: &mut Raster,
    deviation: f64,
    (seed, purpose, index): (u64, Purpose, u32),
) {
    // As many numbers as values would take the memory of another picture.
    let numbers = random::normals(seed, purpose, index);
    for (value, number) in picture.values_mut().iter_mut().zip(numbers) {
        *value += deviation as f32 * number;
    }
}

/// A picture resized; one that `wraps` is resized as if it repeated without end.
pub(super) fn resized(picture: &Raster, size: Size, wraps: bool) -> Raster {
    match wraps {
        true => picture.resized_periodic(size),
        false => picture.resized(size),
    }
}

/// A picture with a margin, resized so that it is `size` without the margin, which stays as wide. A
/// picture without a margin wraps.
///
/// With a Lanczos kernel alone, lines of pixels that happen to lie on those of the smaller picture stay sharper than
/// others through all sizes, and a grid shows.
pub(super) fn resized_within_margin(canvas: &Raster, size: Size, margin: usize) -> Raster {
    if margin == 0 {
        return canvas.resized_evenly(size, true);
    }
    let old = canvas.size();
    let inner = |side: usize| (side - 2 * margin) as f64;
    let scaled = |side: usize, wanted: usize| {
        let side = side as f64 * wanted as f64 / inner(side);
        (side.round() as usize).max(1)
    };
    let whole = Size::new(
        scaled(old.width, size.width),
        scaled(old.height, size.height),
    );
    let wanted = size.with_margin(margin);
    let offset = |whole: usize, wanted: usize| (whole as isize - wanted as isize) / 2;
    let corner = (
        offset(whole.width, wanted.width),
        offset(whole.height, wanted.height),
    );
    canvas
        .resized_evenly(whole, false)
        .into_window(corner, wanted)
}

/// Restores the kept pixels of a picture with a margin. Returns one channel that is 0 at these pixels
/// and 1 elsewhere, also in the margin.
pub(super) fn restore_kept(kept: &KeptPixels, canvas: &mut Raster, margin: usize) -> Raster {
    let mut picture = canvas.without_margin(margin);
    let free = kept.restore(&mut picture);
    let Size { width, height } = picture.size();
    let whole = canvas.size();
    let channels = canvas.channels();
    let mut rows = picture.values().chunks_exact(channels * width);
    for (y, row) in canvas.rows_mut().enumerate().skip(margin) {
        if y < margin + height
            && let Some(from) = rows.next()
        {
            row[margin * channels..(margin + width) * channels].copy_from_slice(from);
        }
    }
    Raster::from_pixels(whole, |pixel| {
        let (y, x) = (pixel / whole.width, pixel % whole.width);
        let inside =
            (margin..margin + height).contains(&y) && (margin..margin + width).contains(&x);
        let value = match inside {
            true => free.values()[(y - margin) * width + x - margin],
            false => 1.0,
        };
        [value]
    })
}

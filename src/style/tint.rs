//! The content in the colours of the style: what a painting starts from.

use crate::exemplars::{HostMixture, Sources};
use crate::imaging::{Raster, is_white, luma_weights};
use crate::random::{self, Purpose};

/// Colours of a table.
const BINS: usize = 64;

/// `picture` in the colours of `style`: each pixel gets the mean colour of the style's pixels whose
/// luminance has the same rank. `dither` is the standard deviation of noise on the picture's luminance,
/// in units of its own. With it, flat parts get all colours of a range of ranks, instead of stripes.
///
/// Each region has the colours of its own style; beyond all of them the picture stays as it is.
pub(super) fn tinted(picture: &Raster, style: &Sources, dither: f64, seed: u64) -> Raster {
    let weights = luma_weights(picture.channels());
    let luminance = |pixel: &[f32]| -> f32 { pixel.iter().zip(&weights).map(|(a, b)| a * b).sum() };
    let mut luminances: Vec<f32> = picture.pixels().map(luminance).collect();
    let amplitude = dither * Raster::new(picture.size(), 1, luminances.clone()).deviation();
    if amplitude > 0.0 {
        let noise = random::normal(seed, Purpose::Dither, 0, luminances.len());
        for (luminance, noise) in luminances.iter_mut().zip(noise) {
            *luminance += amplitude as f32 * noise;
        }
    }
    let mut tinted = picture.clone();
    for mixture in style.resized(|size| size) {
        let region = mixture.region.map(|mask| mask.resized_mask(picture.size()));
        let ranked = ranked(&luminances, region.as_ref());
        let table = table(&mixture, luminance);
        let channels = tinted.channels();
        let values = tinted.values_mut();
        for (rank, pixel) in ranked.iter().enumerate() {
            // Between the middles of two bins, the colour is interpolated.
            let position = (rank as f32 + 0.5) / ranked.len() as f32 * BINS as f32 - 0.5;
            let position = position.clamp(0.0, BINS as f32 - 1.0);
            let bin = (position as usize).min(BINS - 2);
            let fraction = position - bin as f32;
            let colours = table[bin].iter().zip(&table[bin + 1]);
            let pixel = &mut values[*pixel as usize * channels..][..channels];
            for (value, (below, above)) in pixel.iter_mut().zip(colours) {
                *value = below + fraction * (above - below);
            }
        }
    }
    tinted
}

/// The pixels where a mask is white, in the order of their luminance and then of their place.
fn ranked(luminances: &[f32], mask: Option<&Raster>) -> Vec<u32> {
    let counts = |pixel: &u32| mask.is_none_or(|mask| is_white(mask.values()[*pixel as usize]));
    // A picture has at most 2^32 pixels.
    let all = (0..=u32::MAX).take(luminances.len());
    let mut pixels: Vec<u32> = all.filter(counts).collect();
    // Sorting in place takes no memory beside the pixels.
    pixels.sort_unstable_by(|a, b| {
        let of = |pixel: u32| luminances[pixel as usize];
        of(*a).total_cmp(&of(*b)).then(a.cmp(b))
    });
    pixels
}

/// The mean colours of a mixture's pixels, dark to light; each bin has as many of them.
fn table(mixture: &HostMixture<'_>, luminance: impl Fn(&[f32]) -> f32) -> Vec<Vec<f32>> {
    let channels = mixture
        .members
        .first()
        .map_or(1, |member| member.picture.channels());
    let mut table = vec![vec![0.0; channels]; BINS];
    let mut shares = vec![0.0; BINS];
    for member in &mixture.members {
        let luminances: Vec<f32> = member.picture.pixels().map(&luminance).collect();
        let ranked = ranked(&luminances, member.mask.as_ref());
        let values = member.picture.values();
        for bin in 0..BINS {
            // At least one pixel, also of pictures with fewer than bins.
            let start = |bin: usize| bin * ranked.len() / BINS;
            let first = start(bin).min(ranked.len().saturating_sub(1));
            let in_bin = &ranked[first..start(bin + 1).max(first + 1).min(ranked.len())];
            for pixel in in_bin {
                let share = member.share as f32 / in_bin.len() as f32;
                shares[bin] += share;
                let pixel = &values[*pixel as usize * channels..][..channels];
                for (sum, value) in table[bin].iter_mut().zip(pixel) {
                    *sum += share * value;
                }
            }
        }
    }
    for (colour, share) in table.iter_mut().zip(&shares) {
        colour
            .iter_mut()
            .for_each(|value| *value /= share.max(f32::MIN_POSITIVE));
    }
    table
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Rgb32FImage};

    use super::*;
    use crate::engine::reference::{assert_near, golden};
    use crate::exemplars::Exemplars;
    use crate::imaging::Size;
    use crate::resampled::coloured;

    fn raster(height: usize, width: usize, across: f64, down: f64) -> Raster {
        let pixels = coloured(height, width, across, down).to_pixels();
        Raster::from(Rgb32FImage::from_raw(width as u32, height as u32, pixels).unwrap())
    }

    fn style(raster: &Raster) -> Sources {
        let exemplars = Exemplars::from(DynamicImage::from(raster.to_rgb()));
        exemplars.read("the style picture", 3).unwrap()
    }

    #[test]
    fn colours_are_those_of_another_program() {
        let picture = raster(9, 13, 0.3, 0.2);
        let tinted = tinted(&picture, &style(&raster(16, 20, 0.7, -0.3)), 0.0, 0);
        assert_near("colours", 1e-5, tinted.values(), &golden("tint", "pixels"));
    }

    #[test]
    fn few_pixels_are_colours_too() {
        let one = Raster::from_pixels(Size::square(1), |_| [0.1, 0.2, 0.3]);
        let tinted = tinted(&raster(9, 13, 0.3, 0.2), &style(&one), 0.3, 0);
        for pixel in tinted.pixels() {
            assert_near("colour", 1e-6, pixel, &[0.1, 0.2, 0.3]);
        }
        let two = Raster::from_pixels(Size::new(2, 1), |i| [i as f32; 3]);
        let tinted = super::tinted(&two, &style(&raster(1, 1, 0.3, 0.2)), 0.0, 0);
        assert_eq!(tinted.values()[..3], tinted.values()[3..]);
    }
}

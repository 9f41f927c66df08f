//! Comparison of the arrangement of large structure, such as rows of bricks or the spacing of stones.

use image::Rgb32FImage;

use super::autocorrelation::Autocorrelation;
use super::check;
use super::plane::Plane;
use crate::error::Result;

/// How differently two textures are arranged: see [`order`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// The difference of the autocorrelations of the luminance.
    pub luminance: f64,
    /// The difference of the autocorrelations of the gradient's modulus, which has edges of all directions.
    pub gradient: f64,
}

/// Images are halved until their shorter side has at most this many pixels, because order is a property of
/// large structure.
const SIDE: usize = 128;

/// The difference of the autocorrelations of two images of one size: 0 for equal images, at most about 1 for
/// images that have nothing in common.
///
/// ```text
/// order = sqrt(mean over d of (rho_exemplar(d) - rho_result(d))^2)
/// rho(d) = 1 / (M_d var f) sum over p of (f(p) - m) (f(p + d) - m)
/// ```
///
/// `f` is the luminance, or the modulus of its gradient (forward differences), and `m` its mean. `M_d` is the
/// number of positions `p` for which `p + d` lies in the image. The mean is over shifts `d` of up to half of
/// the shorter side. Both images are halved until their shorter side has at most 128 pixels.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for images of different sizes or with a side below 8 pixels,
/// [`Error::NotFinite`](crate::Error::NotFinite) for NaN or infinite values.
pub fn order(exemplar: &Rgb32FImage, result: &Rgb32FImage) -> Result<Order> {
    check(exemplar, result, 8)?;
    let maps = [exemplar, result].map(|image| {
        let mut plane = Plane::new(image);
        while plane.width.min(plane.height) > SIDE {
            plane = plane.half();
        }
        Map::luminance(&plane)
    });
    let lag = maps[0].width.min(maps[0].height) / 2;
    let difference =
        |[a, b]: [&Map; 2]| root_mean_square(&a.autocorrelation(lag), &b.autocorrelation(lag));
    let edges = maps.each_ref().map(Map::gradient);
    Ok(Order {
        luminance: difference(maps.each_ref()),
        gradient: difference(edges.each_ref()),
    })
}

/// One number for each pixel.
struct Map {
    width: usize,
    height: usize,
    values: Vec<f64>,
}

impl Map {
    fn luminance(plane: &Plane) -> Self {
        Self {
            width: plane.width,
            height: plane.height,
            values: plane.luma(),
        }
    }

    /// The modulus of the gradient, a row and a column smaller.
    fn gradient(&self) -> Self {
        let (width, height) = (self.width - 1, self.height - 1);
        let value = |y: usize, x: usize| self.values[y * self.width + x];
        let modulus = |index: usize| {
            let (y, x) = (index / width, index % width);
            (value(y + 1, x) - value(y, x)).hypot(value(y, x + 1) - value(y, x))
        };
        Self {
            width,
            height,
            values: (0..width * height).map(modulus).collect(),
        }
    }

    fn autocorrelation(&self, lag: usize) -> Vec<f64> {
        Autocorrelation::of(&self.values, self.width, lag).values
    }
}

/// The root of the mean squared difference.
fn root_mean_square(a: &[f64], b: &[f64]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    (squares / a.len() as f64).sqrt()
}

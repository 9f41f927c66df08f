//! Whether large structure is arranged alike: rows of bricks, the spacing of stones.

use image::Rgb32FImage;

use super::autocorrelation::Autocorrelation;
use super::check;
use super::plane::Plane;
use crate::error::Result;

/// How differently two textures are arranged: see [`order`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// Of light and dark.
    pub luminance: f64,
    /// Of edges, wherever they lead.
    pub gradient: f64,
}

/// Images are halved until their shorter side is at most this: order is a matter of what is large.
const SIDE: usize = 128;

/// Compares how two images of one size correlate with themselves shifted: 0 for equal ones, at most
/// about 1 for two that have nothing in common.
///
/// ```text
/// order = sqrt(mean over d of (rho_exemplar(d) - rho_result(d))^2)
/// rho(d) = 1 / (M_d var f) sum over p of (f(p) - m) (f(p + d) - m)
/// ```
///
/// over shifts `d` of up to half of the shorter side, with `f` the luminance, or the modulus of its
/// gradient (forward differences), `m` its mean, and `M_d` the number of positions `p` for which `p + d`
/// lies in the image. Both images are halved until their shorter side has at most 128 pixels.
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
    let apart = |[a, b]: [&Map; 2]| distance(&a.autocorrelation(lag), &b.autocorrelation(lag));
    let edges = maps.each_ref().map(Map::gradient);
    Ok(Order {
        luminance: apart(maps.each_ref()),
        gradient: apart(edges.each_ref()),
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
        let at = |y: usize, x: usize| self.values[y * self.width + x];
        let modulus = |place: usize| {
            let (y, x) = (place / width, place % width);
            (at(y + 1, x) - at(y, x)).hypot(at(y, x + 1) - at(y, x))
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
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    (squares / a.len() as f64).sqrt()
}

//! Metrics: similarity of two images, quality and novelty of textures, seams of tilings. All are pure
//! functions of images.

mod autocorrelation;
mod filter_responses;
mod novelty;
mod order;
mod plane;
mod psnr;
mod seam;
mod sliced_wasserstein;
mod ssim;

use image::Rgb32FImage;

pub(crate) use self::autocorrelation::Autocorrelation;
pub use self::filter_responses::filter_responses;
pub use self::novelty::{Novelty, novelty};
pub use self::order::{Order, order};
pub use self::psnr::psnr;
pub use self::seam::seam;
pub use self::sliced_wasserstein::sliced_wasserstein;
pub use self::ssim::ssim;
use crate::error::{Error, Result, all_finite};

fn check(first: &Rgb32FImage, second: &Rgb32FImage, smallest: u32) -> Result<()> {
    check_one("the first image", first, smallest)?;
    check_one("the second image", second, smallest)?;
    if first.dimensions() != second.dimensions() {
        return Err(Error::Shape {
            what: "the second image".into(),
            found: vec![second.height() as usize, second.width() as usize],
            expected: format!("[{}, {}], as the first", first.height(), first.width()),
        });
    }
    Ok(())
}

fn check_one(what: &str, image: &Rgb32FImage, smallest: u32) -> Result<()> {
    all_finite(what, image.as_raw())?;
    if image.width().min(image.height()) >= smallest {
        return Ok(());
    }
    Err(Error::Shape {
        what: what.into(),
        found: vec![image.height() as usize, image.width() as usize],
        expected: format!("sides of at least {smallest} pixels"),
    })
}

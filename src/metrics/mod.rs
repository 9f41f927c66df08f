//! How alike two images are: pure functions of two images of the same size.

mod psnr;
mod sliced_wasserstein;
mod ssim;

use image::Rgb32FImage;

pub use self::psnr::psnr;
pub use self::sliced_wasserstein::sliced_wasserstein;
pub use self::ssim::ssim;
use crate::error::{Error, Result, all_finite};

fn check(first: &Rgb32FImage, second: &Rgb32FImage, smallest: u32) -> Result<()> {
    for (what, image) in [("the first image", first), ("the second image", second)] {
        all_finite(what, image.as_raw())?;
        if image.width().min(image.height()) < smallest {
            return Err(Error::Shape {
                what: what.into(),
                found: vec![image.height() as usize, image.width() as usize],
                expected: format!("sides of at least {smallest} pixels"),
            });
        }
    }
    if first.dimensions() != second.dimensions() {
        return Err(Error::Shape {
            what: "the second image".into(),
            found: vec![second.height() as usize, second.width() as usize],
            expected: format!("[{}, {}], as the first", first.height(), first.width()),
        });
    }
    Ok(())
}

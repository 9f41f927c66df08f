//! Makes one picture of two textures, the second in a disc, and mends a hole in it.

use image::{DynamicImage, GrayImage, Luma};
use ranvgg::imaging::{self, Limits};
use ranvgg::{
    Exemplars, IfExists, Inpainting, RandomVgg, Size, TextureOptions, device, synthesize_texture,
};

const GRAVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/gravel.png");
const STROKES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/strokes.png");
const SIDE: u32 = 160;

fn main() -> ranvgg::Result<()> {
    let gravel = imaging::open(GRAVEL, Limits::default())?;
    let strokes = imaging::open(STROKES, Limits::default())?;
    let vgg = RandomVgg::vgg19().init(&device::best()?)?;

    // Each exemplar has a mask, which is white where it goes.
    let (inside, outside) = (disc(60.0, true), disc(60.0, false));
    let regions = Exemplars::regions([
        (Exemplars::from(gravel.clone()), outside),
        (Exemplars::from(strokes), inside),
    ]);
    let options = TextureOptions::default().with_size(Size::square(SIDE as usize));
    let both = synthesize_texture(&vgg, regions, &options, &mut ())?;
    both.save("regions.png", IfExists::Replace)?;

    // Pixels that the mask shows black stay as they are, bit for bit.
    let hole = Inpainting::new(both.image(), disc(25.0, true));
    let options = TextureOptions::default().with_inpainting(hole);
    synthesize_texture(&vgg, gravel, &options, &mut ())?.save("mended.png", IfExists::Replace)
}

/// A mask that is white inside of a disc in the middle, or outside of it.
fn disc(radius: f64, inside: bool) -> DynamicImage {
    let centre = f64::from(SIDE) / 2.0;
    DynamicImage::from(GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let distance = (f64::from(x) - centre).hypot(f64::from(y) - centre);
        Luma([if (distance < radius) == inside {
            255
        } else {
            0
        }])
    }))
}

//! Makes a texture like a picture: `cargo run --release --example synthesize_texture -- moss.jpg`.

use ranvgg::imaging::{self, Limits};
use ranvgg::{IfExists, RandomVgg, Size, TextureOptions, device, synthesize_texture};

const GRAVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/gravel.png");

fn main() -> ranvgg::Result<()> {
    let path = std::env::args().nth(1).unwrap_or(GRAVEL.into());
    let exemplar = imaging::open(path, Limits::default())?;

    // The network is a seed: another one gives another stream of filters.
    let vgg = RandomVgg::vgg19().with_seed(42).init(&device::best()?)?;

    // The result's size is free; the seed here is that of the starting noise.
    let options = TextureOptions::default()
        .with_size(Size::new(256, 192))
        .with_seed(7);
    let outcome = synthesize_texture(&vgg, exemplar, &options, &mut ())?;

    println!(
        "{} evaluations in {:.1} s: {}",
        outcome.evaluations(),
        outcome.elapsed().as_secs_f64(),
        outcome.stop_reason()
    );
    outcome.save("texture.png", IfExists::Replace)
}

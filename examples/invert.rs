//! Shows what a layer keeps of a picture: reconstructs it from its features alone.

use ranvgg::imaging::{self, Limits};
use ranvgg::{IfExists, InvertOptions, Layer, RandomVgg, device, invert, metrics};

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/cat.png");
/// Shallow layers keep nearly all; from `pool4` on little but shapes is left.
const LAYER: &str = "conv4_1";

fn main() -> ranvgg::Result<()> {
    let path = std::env::args().nth(1).unwrap_or(CAT.into());
    let picture = imaging::open(path, Limits::default())?;

    let layer: Layer = LAYER.parse()?;
    // Deep layers give back more through a network with biases.
    let vgg = RandomVgg::vgg19()
        .with_biases_for(layer)?
        .init(&device::best()?)?;

    let options = InvertOptions::default().with_evaluations(150);
    let outcome = invert(&vgg, &picture, layer, &options, &mut ())?;

    let (made, given) = (outcome.image().to_rgb32f(), imaging::flatten(&picture));
    println!("PSNR {:.2} dB from {layer}", metrics::psnr(&made, &given)?);
    outcome.save("inverted.png", IfExists::Replace)
}

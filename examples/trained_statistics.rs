//! Makes a texture with the statistics of a trained network, from its weight file:
//! `cargo run --release --example trained_statistics -- vgg19-dcbb9e9d.pth moss.jpg`.

use ranvgg::imaging::{self, Limits};
use ranvgg::{
    Architecture, IfExists, Layer, Pooling, Statistics, TextureOptions, WeightFile, device,
    synthesize_texture,
};

const GRAVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/gravel.png");
/// No layer above this one is read.
const DEEPEST: &str = "conv4_1";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let weights = arguments.next().ok_or("name a file of weights of VGG-19")?;
    let exemplar = arguments.next().unwrap_or(GRAVEL.into());
    let exemplar = imaging::open(exemplar, Limits::default())?;

    let deepest: Layer = DEEPEST.parse()?;
    // What torchvision publishes. Average pooling suits textures better than what it was trained with.
    let vgg = WeightFile::torchvision(Architecture::Vgg19)
        .with_pooling(Pooling::Average)
        .up_to(deepest)
        .load(weights, &device::best()?)?;

    let options = TextureOptions::default()
        .with_statistics(Statistics::Whitened)
        .with_layers(vec![vgg.layer("conv1_1")?, vgg.layer("conv3_1")?, deepest]);
    let outcome = synthesize_texture(&vgg, exemplar, &options, &mut ())?;
    for (name, value) in outcome
        .term_names()
        .iter()
        .zip(&outcome.records().last().ok_or("no evaluation")?.terms)
    {
        println!("{name}: {value:.3e}");
    }
    outcome.save("trained.png", IfExists::Replace)?;
    Ok(())
}

//! Chooses a network layer by layer, by how well a picture comes back from each draw of a layer.

use ranvgg::imaging::{self, Limits};
use ranvgg::{Candidate, Control, GreedyStackBuilder, IfExists, RandomVgg};

const CAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/cat.png");
/// Draws of each layer; the best one is kept.
const DRAWS: usize = 4;

fn main() -> ranvgg::Result<()> {
    let path = std::env::args().nth(1).unwrap_or(CAT.into());
    // Scores of small pictures order draws well enough.
    let reference = imaging::open(path, Limits::default())?.thumbnail(96, 96);

    let builder = GreedyStackBuilder::new(RandomVgg::vgg19(), reference)
        .up_to("conv2_2".parse()?)
        .with_candidates(DRAWS)
        .with_evaluations(40);
    let stack = builder.build(&mut |draw: &Candidate, _total: usize| {
        println!("{} seed {}: {:.2} dB", draw.layer, draw.seed, draw.psnr);
        Control::Continue
    })?;

    // A recipe is a few lines of JSON, from which the same network comes anywhere.
    stack
        .network()
        .save_recipe("network.json", IfExists::Replace)
}

//! Paints a photograph in the style of another picture, once loosely and once closely.

use ranvgg::imaging::{self, Limits};
use ranvgg::{Colours, IfExists, RandomVgg, StyleOptions, device, transfer_style};

const PHOTOGRAPH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/launch.png");
const STYLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/strokes.png");
/// How much of the photograph stays: at 0.03 it dissolves, at 1 little but colours change.
const CONTENT_WEIGHTS: [f64; 2] = [0.06, 0.3];

fn main() -> ranvgg::Result<()> {
    let mut paths = std::env::args().skip(1);
    let mut next = |bundled: &str| paths.next().unwrap_or(bundled.into());
    let content = imaging::open(next(PHOTOGRAPH), Limits::default())?;
    let style = imaging::open(next(STYLE), Limits::default())?;

    let vgg = RandomVgg::vgg19().init(&device::best()?)?;
    for weight in CONTENT_WEIGHTS {
        // The style picture gets the photograph's colours first.
        let options = StyleOptions::default()
            .with_content_weight(weight)
            .with_colours(Colours::Matched);
        let outcome = transfer_style(&vgg, content.clone(), style.clone(), &options, &mut ())?;
        outcome.save(format!("styled-{weight}.png"), IfExists::Replace)?;
    }
    Ok(())
}

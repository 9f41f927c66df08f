//! Watches a run: prints the loss, saves the picture of every scale, and stops after a while.

use std::time::Duration;

use ranvgg::imaging::{self, Limits};
use ranvgg::{Control, IfExists, Progress, RandomVgg, TextureOptions, device, synthesize_texture};

const GRAVEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/images/gravel.png");
const LONGEST: Duration = Duration::from_secs(20);

fn main() -> ranvgg::Result<()> {
    let path = std::env::args().nth(1).unwrap_or(GRAVEL.into());
    let exemplar = imaging::open(path, Limits::default())?;
    let vgg = RandomVgg::vgg19().init(&device::best()?)?;

    let mut scale = 0;
    let mut watch = |progress: &Progress<'_>| {
        if progress.scale > scale {
            scale = progress.scale;
            println!(
                "scale {scale} has {} and begins at {:.3e}",
                progress.size,
                progress.loss()
            );
            // The image so far, at the size of this scale.
            let name = format!("scale-{scale}.png");
            let saved = progress
                .image()
                .and_then(|image| imaging::save(&image, name, IfExists::Replace));
            if let Err(error) = saved {
                eprintln!("{error}");
            }
        }
        match progress.elapsed > LONGEST {
            true => Control::Stop,
            false => Control::Continue,
        }
    };
    let outcome = synthesize_texture(&vgg, exemplar, &TextureOptions::default(), &mut watch)?;

    // A run that was stopped keeps its best image, at the size asked for.
    println!("{}", outcome.stop_reason());
    outcome.save("watched.png", IfExists::Replace)
}

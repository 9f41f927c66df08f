//! The three tasks, whole: on real pictures, by thresholds, and with input out of range.

mod inversions;
mod maps;
mod refusals;
mod regions;
mod runs;
mod styles;
mod textures;

use ranvgg::{RunOptions, Statistics, StyleOptions, TextureOptions};

/// Statistics of a network's features; `tests/suite/resampled/mod.rs` has the default.
fn whitened() -> TextureOptions {
    TextureOptions::default().with_statistics(Statistics::Whitened)
}

/// The same; `tests/suite/paintings.rs` has the default.
fn whitened_style() -> StyleOptions {
    StyleOptions::default().with_statistics(Statistics::Whitened)
}

fn run(evaluations: usize) -> RunOptions {
    RunOptions::default().with_evaluations(evaluations)
}

#![doc = include_str!("../README.md")]
//! # Cargo features
#![doc = document_features::document_features!()]
#![cfg_attr(test, allow(clippy::float_cmp))] // equality is meant where it is asserted

mod backend;
pub mod device;
mod engine;
mod error;
mod exemplars;
mod file;
mod greedy;
pub mod imaging;
mod invert;
mod linear_algebra;
pub mod loss;
pub mod metrics;
mod network;
mod objective;
pub mod optim;
mod random;
mod resampled;
pub mod run;
mod style;
mod task;
mod texture;

/// The tensor framework and the image library whose types are in signatures here.
#[doc(no_inline)]
pub use {burn, image};

#[doc(hidden)]
pub use engine::{DeviceLayerBench, LayerBench, LayerWay};
pub use engine::{Padding, Pooling, Precision};
pub use error::{Error, Result};
pub use exemplars::Exemplars;
pub use greedy::{Candidate, GreedyStack, GreedyStackBuilder};
pub use imaging::{Picture, Scales, Size};
pub use invert::{InvertOptions, invert, invert_observed, reconstruction_error};
pub use loss::Gram;
pub use network::{
    Architecture, Extent, Features, Layer, LayerNormalizer, Preprocessing, RandomVgg, Trace, Vgg,
    WeightFile,
};
pub use objective::{Evaluation, Objective, halve};
pub use optim::{Adam, AdamOptions, Lbfgs, LbfgsOptions, LbfgsState, Next, StopReason};
pub use run::{Control, Kept, Observer, Outcome, Preparation, Progress, RunOptions};
pub use style::{Colours, StyleOptions, StyleStart, transfer_style, transfer_style_observed};
pub use task::Statistics;
pub use texture::{TextureOptions, synthesize_texture, synthesize_texture_observed};

#![doc = include_str!("../README.md")]
//! # Cargo features
#![doc = document_features::document_features!()]
#![cfg_attr(test, allow(clippy::float_cmp))] // equality is meant where it is asserted

mod backend;
pub mod device;
mod error;
mod exemplars;
mod file;
mod greedy;
pub mod imaging;
mod invert;
mod kernels;
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

pub use error::{Error, Result};
pub use exemplars::Exemplars;
pub use file::IfExists;
pub use greedy::{Candidate, CandidateObserver, GreedyStack, GreedyStackBuilder};
pub use imaging::{Picture, Scales, Size};
pub use invert::{InvertOptions, invert, reconstruction_error};
#[doc(hidden)]
pub use kernels::{DeviceLayerBench, LayerBench, LayerWay};
pub use kernels::{Padding, Pooling, Precision};
pub use loss::Gram;
pub use network::{
    Architecture, Extent, Features, Layer, LayerNormalizer, Preprocessing, RandomVgg, Trace, Vgg,
    WeightFile,
};
pub use objective::{Evaluation, Objective, halve};
pub use optim::{
    Adam, AdamOptions, Lbfgs, LbfgsOptions, LbfgsSettings, LbfgsState, Next, StopReason,
};
pub use run::{Control, Inpainting, Observer, Outcome, Preparation, Progress, RunOptions};
pub use style::{Colours, StyleOptions, StyleStart, transfer_style};
pub use task::Statistics;
pub use texture::{TextureOptions, synthesize_texture};

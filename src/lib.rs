#![doc = include_str!("../README.md")]
//! # Cargo features
#![doc = document_features::document_features!()]
#![cfg_attr(test, allow(clippy::float_cmp))] // equality is meant where it is asserted

mod backend;
pub mod device;
mod engine;
pub mod error;
mod exemplars;
mod file;
mod greedy;
pub mod imaging;
mod invert;
mod linear_algebra;
pub mod loss;
pub mod metrics;
pub mod network;
pub mod objective;
pub mod optim;
mod random;
mod resampled;
pub mod run;
mod style;
mod terms;
mod texture;

/// The tensor framework and the image library whose types are in signatures here.
#[doc(no_inline)]
pub use {burn, image};

#[doc(hidden)]
pub use engine::{DeviceLayerBench, LayerBench, LayerWay};
pub use engine::{Padding, Pooling, Precision};
pub use error::variants::{Error, Result};
pub use exemplars::Exemplars;
pub use file::IfExists;
pub use greedy::{Candidate, CandidateObserver, GreedyStack, GreedyStackBuilder};
pub use imaging::picture::Picture;
pub use imaging::scales::{Scales, Size};
pub use invert::{InvertOptions, invert, reconstruction_error};
pub use network::architecture::Architecture;
pub use network::config::NetworkConfig;
pub use network::layer::Layer;
pub use network::random_vgg::RandomVgg;
pub use network::vgg::Vgg;
pub use network::weight_file::WeightFile;
pub use run::inpainting::Inpainting;
pub use run::observer::{Control, Observer, Progress};
pub use run::options::RunOptions;
pub use run::outcome::Outcome;
pub use style::{Colours, StyleOptions, StyleStart, transfer_style};
pub use terms::Statistics;
pub use texture::{TextureOptions, synthesize_texture};

// The only items with two paths: parts whose names readers of the paper look for.
#[doc(no_inline)]
pub use {loss::Gram, network::LayerNormalizer, optim::Lbfgs};

//! Parts of networks: features, traces, preprocessing, the geometry of layers, and layer weights.
//!
//! The networks, [`RandomVgg`], [`WeightFile`](crate::WeightFile) and [`Vgg`], are at the root of
//! the crate.

// random_vgg, recipe, weight_file ──> config ──> vgg ──> stages ──> architecture ──> layer
// normalizer, rescaling, export ────> vgg
// passes ──> trace, validation ───────> vgg

pub(crate) mod architecture;
mod checkpoint;
pub(crate) mod config;
mod export;
mod features;
mod identity;
pub(crate) mod layer;
mod normalizer;
mod passes;
mod preprocessing;
pub(crate) mod random_vgg;
mod recipe;
mod rescaling;
mod stages;
mod trace;
mod validation;
pub(crate) mod vgg;
pub(crate) mod weight_file;

pub(crate) use self::architecture::Architecture;
pub use self::architecture::LayerGeometry;
pub(crate) use self::config::NetworkConfig;
pub use self::features::Features;
pub(crate) use self::layer::Layer;
pub use self::normalizer::LayerNormalizer;
pub(crate) use self::passes::LayerTap;
pub use self::preprocessing::Preprocessing;
pub(crate) use self::random_vgg::RandomVgg;
pub use self::random_vgg::RandomWeights;
pub use self::trace::Trace;
pub(crate) use self::vgg::Vgg;
pub use self::weight_file::FileWeights;

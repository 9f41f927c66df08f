//! Networks: names and geometry of layers, where weights come from, forward and back.
//!
//! ```text
//! random_vgg, recipe, weight_file ──> vgg ──> stages ──> architecture ──> layer
//! normalizer, rescaling, export ────> vgg
//! passes ──> trace, refusals ───────> vgg
//! ```

mod architecture;
mod checkpoint;
mod export;
mod features;
mod layer;
mod normalizer;
mod passes;
mod preprocessing;
mod random_vgg;
mod recipe;
mod refusals;
mod rescaling;
mod stages;
mod trace;
mod vgg;
mod weight_file;

pub use self::architecture::{Architecture, Extent};
pub use self::features::Features;
pub use self::layer::Layer;
pub use self::normalizer::LayerNormalizer;
pub use self::preprocessing::Preprocessing;
pub use self::random_vgg::RandomVgg;
pub use self::trace::Trace;
pub use self::vgg::Vgg;
pub use self::weight_file::WeightFile;

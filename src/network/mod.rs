//! Networks: names and geometry of layers, where weights come from, forward and back.
//!
//! ```text
//! random_vgg, recipe, weights ──> vgg ──> architecture ──> layer
//! normalizer ───────────────────> vgg
//! ```

mod architecture;
mod layer;
mod normalizer;
mod preprocessing;
mod random_vgg;
mod recipe;
mod vgg;
mod weights;

pub use self::architecture::{Architecture, Extent};
pub use self::layer::Layer;
pub use self::normalizer::LayerNormalizer;
pub use self::preprocessing::Preprocessing;
pub use self::random_vgg::RandomVgg;
pub use self::vgg::{Features, Trace, Vgg};
pub use self::weights::WeightFile;

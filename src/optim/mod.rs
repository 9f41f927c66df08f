//! Optimisers of functions of vectors. They know neither images nor networks.

mod adam;
#[cfg(feature = "cube")]
mod adam_on_device;
mod bounds;
mod compact;
mod interpolation;
mod lbfgs;
mod line_search;
mod options;
mod pairs;
mod saved;
mod state;
mod stepper;

pub(crate) use self::adam::falling_rate;
pub use self::adam::{Adam, AdamOptions};
#[cfg(feature = "cube")]
pub(crate) use self::adam_on_device::AdamOnDevice;
pub use self::lbfgs::{Lbfgs, Next};
pub use self::line_search::LineSearchFailure;
pub use self::options::{LbfgsOptions, LbfgsSettings, Termination};
pub(crate) use self::saved::{Saved, Vector};
pub use self::state::LbfgsState;
pub(crate) use self::stepper::Stepper;

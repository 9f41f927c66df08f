//! Minimisation: numbers in, numbers out. Knows neither images nor networks.

mod lbfgs;
mod line_search;
mod options;
mod state;

pub use self::lbfgs::{Lbfgs, Next};
pub use self::line_search::LineSearchFailure;
pub use self::options::{LbfgsOptions, StopReason};
pub use self::state::LbfgsState;

//! Minimisation: numbers in, numbers out. Knows neither images nor networks.

mod lbfgs;
mod line_search;
mod state;

pub use self::lbfgs::{Lbfgs, LbfgsOptions, Next, StopReason};
pub use self::line_search::LineSearchFailure;
pub use self::state::LbfgsState;

//! x
pub mod device;
mod error;
mod kernels;
pub mod loss;
mod network;
mod random;
pub mod optim;
pub use optim::{Lbfgs, LbfgsOptions, LbfgsState, Next, StopReason};
pub use error::{Error, Result};
pub use kernels::{Padding, Pooling};
pub use loss::Gram;
pub use network::*;

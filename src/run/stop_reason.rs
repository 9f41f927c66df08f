//! Why a run ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::optim::Termination;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StopReason {
    /// All evaluations were used.
    Evaluations,
    /// The optimiser ended the last scale before that; why.
    Optimiser(Termination),
    /// The time limit was reached.
    Time,
    /// The observer stopped it.
    Stopped,
    /// Something failed after a picture was made; [`Outcome::failure`](crate::Outcome::failure) says what.
    Failed,
}

impl From<Termination> for StopReason {
    fn from(termination: Termination) -> Self {
        match termination {
            Termination::Evaluations => Self::Evaluations,
            other => Self::Optimiser(other),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evaluations => f.write_str("all evaluations were used"),
            Self::Optimiser(termination) => write!(f, "{termination}"),
            Self::Time => f.write_str("the time limit was reached"),
            Self::Stopped => f.write_str("the observer stopped the run"),
            Self::Failed => f.write_str("the run failed and kept its last picture"),
        }
    }
}

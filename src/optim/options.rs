//! Options of L-BFGS, and why a minimisation ends.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use super::line_search::{Conditions, LineSearchFailure};
use crate::error::{Error, Result, at_least_one, not_negative, positive};

/// How [`Lbfgs`](super::Lbfgs) steps, and at which tolerances it stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct LbfgsSettings {
    /// Pairs of step and gradient change that are stored. More follow curvature better and cost two
    /// vectors of memory each. Default: 10.
    pub history: usize,
    /// Stop when the largest gradient component falls to this share of its value at the start.
    /// Zero: only where the gradient vanishes. Default: 0.
    pub gradient_tolerance: f64,
    /// Stop when an accepted step lowers the value by no more than this share. Zero: never.
    /// Default: 0.
    pub change_tolerance: f64,
    /// Most evaluations of one line search. Default: 20.
    pub line_search_evaluations: usize,
    /// `c1` of the Wolfe conditions: larger asks for more decrease. Default: 1e-4.
    pub sufficient_decrease: f64,
    /// `c2` of the Wolfe conditions: smaller asks for a more exact search. Default: 0.9.
    pub curvature: f64,
}

impl Default for LbfgsSettings {
    fn default() -> Self {
        Self {
            history: 10,
            gradient_tolerance: 0.0,
            change_tolerance: 0.0,
            line_search_evaluations: 20,
            sufficient_decrease: 1e-4,
            curvature: 0.9,
        }
    }
}

/// Options of [`Lbfgs`](super::Lbfgs).
///
/// ```
/// use ranvgg::optim::{LbfgsOptions, LbfgsSettings};
///
/// let options = LbfgsOptions::default()
///     .with_evaluations(100)
///     .with_settings(LbfgsSettings::default().with_history(20));
/// assert_eq!(options.settings.history, 20);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_", strip_option)]
#[non_exhaustive]
pub struct LbfgsOptions {
    /// History, tolerances and constants of the line search.
    pub settings: LbfgsSettings,
    /// Most evaluations. Default: none, that is no limit.
    pub evaluations: Option<usize>,
    /// Length of the very first step, and of the first after a restart, in the Euclidean norm.
    /// Default: 1.
    pub first_step: f64,
    /// Keep every component inside this interval. Default: none.
    pub bounds: Option<(f64, f64)>,
}

impl Default for LbfgsOptions {
    fn default() -> Self {
        Self {
            settings: LbfgsSettings::default(),
            evaluations: None,
            first_step: 1.0,
            bounds: None,
        }
    }
}

impl LbfgsSettings {
    fn check(&self) -> Result<()> {
        at_least_one("history", self.history)?;
        at_least_one("line search evaluations", self.line_search_evaluations)?;
        not_negative("gradient tolerance", self.gradient_tolerance)?;
        not_negative("change tolerance", self.change_tolerance)?;
        positive("sufficient decrease", self.sufficient_decrease)?;
        if !(self.sufficient_decrease < self.curvature && self.curvature < 1.0) {
            let allowed = "numbers between the sufficient decrease and 1";
            return Err(Error::option("curvature", self.curvature, allowed));
        }
        Ok(())
    }

    pub(super) fn conditions(&self) -> Conditions {
        Conditions {
            decrease: self.sufficient_decrease,
            curvature: self.curvature,
            noise: VALUE_NOISE,
            evaluations: self.line_search_evaluations,
        }
    }
}

impl LbfgsOptions {
    pub(crate) fn check(&self) -> Result<()> {
        self.settings.check()?;
        positive("first step", self.first_step)?;
        check_bounds(self.bounds)
    }
}

/// Refuses bounds that are not a lower and an upper number.
pub(super) fn check_bounds(bounds: Option<(f64, f64)>) -> Result<()> {
    match bounds {
        Some((low, high)) if low.is_nan() || high.is_nan() || low >= high => {
            let found = format!("{low} to {high}");
            Err(Error::option(
                "bounds",
                found,
                "a lower below an upper bound",
            ))
        }
        _ => Ok(()),
    }
}

/// Relative error of a value summed in f32: a few units in its last place.
const VALUE_NOISE: f64 = 1e-6;

/// Why a minimisation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Termination {
    /// The gradient fell to its tolerance, or vanishes.
    Gradient,
    /// A step changed the value by less than its tolerance.
    Change,
    /// As many evaluations were made as allowed.
    Evaluations,
    /// No step along the steepest descent lowers the value.
    LineSearch(LineSearchFailure),
    /// Value or gradient at the start is not finite.
    NotFinite,
}

impl std::fmt::Display for Termination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gradient => "the gradient fell to its tolerance",
            Self::Change => "the value changed by less than its tolerance",
            Self::Evaluations => "all evaluations were used",
            Self::LineSearch(_) => "no step lowers the value any more",
            Self::NotFinite => "the value is not a finite number",
        })
    }
}

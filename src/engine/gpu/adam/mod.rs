//! Steps of Adam whose state stays on the device.
//!
//! ```text
//! mod ──> operation (of Burn's backend) <── launches ──> kernels
//! ```

mod kernels;
mod launches;
mod operation;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use self::kernels::SUMMARY;
pub(crate) use self::operation::StepRates;
use self::operation::{AdamSteps as _, Variables};
use crate::backend::read;
use crate::error::Result;

/// The gradient at a picture on its device: the sum of one or two lists, each of which may have distances after its
/// values.
pub(crate) struct Lists {
    pub(crate) first: Tensor<1>,
    pub(crate) second: Option<Tensor<1>>,
}

/// What a step tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    /// Whether all gradients and distances are finite. If not, no step was made.
    pub(crate) is_finite: bool,
    /// The sums of the distances after either list.
    pub(crate) sums: [f64; 2],
}

/// One step from a state of `count` variables: the point, the mean gradient and the mean square, one after the other. At
/// pixels of `channels` variables where `free` is zero the gradient is zero. Reads once.
///
/// # Errors
///
/// [`Error::Device`](crate::Error::Device) if the device fails.
pub(crate) fn step(
    state: Tensor<1>,
    gradient: Lists,
    (count, channels): (usize, usize),
    free: Option<&Tensor<1>>,
    rates: StepRates,
) -> Result<(Tensor<1>, Summary)> {
    let variables = Variables {
        count,
        channels,
        both: gradient.second.is_some(),
        held: free.is_some(),
    };
    // A list that is not read stands in for one that is not there.
    let second = gradient.second.unwrap_or_else(|| gradient.first.clone());
    let free = free.unwrap_or(&state).clone().into_dispatch();
    let (first, second) = (gradient.first.into_dispatch(), second.into_dispatch());
    let summary = Dispatch::summarise(first.clone(), second.clone(), variables);
    let next = Dispatch::adam_step(
        state.into_dispatch(),
        first,
        second,
        free,
        summary.clone(),
        variables,
        rates,
    );
    let parts: Vec<f32> = read(Tensor::<2>::from_dispatch(summary))?;
    let sum = |number: usize| -> f64 {
        let of_parts = parts.iter().skip(number).step_by(SUMMARY);
        of_parts.map(|value| f64::from(*value)).sum()
    };
    let summary = Summary {
        is_finite: sum(0) == 0.0,
        sums: [sum(1), sum(2)],
    };
    Ok((Tensor::from_dispatch(next), summary))
}

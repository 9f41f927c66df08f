//! Small computations whose results are known: can this device be trusted?

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor};

use super::known::{CHANNELS, KnownLayer, chains, ends, expected};
use super::{info_of, name_of};
use crate::backend::{guarded, read};
use crate::engine::{
    FeatureMap, Precision, Tap, Weighted, channels_last, compile, gram_product, map_from_values,
    sum_of_rows,
};
use crate::error::{DeviceReason, Error, Result};

/// Computes convolutions with ReLUs and their gradients, a matrix product and a sum on `device`, by the kernels
/// that runs use, and compares them with exact results of the host. A NaN in the input has to reach the
/// output.
///
/// All exact results are multiples of a quarter, so rounding errors are far smaller than any wrong result. The
/// check takes milliseconds, and longer where shaders have to be compiled first.
///
/// # Errors
///
/// [`Error::DeviceUnavailable`] naming adapter and driver, also for a device that fails to compute.
pub fn check(device: &Device) -> Result<()> {
    verified(device, |device| computed(device, Precision::Single))
}

/// [`check`], once for each device of this process.
///
/// # Errors
///
/// As [`check`].
pub(super) fn check_once(device: &Device) -> Result<()> {
    static CHECKED: Mutex<Vec<Device>> = Mutex::new(Vec::new());
    once(&CHECKED, device, check)
}

/// The same with the kernels of half precision, once for each device.
///
/// # Errors
///
/// As [`check`].
pub(crate) fn check_half(device: &Device) -> Result<()> {
    static CHECKED: Mutex<Vec<Device>> = Mutex::new(Vec::new());
    once(&CHECKED, device, |device| {
        verified(device, |device| computed(device, Precision::Half))
    })
}

/// Runs a check unless the device passed it before. Other threads wait meanwhile, so that kernels
/// are compiled once.
fn once(
    passed: &Mutex<Vec<Device>>,
    device: &Device,
    check: impl FnOnce(&Device) -> Result<()>,
) -> Result<()> {
    let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
    if !passed.contains(device) {
        check(device)?;
        passed.push(device.clone());
    }
    Ok(())
}

/// What the device computes.
fn computed(device: &Device, precision: Precision) -> Result<Vec<f32>> {
    let mut parts: Vec<Tensor<1>> = Vec::new();
    for (_, chain) in chains() {
        let (map, gradient) = through(&chain, device, precision, false)?;
        parts.extend([map, gradient].map(|values| {
            let count = values.shape().num_elements();
            channels_last(values).reshape([count])
        }));
    }
    let rows = parts[0].clone().reshape([-1, CHANNELS as i32]);
    let sums = sum_of_rows(rows.clone()).reshape([CHANNELS]);
    // Clipped, so that sums of products are exact.
    let rows = rows.clamp(0.0, 8.0);
    let gram = gram_product(rows);
    parts.push(gram.reshape([CHANNELS * CHANNELS]));
    parts.push(sums);
    for (_, chain) in chains() {
        let (map, _) = through(&chain, device, precision, true)?;
        let count = map.shape().num_elements();
        parts.push(channels_last(map).reshape([count]));
    }
    read(Tensor::cat(parts, 0))
}

/// The features of a chain and its input gradient. If `broken`, one value of the input is NaN.
fn through(
    chain: &[KnownLayer],
    device: &Device,
    precision: Precision,
    broken: bool,
) -> Result<(Tensor<4>, Tensor<4>)> {
    let (input, gradient) = ends(chain, broken);
    let (bottom, top) = (&chain[0].case, &chain[chain.len() - 1]);
    let layers: Vec<Weighted> = chain.iter().flat_map(KnownLayer::layers).collect();
    let last = layers.len() - 1;
    let tap = Tap {
        index: last,
        returned: true,
    };
    let map = |values: Vec<f32>, (height, width): (usize, usize), channels: usize| {
        FeatureMap::from(map_from_values(values, [height, width, channels], device))
    };
    let input = map(input, bottom.size, bottom.shape.channels_in);
    let mut forward = compile(device, precision, &layers).forward(input, &[tap], true)?;
    let mut gradient = Some(map(gradient, top.output(), CHANNELS));
    let lower = match &forward.tape {
        Some(tape) => tape.backward(&mut |_| Ok(gradient.take()))?,
        None => None,
    };
    let features = forward.features.pop().map(|(_, map)| map);
    match (features, lower) {
        (Some(features), Some(lower)) => Ok((features.into_tensor(), lower.into_tensor())),
        _ => Err(Error::device("no features, or no gradient")),
    }
}

fn verified(device: &Device, compute: impl FnOnce(&Device) -> Result<Vec<f32>>) -> Result<()> {
    let reason = match guarded(|| compute(device)) {
        Err(error) => error.to_string(),
        Ok(found) => match difference(&found) {
            None => return Ok(()),
            Some(reason) => reason,
        },
    };
    let name = name_of(device);
    let adapter = info_of(device).map_or_else(String::new, |info| {
        format!("{}, {}", info.adapter, info.driver)
    });
    let found = reason;
    Err(Error::unavailable(
        name,
        DeviceReason::WrongResults { adapter, found },
    ))
}

/// What is wrong with what a device computed.
fn difference(found: &[f32]) -> Option<String> {
    let (expected, parts) = expected();
    if found.len() != expected.len() {
        let (found, expected) = (found.len(), expected.len());
        return Some(format!("{found} values instead of {expected}"));
    }
    for part in parts {
        let pairs = found[part.range.clone()].iter().zip(&expected[part.range]);
        let mut wrong = pairs.filter(|(found, expected)| match part.allowed {
            Some(allowed) => {
                let apart = (f64::from(**found) - *expected).abs();
                apart.is_nan() || apart >= allowed
            }
            None => expected.is_nan() && found.is_finite(),
        });
        if let Some((found, expected)) = wrong.next() {
            let (what, count) = (part.what, 1 + wrong.count());
            return Some(format!(
                "{what} has {found} for {expected}, {count} values are wrong"
            ));
        }
    }
    None
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn the_reference_device_passes() {
        check(&Device::flex()).unwrap();
        let (expected, parts) = expected();
        for part in parts {
            let values = &expected[part.range];
            if part.allowed.is_none() {
                assert!(values.iter().any(|value| value.is_nan()), "{}", part.what);
                continue;
            }
            // Sixteenths that f32 adds up without rounding.
            assert!(values.iter().all(|value| (16.0 * value).fract() == 0.0));
            let largest = values.iter().copied().fold(0.0, f64::max);
            assert!(
                (8.0..65536.0).contains(&largest),
                "{}: {largest}",
                part.what
            );
            let zeros = values.iter().filter(|value| **value == 0.0).count();
            assert!(3 * zeros < 2 * values.len(), "{}", part.what);
        }
    }

    #[test]
    fn a_device_that_computes_wrong_results_is_refused_by_name() {
        let device = Device::flex();
        let with = |change: fn(&mut Vec<f32>)| {
            verified(&device, |device| {
                let mut values = computed(device, Precision::Single)?;
                change(&mut values);
                Ok(values)
            })
        };
        // Values of the map of each chain, the second one pooled, and of the image gradient.
        const FIRST: usize = 11 * 9 * CHANNELS;
        const SECOND: usize = 6 * 5 * CHANNELS;
        const IMAGE: usize = 12 * 10 * 3;
        with(|_| {}).unwrap();
        type Change = fn(&mut Vec<f32>);
        let changes: [(Change, &str); 9] = [
            (|values| values[17] += 1.0, "a convolution"),
            (|values| values[0] = f32::NAN, "a convolution"),
            (
                |values| values[FIRST + 5] += 1.0,
                "the gradient of a convolution",
            ),
            (|values| values[2 * FIRST] += 1.0, "a first layer"),
            (
                |values| values[2 * FIRST + SECOND] -= 1.0,
                "the gradient of a first layer",
            ),
            (
                |values| values[2 * FIRST + SECOND + IMAGE + 5] -= 1.0,
                "a product of matrices",
            ),
            (
                |values| {
                    values[2 * FIRST + SECOND + IMAGE + CHANNELS * CHANNELS + 31] = f32::INFINITY
                },
                "a sum",
            ),
            (
                |values| {
                    let hidden = values.iter_mut().filter(|value| value.is_nan());
                    hidden.for_each(|value| *value = 0.0);
                },
                "a convolution of NaN has 0 for NaN",
            ),
            (|values| values.truncate(9), "9 values"),
        ];
        for (change, named) in changes {
            match with(change) {
                Err(Error::DeviceUnavailable {
                    name,
                    reason:
                        DeviceReason::WrongResults {
                            adapter,
                            found: reason,
                        },
                }) => {
                    assert_eq!(name, "flex");
                    assert!(adapter.contains("threads"), "{adapter}");
                    assert!(reason.contains(named), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        let failing = verified(&device, |_| panic!("as Burn does when a device is lost"));
        assert!(failing.is_err_and(|error| error.to_string().contains("device is lost")));
    }
}

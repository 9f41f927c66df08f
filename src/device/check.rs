//! Small computations whose results are known: can this device be trusted?

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Device, Tensor};

use super::{info_of, name_of};
use crate::backend::{guarded, read};
use crate::engine::reference::{Case, relu_backward};
use crate::engine::{
    FeatureMap, LazyParameters, Padding, Parameters, Pool, Pooling, Precision, Tap, Weighted,
    compile, map_from_values,
};
use crate::error::{DeviceReason, Error, Result};

/// Channels of the maps that are computed: more than a vector.
const CHANNELS: usize = 32;
/// Largest error, as a share of the largest value: above what TF32 and f16 round, far below what a
/// wrong kernel makes of anything.
const TOLERANCE: f64 = 4e-3;

/// Computes convolutions with a ReLU and their gradients, by the kernels that runs go through, a product
/// of matrices and a sum on `device`, and compares them with the same on the host. A NaN that goes in
/// has to come out.
///
/// All values are multiples of a quarter, so that what rounding there is stays far from the next
/// one: whatever differs is wrong. Takes milliseconds, and where shaders have to be
/// compiled first, as long as that.
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

/// A layer, and whether the average of 2x2 features after it comes with it.
struct Known {
    case: Case,
    parameters: Arc<Parameters>,
    pooled: bool,
}

impl Known {
    /// Its weights are whole numbers, all but one of `sparseness` zero, so that sums stay small. The
    /// bias is to keep them from zero, where rounding decides what a ReLU passes.
    fn new(case: Case, sparseness: usize, bias: f32, pooled: bool) -> Self {
        let weight = numbers(case.shape.weights(), 11).enumerate();
        let weight = weight.map(|(i, value)| if i % sparseness == 0 { value } else { 0.0 });
        let parameters = Arc::new(Parameters {
            weight: weight.collect(),
            bias: vec![bias; case.shape.channels_out],
        });
        Self {
            case,
            parameters,
            pooled,
        }
    }

    fn layers(&self) -> Vec<Weighted> {
        let parameters = Arc::clone(&self.parameters);
        let parameters = LazyParameters::new(move || Arc::clone(&parameters));
        let mut layers = vec![Weighted::Convolution(self.case.shape, parameters)];
        layers.extend(self.pool().map(Weighted::Pool));
        layers
    }

    fn pool(&self) -> Option<Pool> {
        self.pooled.then_some(Pool {
            pooling: Pooling::Average,
            kernel: 2,
            stride: 2,
        })
    }

    /// Height and width of what it gives.
    fn output(&self) -> (usize, usize) {
        let (height, width) = self.case.size;
        match self.pool() {
            Some(pool) => pool.output(height, width),
            None => (height, width),
        }
    }
}

/// A wide layer of a size that no tile divides; and an image's first layer below one that averages,
/// with the padding that networks have by default.
fn chains() -> [(&'static str, Vec<Known>); 2] {
    let wide = (CHANNELS, CHANNELS);
    let alone = Case::with_relu(wide, Padding::Zero, (11, 9));
    let first = Case::with_relu((3, CHANNELS), Padding::Reflect, (12, 10));
    let above = Case::with_relu(wide, Padding::Reflect, (12, 10));
    [
        ("a convolution", vec![Known::new(alone, 13, 0.5, false)]),
        (
            "a first layer with one above",
            vec![
                Known::new(first, 3, 0.5, false),
                Known::new(above, 13, 0.25, true),
            ],
        ),
    ]
}

/// Whole numbers of -2 to 2 in no order.
fn numbers(count: usize, step: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| ((i * step + i / 7) % 5) as f32 - 2.0)
}

/// What goes in at the bottom, and as a gradient at the top: `[height, width, channels]`. If `broken`,
/// one number at the bottom is NaN.
fn ends(chain: &[Known], broken: bool) -> (Vec<f32>, Vec<f32>) {
    let (bottom, top) = (&chain[0].case, &chain[chain.len() - 1]);
    let (height, width) = top.output();
    let input = numbers(bottom.size.0 * bottom.size.1 * bottom.shape.channels_in, 3);
    let mut input: Vec<f32> = input.collect();
    if broken {
        let middle = input.len() / 2;
        input[middle] = f32::NAN;
    }
    let gradient = numbers(height * width * CHANNELS, 7);
    (input, gradient.collect())
}

/// What a device makes of them.
fn computed(device: &Device, precision: Precision) -> Result<Vec<f32>> {
    let mut parts: Vec<Tensor<1>> = Vec::new();
    for (_, chain) in chains() {
        let (map, gradient) = through(&chain, device, precision, false)?;
        parts.extend([map, gradient].map(|values| {
            let count = values.shape().num_elements();
            values.permute([0, 2, 3, 1]).reshape([count])
        }));
    }
    let rows = parts[0].clone().reshape([-1, CHANNELS as i32]);
    let sums = rows.clone().sum_dim(0).reshape([CHANNELS]);
    // Clipped, so that sums of products are exact.
    let rows = rows.clamp(0.0, 8.0);
    let gram = rows.clone().transpose().matmul(rows);
    parts.push(gram.reshape([CHANNELS * CHANNELS]));
    parts.push(sums);
    for (_, chain) in chains() {
        let (map, _) = through(&chain, device, precision, true)?;
        let count = map.shape().num_elements();
        parts.push(map.permute([0, 2, 3, 1]).reshape([count]));
    }
    read(Tensor::cat(parts, 0))
}

/// A chain's features, and the gradient at its bottom. If `broken`, one number of the input is NaN.
fn through(
    chain: &[Known],
    device: &Device,
    precision: Precision,
    broken: bool,
) -> Result<(Tensor<4>, Tensor<4>)> {
    let (input, gradient) = ends(chain, broken);
    let (bottom, top) = (&chain[0].case, &chain[chain.len() - 1]);
    let layers: Vec<Weighted> = chain.iter().flat_map(Known::layers).collect();
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

/// A part of what is compared: its name, where it is, and the largest error that is allowed. In a part
/// without one a NaN went in: where NaN is expected, no number may be found, and the rest is free.
struct Part {
    what: String,
    range: Range<usize>,
    allowed: Option<f64>,
}

/// The same as [`computed`], exactly, on the host, and its parts.
fn expected() -> (Vec<f64>, Vec<Part>) {
    let (mut all, mut parts) = (Vec::new(), Vec::new());
    let mut put = |what: String, values: &[f64], allowed: Option<f64>| {
        let start = all.len();
        all.extend_from_slice(values);
        parts.push(Part {
            what,
            range: start..all.len(),
            allowed,
        });
    };
    let share = |values: &[f64]| {
        let sizes = values.iter().map(|value| value.abs());
        Some(TOLERANCE * sizes.fold(0.0, f64::max))
    };
    let mut rows = Vec::new();
    for (what, chain) in chains() {
        let (map, gradient) = summed(&chain, false);
        put(what.into(), &map, share(&map));
        put(
            format!("the gradient of {what}"),
            &gradient,
            share(&gradient),
        );
        if rows.is_empty() {
            rows = map;
        }
    }
    let clipped: Vec<f64> = rows.iter().map(|value| value.min(8.0)).collect();
    let mut gram = vec![0.0; CHANNELS * CHANNELS];
    let mut sums = vec![0.0; CHANNELS];
    for (row, clipped) in rows.chunks(CHANNELS).zip(clipped.chunks(CHANNELS)) {
        for a in 0..CHANNELS {
            sums[a] += row[a];
            for b in 0..CHANNELS {
                gram[a * CHANNELS + b] += clipped[a] * clipped[b];
            }
        }
    }
    // Less than half of a quarter tells multiples of it apart; no precision rounds these factors.
    put("a product of matrices".into(), &gram, Some(0.1));
    put("a sum".into(), &sums, share(&sums));
    for (what, chain) in chains() {
        put(format!("{what} of NaN"), &summed(&chain, true).0, None);
    }
    (all, parts)
}

/// A chain's features and the gradient at its bottom, as the definition reads.
fn summed(chain: &[Known], broken: bool) -> (Vec<f64>, Vec<f64>) {
    let (input, gradient) = ends(chain, broken);
    let mut map: Vec<f64> = input.into_iter().map(f64::from).collect();
    let mut gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
    let mut features = Vec::new();
    for layer in chain {
        let sums = layer.case.forward(&layer.parameters, &map);
        // Not `max`, which would lose a NaN.
        map = sums
            .into_iter()
            .map(|sum| if sum < 0.0 { 0.0 } else { sum })
            .collect();
        features.push(map.clone());
        if layer.pooled {
            map = layer.case.averages(&map);
        }
    }
    for (layer, features) in chain.iter().rev().zip(features.iter().rev()) {
        if layer.pooled {
            gradient = layer.case.spread(&gradient);
        }
        gradient = relu_backward(gradient, features);
        gradient = layer.case.gradient(&layer.parameters, &gradient);
    }
    (map, gradient)
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
        with(|_| {}).unwrap();
        type Change = fn(&mut Vec<f32>);
        let changes: [(Change, &str); 9] = [
            (|values| values[17] += 1.0, "a convolution"),
            (|values| values[0] = f32::NAN, "a convolution"),
            (
                |values| values[3168 + 5] += 1.0,
                "the gradient of a convolution",
            ),
            (|values| values[2 * 3168] += 1.0, "a first layer"),
            (
                |values| values[2 * 3168 + 30 * 32] -= 1.0,
                "the gradient of a first layer",
            ),
            (
                |values| values[2 * 3168 + 30 * 32 + 360 + 5] -= 1.0,
                "a product of matrices",
            ),
            (
                |values| values[2 * 3168 + 30 * 32 + 360 + 1024 + 31] = f32::INFINITY,
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

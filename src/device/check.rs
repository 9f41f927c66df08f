//! A small computation whose result is known: can this device be trusted?

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::{list, name_of};
use crate::backend::{guarded, read};
use crate::error::{Error, Result};
use crate::kernels::{Convolution, ConvolutionShape, Engine, Padding, Parameters, Precision};

/// Channels, height and width of the map that is computed: more than a vector, not a multiple of
/// any tile.
const CHANNELS: usize = 32;
const HEIGHT: usize = 11;
const WIDTH: usize = 9;
/// Keeps sums of whole numbers from zero, where rounding decides what a rectifier passes.
const BIAS: f32 = 0.5;
const MAP: usize = CHANNELS * HEIGHT * WIDTH;

/// Computes a rectified convolution and its gradient, by the kernels that runs go through, a product
/// of matrices and a sum on `device`, and compares them with the same on the host.
///
/// All values are multiples of a quarter, so that what rounding there is stays far from the next
/// one: whatever differs is wrong. Takes milliseconds, and where shaders have to be
/// compiled first, as long as that.
///
/// # Errors
///
/// [`Error::WrongResults`] naming adapter and driver, also for a device that fails to compute.
pub fn check(device: &Device) -> Result<()> {
    verified(device, computed)
}

/// What a device makes of the known input.
fn computed(device: &Device) -> Result<Vec<f32>> {
    let shape = ConvolutionShape {
        channels_in: CHANNELS,
        channels_out: CHANNELS,
        kernel: 3,
        stride: 1,
        padding: 1,
        mode: Padding::Zero,
        rectified: true,
    };
    let parameters = Arc::new(Parameters {
        weight: weight(),
        bias: vec![BIAS; CHANNELS],
    });
    let convolution = Convolution::new(shape, Arc::new(move || Arc::clone(&parameters)));
    let engine = Engine::new(device, Precision::default());
    let enter = |values: Vec<f32>| {
        let data = TensorData::new(values, [1, CHANNELS, HEIGHT, WIDTH]);
        engine.enter(Tensor::from_data(data, device))
    };
    let (map, step) = engine.convolve(&convolution, &enter(input())?, false, true);
    let map = engine.leave(map);
    let gradient = match step {
        Some(step) => {
            let top = engine.start(enter(gradient())?, &step);
            engine.leave(engine.convolve_gradient(&convolution, top, &step, None, None))
        }
        None => map.zeros_like(),
    };
    let rows = map.clone().reshape([CHANNELS, HEIGHT * WIDTH]);
    // The map's values are clipped, so that sums of their products are exact.
    let rows = rows.clamp(0.0, 8.0);
    let gram = rows.clone().matmul(rows.transpose());
    let sums = map.clone().sum_dim(3).sum_dim(2);
    let parts = [
        map.reshape([MAP]),
        gradient.reshape([MAP]),
        gram.reshape([CHANNELS * CHANNELS]),
        sums.reshape([CHANNELS]),
    ];
    read(Tensor::<1>::cat(parts.to_vec(), 0))
}

fn verified(device: &Device, compute: impl FnOnce(&Device) -> Result<Vec<f32>>) -> Result<()> {
    let reason = match guarded(|| compute(device)) {
        Err(error) => error.to_string(),
        Ok(found) => match difference(&found, &expected()) {
            None => return Ok(()),
            Some(reason) => reason,
        },
    };
    let name = name_of(device);
    let known = list().into_iter().find(|info| info.name == name);
    let adapter = known.map_or_else(String::new, |info| {
        format!("{}, {}", info.adapter, info.driver)
    });
    Err(Error::WrongResults {
        name,
        adapter,
        reason,
    })
}

/// What is wrong with what a device computed.
fn difference(found: &[f32], expected: &[f32]) -> Option<String> {
    if found.len() != expected.len() {
        let (found, expected) = (found.len(), expected.len());
        return Some(format!("{found} values instead of {expected}"));
    }
    let gram = 2 * MAP..2 * MAP + CHANNELS * CHANNELS;
    let parts = [
        ("a convolution", 0..MAP),
        ("the gradient of a convolution", MAP..2 * MAP),
        ("a product of matrices", gram.clone()),
        ("a sum", gram.end..expected.len()),
    ];
    for (what, range) in parts {
        let pairs = found[range.clone()].iter().zip(&expected[range]);
        // Multiples of a quarter: less than half of one tells them apart, and NaN from any.
        let mut wrong = pairs.filter(|(found, expected)| {
            let apart = (*found - *expected).abs();
            apart.is_nan() || apart >= 0.1
        });
        if let Some((found, expected)) = wrong.next() {
            let count = 1 + wrong.count();
            return Some(format!(
                "{what} has {found} for {expected}, {count} values are wrong"
            ));
        }
    }
    None
}

/// Whole numbers of -2 to 2 in no order.
fn numbers(count: usize, step: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| ((i * step + i / 7) % 5) as f32 - 2.0)
}

fn input() -> Vec<f32> {
    numbers(MAP, 3).collect()
}

fn gradient() -> Vec<f32> {
    numbers(MAP, 7).collect()
}

/// Mostly zeros, so that sums stay small.
fn weight() -> Vec<f32> {
    let all = numbers(CHANNELS * CHANNELS * 9, 11).enumerate();
    all.map(|(i, value)| if i % 13 == 0 { value } else { 0.0 })
        .collect()
}

/// The same as [`computed`], exactly, on the host.
fn expected() -> Vec<f32> {
    let (input, weight, above) = (input(), weight(), gradient());
    let mut map = vec![0.0; MAP];
    let mut gradient = vec![0.0; MAP];
    for output in 0..CHANNELS {
        for pixel in 0..HEIGHT * WIDTH {
            let place = output * HEIGHT * WIDTH + pixel;
            let mut sum = BIAS;
            each_term(output, pixel, |from, weight_of| {
                sum += input[from] * weight[weight_of]
            });
            if sum > 0.0 {
                map[place] = sum;
                each_term(output, pixel, |from, weight_of| {
                    gradient[from] += above[place] * weight[weight_of];
                });
            }
        }
    }
    let row = |channel: usize| &map[channel * HEIGHT * WIDTH..][..HEIGHT * WIDTH];
    let mut gram = Vec::with_capacity(CHANNELS * CHANNELS);
    for a in 0..CHANNELS {
        for b in 0..CHANNELS {
            let pairs = row(a).iter().zip(row(b));
            gram.push(pairs.map(|(a, b)| a.min(8.0) * b.min(8.0)).sum());
        }
    }
    let sums: Vec<f32> = (0..CHANNELS)
        .map(|channel| row(channel).iter().sum())
        .collect();
    [map, gradient, gram, sums].concat()
}

/// The terms of one sum: places in the input, and in the weights.
fn each_term(output: usize, pixel: usize, mut term: impl FnMut(usize, usize)) {
    let (y, x) = (pixel / WIDTH, pixel % WIDTH);
    for channel in 0..CHANNELS {
        for tap in 0..9 {
            let (row, column) = (y + tap / 3, x + tap % 3);
            if (1..=HEIGHT).contains(&row) && (1..=WIDTH).contains(&column) {
                let from = (channel * HEIGHT + row - 1) * WIDTH + column - 1;
                term(from, (output * CHANNELS + channel) * 9 + tap);
            }
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn the_reference_device_passes() {
        check(&Device::flex()).unwrap();
        let expected = expected();
        assert!(expected.iter().filter(|value| **value > 0.0).count() > expected.len() / 3);
        // Quarters that f32 adds up without rounding.
        assert!(
            expected
                .iter()
                .all(|value| (4.0 * value).fract() == 0.0 && value.abs() < 65536.0)
        );
    }

    #[test]
    fn a_device_that_computes_wrong_results_is_refused_by_name() {
        let device = Device::flex();
        let with = |change: fn(&mut Vec<f32>)| {
            verified(&device, |device| {
                let mut values = computed(device)?;
                change(&mut values);
                Ok(values)
            })
        };
        with(|_| {}).unwrap();
        assert_eq!(MAP, 3168);
        type Change = fn(&mut Vec<f32>);
        let changes: [(Change, &str); 6] = [
            (|values| values[17] += 1.0, "a convolution"),
            (|values| values[0] = f32::NAN, "a convolution"),
            (
                |values| values[MAP + 5] += 1.0,
                "the gradient of a convolution",
            ),
            (|values| values[2 * MAP + 5] -= 1.0, "a product of matrices"),
            (
                |values| *values.last_mut().unwrap() = f32::INFINITY,
                "a sum",
            ),
            (|values| values.truncate(9), "9 values"),
        ];
        for (change, named) in changes {
            match with(change) {
                Err(Error::WrongResults {
                    name,
                    adapter,
                    reason,
                }) => {
                    assert_eq!(name, "flex");
                    assert!(adapter.contains("threads"), "{adapter}");
                    assert!(reason.contains(named), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        let failing = verified(&device, |_| panic!("as Burn does when a device is lost"));
        assert!(
            matches!(failing, Err(Error::WrongResults { reason, .. }) if reason.contains("device is lost"))
        );
    }
}

//! A small computation whose result is known: can this device be trusted?

use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::{guarded, list, name_of, read};
use crate::error::{Error, Result};

/// Channels, height and width of the map that is computed: more than a vector, not a multiple of
/// any tile.
const CHANNELS: usize = 32;
const HEIGHT: usize = 11;
const WIDTH: usize = 9;

/// Computes a rectified convolution, a product of matrices and a sum on `device`, and compares them
/// with the same on the host.
///
/// All values are small whole numbers, which even half precision and TF32 multiply without rounding
/// and f32 adds up so: whatever differs is wrong. Takes milliseconds, and where shaders have to be
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
    let input = Tensor::<4>::from_data(
        TensorData::new(input(), [1, CHANNELS, HEIGHT, WIDTH]),
        device,
    );
    let weight = Tensor::<4>::from_data(
        TensorData::new(weight(), [CHANNELS, CHANNELS, 3, 3]),
        device,
    );
    let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
    let map = relu(conv2d(input, weight, None, options));
    let rows = map.clone().reshape([CHANNELS, HEIGHT * WIDTH]);
    // The map's values are clipped, so that their products stay whole.
    let rows = rows.clamp(0.0, 8.0);
    let gram = rows.clone().matmul(rows.transpose());
    let sums = map.clone().sum_dim(3).sum_dim(2);
    let parts = [
        map.reshape([CHANNELS * HEIGHT * WIDTH]),
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
    let map = CHANNELS * HEIGHT * WIDTH;
    let parts = [
        ("a convolution", 0..map),
        ("a product of matrices", map..map + CHANNELS * CHANNELS),
        ("a sum", map + CHANNELS * CHANNELS..expected.len()),
    ];
    for (what, range) in parts {
        let pairs = found[range.clone()].iter().zip(&expected[range]);
        // Whole numbers: half a unit tells them apart, and NaN from any.
        let mut wrong = pairs.filter(|(found, expected)| {
            let apart = (*found - *expected).abs();
            apart.is_nan() || apart >= 0.5
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
    numbers(CHANNELS * HEIGHT * WIDTH, 3).collect()
}

/// Mostly zeros, so that sums stay small.
fn weight() -> Vec<f32> {
    let all = numbers(CHANNELS * CHANNELS * 9, 11).enumerate();
    all.map(|(i, value)| if i % 13 == 0 { value } else { 0.0 })
        .collect()
}

/// The same as [`computed`], in whole numbers on the host.
fn expected() -> Vec<f32> {
    let (input, weight) = (input(), weight());
    let mut map = Vec::with_capacity(CHANNELS * HEIGHT * WIDTH);
    for output in 0..CHANNELS {
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let mut sum = 0.0;
                for channel in 0..CHANNELS {
                    for tap in 0..9 {
                        let (row, column) = (y + tap / 3, x + tap % 3);
                        let inside = (1..=HEIGHT).contains(&row) && (1..=WIDTH).contains(&column);
                        if inside {
                            let place = (channel * HEIGHT + row - 1) * WIDTH + column - 1;
                            sum += input[place] * weight[(output * CHANNELS + channel) * 9 + tap];
                        }
                    }
                }
                map.push(f32::max(sum, 0.0));
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
    [map, gram, sums].concat()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn the_reference_device_passes() {
        check(&Device::flex()).unwrap();
        let expected = expected();
        assert!(expected.iter().filter(|value| **value > 0.0).count() > expected.len() / 3);
        // Whole numbers that f32 adds up without rounding.
        assert!(
            expected
                .iter()
                .all(|value| value.fract() == 0.0 && value.abs() < 65536.0)
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
        let map = CHANNELS * HEIGHT * WIDTH;
        assert_eq!(map, 3168);
        type Change = fn(&mut Vec<f32>);
        let changes: [(Change, &str); 5] = [
            (|values| values[17] += 1.0, "a convolution"),
            (|values| values[0] = f32::NAN, "a convolution"),
            (|values| values[3168 + 5] -= 1.0, "a product of matrices"),
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

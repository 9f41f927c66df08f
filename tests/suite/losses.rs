//! Losses: values by hand, and gradients against differences of values.

use crate::common::{assert_close, flex, gpu_device, picture, values};
use burn::tensor::{DType, Device, Tensor, TensorData};
use ranvgg::Gram;
use ranvgg::loss::{
    Content, Covariance, Custom, Loss, Mean, Region, TotalVariation, Wasserstein,
    moments_of_mixture,
};

/// A small map `[1, C, H, W]` in f64.
fn map(shape: [usize; 4], phase: f64) -> Tensor<4> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f64> = (0..count)
        .map(|i| (i as f64 * 1.7 + phase).sin() + 0.3)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), (&flex(), DType::F64))
}

/// Central differences of a loss at every component of a map.
fn differences(loss: &dyn Loss, at: &Tensor<4>) -> Vec<f32> {
    let step = 1e-5;
    let shape = at.dims();
    let values: Vec<f64> = at.clone().try_into_vec_as().unwrap();
    let value = |values: Vec<f64>| -> f64 {
        let map = Tensor::from_data(TensorData::new(values, shape), (&flex(), DType::F64));
        loss.measure(&mut map.into(), 1.0)
            .unwrap()
            .value
            .try_into_scalar()
            .unwrap()
    };
    (0..values.len())
        .map(|i| {
            let moved = |by: f64| {
                let mut moved = values.clone();
                moved[i] += by;
                value(moved)
            };
            ((moved(step) - moved(-step)) / (2.0 * step)) as f32
        })
        .collect()
}

fn content_of(region: &Region, map: Tensor<4>) -> Content {
    Content::of(region.gather(map).unwrap()).unwrap()
}

#[test]
fn a_region_measures_its_positions_and_no_others() {
    // Rows of a map of two channels: positions 0 and 2 of three are chosen.
    let map = Tensor::<4>::from_floats([[[[1.0, 7.0, 3.0]], [[2.0, 9.0, 6.0]]]], &flex());
    let mask = Tensor::<2>::from_floats([[1.0, 0.49, 0.5]], &flex());
    let region = Region::of(mask).unwrap();
    assert!((region.share() - 2.0 / 3.0).abs() < 1e-12);
    let gathered = region.gather(map.clone()).unwrap();
    assert_eq!(gathered.dims(), [1, 2, 1, 2]);
    assert_eq!(values(gathered), [1.0, 3.0, 2.0, 6.0]);

    // Means 2 and 4 against 0 and 0: (4 + 16) / (2 N), and a gradient of the mean over N M.
    let target = Mean::of(Tensor::<4>::zeros([1, 2, 1, 1], &flex())).unwrap();
    let measured = region
        .restrict(target)
        .measure(&mut map.clone().into(), 1.0)
        .unwrap();
    assert_eq!(values(measured.value), [5.0]);
    let gradient = values(measured.gradient.at(map.clone().into()).unwrap());
    assert_eq!(gradient, [0.5, 0.0, 0.5, 1.0, 0.0, 1.0]);

    let none = Region::of(Tensor::<2>::zeros([2, 2], &flex()));
    assert!(none.unwrap_err().to_string().contains("at least one"));
    let other = region.gather(Tensor::zeros([1, 2, 2, 3], &flex()));
    assert!(
        other
            .unwrap_err()
            .to_string()
            .contains("[1, channels, 1, 3]")
    );
}

#[test]
fn every_loss_has_the_gradient_of_its_value() {
    let at = map([1, 3, 4, 5], 0.0);
    let custom = Custom::new(|map: Tensor<4>| (map.clone().square() * map).sum());
    let diagonal = Tensor::<2>::from_floats(
        [
            [1.0, 0.0, 0.0, 0.2, 0.0],
            [0.0, 0.9, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.5, 0.0, 0.0],
            [0.4, 0.0, 0.0, 1.0, 0.0],
        ],
        &flex(),
    );
    let region = Region::of(diagonal).unwrap();
    let losses: [(&str, Box<dyn Loss>); 10] = [
        ("mean", Box::new(Mean::of(map([1, 3, 6, 2], 1.0)).unwrap())),
        (
            "covariance",
            Box::new(Covariance::of(map([1, 3, 6, 2], 1.0)).unwrap()),
        ),
        (
            "covariance, whitened",
            Box::new(
                Covariance::of(map([1, 3, 6, 2], 1.0))
                    .and_then(|target| target.partially_whitened(0.5))
                    .unwrap(),
            ),
        ),
        (
            "content",
            Box::new(Content::of(map([1, 3, 4, 5], 1.0)).unwrap()),
        ),
        ("gram", Box::new(Gram::of(map([1, 3, 4, 5], 1.0)).unwrap())),
        (
            "gram of another size",
            Box::new(Gram::of(map([1, 3, 7, 2], 2.0)).unwrap()),
        ),
        ("total variation", Box::new(TotalVariation)),
        ("custom", Box::new(custom)),
        (
            "covariance of a region",
            Box::new(region.restrict(Covariance::of(map([1, 3, 6, 2], 1.0)).unwrap())),
        ),
        (
            "content of a region",
            Box::new(region.restrict(content_of(&region, map([1, 3, 4, 5], 1.0)))),
        ),
    ];
    for (name, loss) in losses {
        let gradient = values(
            loss.measure(&mut at.clone().into(), 1.0)
                .unwrap()
                .gradient
                .at(at.clone().into())
                .unwrap(),
        );
        assert_close(name, &gradient, &differences(&*loss, &at), 1e-6);
    }
}

/// Two independent channels of variances 4 and 1, so that everything can be done by hand.
#[test]
fn whitening_weighs_directions_by_their_variance() {
    let rows = |a: f32, b: f32| {
        let data = [[[[a, a, -a, -a]], [[b, -b, b, -b]]]];
        Tensor::<4>::from_floats(data, &flex())
    };
    // Mean variance 2.5; f = 0.01 + 3 * 2 / 4 = 1.51. Variances in units of the mean plus f: 3.11
    // and 1.91.
    let measured = |exponent: f64, a: f32, b: f32| -> f32 {
        let target = Covariance::of(rows(2.0, 1.0)).unwrap();
        let target = target.partially_whitened(exponent).unwrap();
        let measured = target.measure(&mut rows(a, b).into(), 1.0).unwrap();
        measured.value.into_scalar::<f32>()
    };
    for (exponent, a, b, expected) in [
        (0.0, 2.0, 2.0, 9.0 / 16.0),
        (0.0, 3.0, 1.0, 25.0 / 16.0),
        (0.5, 2.0, 2.0, 9.0 / 1.91 / 16.0),
        (0.5, 3.0, 1.0, 25.0 / 3.11 / 16.0),
        (1.0, 2.0, 2.0, 9.0 / (1.91 * 1.91) / 16.0),
        (1.0, 2.0, 1.0, 0.0),
    ] {
        let found = f64::from(measured(exponent, a, b));
        assert!(
            (found - expected).abs() < 1e-5,
            "{exponent} {a} {b}: {found}"
        );
    }
    let target = Covariance::of(rows(2.0, 1.0)).unwrap();
    for exponent in [-0.1, 1.1, f64::NAN] {
        let refused = target.clone().partially_whitened(exponent);
        assert!(refused.unwrap_err().to_string().contains("0 to 1"));
    }
    // Nothing varies: the plain distance.
    let flat = Covariance::of(rows(0.0, 0.0)).unwrap();
    let flat = flat.partially_whitened(1.0).unwrap();
    let value = flat.measure(&mut rows(2.0, 0.0).into(), 1.0).unwrap().value;
    assert_eq!(values(value), [1.0]);
}

/// The definition, in f64, with a sort of its own.
fn naive_wasserstein(target: &Wasserstein, of: &Tensor<4>, at: &Tensor<4>) -> (f64, Vec<f32>) {
    let [channels, count] = target.directions().dims();
    let directions = values(target.directions().clone());
    // Channels last, as rows.
    let rows = |map: &Tensor<4>| -> Vec<Vec<f64>> {
        let flat = values(map.clone().permute([0, 2, 3, 1]));
        let rows = flat.chunks(channels);
        rows.map(|row| row.iter().map(|v| f64::from(*v)).collect())
            .collect()
    };
    let (of, at) = (rows(of), rows(at));
    let positions = at.len();
    let (mut value, mut gradient) = (0.0, vec![vec![0.0; channels]; positions]);
    for k in 0..count {
        let direction: Vec<f64> = (0..channels)
            .map(|n| f64::from(directions[n * count + k]))
            .collect();
        let along = |row: &Vec<f64>| row.iter().zip(&direction).map(|(a, b)| a * b).sum::<f64>();
        let mut sorted: Vec<f64> = of.iter().map(along).collect();
        sorted.sort_by(f64::total_cmp);
        let mut order: Vec<usize> = (0..positions).collect();
        order.sort_by(|a, b| along(&at[*a]).total_cmp(&along(&at[*b])));
        for (rank, place) in order.into_iter().enumerate() {
            let wanted = (rank as f64 + 0.5) / positions as f64 * sorted.len() as f64 - 0.5;
            let wanted = wanted.clamp(0.0, (sorted.len() - 1) as f64);
            let (low, share) = (wanted.floor() as usize, wanted.fract());
            let high = (low + 1).min(sorted.len() - 1);
            let difference = along(&at[place]) - sorted[low] * (1.0 - share) - sorted[high] * share;
            value += difference * difference / 2.0;
            for (sum, d) in gradient[place].iter_mut().zip(&direction) {
                *sum += difference * d;
            }
        }
    }
    let scale = 1.0 / (count * positions) as f64;
    // Back to channels first.
    let gradient = (0..channels)
        .flat_map(|n| gradient.iter().map(move |row| (row[n] * scale) as f32))
        .collect();
    (value * scale, gradient)
}

#[test]
fn distributions_are_compared_in_sorted_order() {
    for device in [Some(flex()), gpu_device().map(|(_, device)| device)] {
        let Some(device) = device else { continue };
        let at = picture(5, 7, 0.0, &device);
        for of in [picture(5, 7, 1.0, &device), picture(3, 4, 2.0, &device)] {
            let target = Wasserstein::of(of.clone(), 8).unwrap();
            let measured = target.measure(&mut at.clone().into(), 2.0).unwrap();
            let gradient = measured.gradient.at(at.clone().into()).unwrap();
            let (value, expected) = naive_wasserstein(&target, &of, &at);
            assert_close(
                "value",
                &values(measured.value),
                &[2.0 * value as f32],
                1e-5,
            );
            let expected: Vec<f32> = expected.iter().map(|v| 2.0 * v).collect();
            assert_close("gradient", &values(gradient), &expected, 1e-5);
        }
        // The same colours elsewhere are the same distribution.
        let turned = at.clone().flip([2, 3]);
        let target = Wasserstein::of(at.clone(), 8).unwrap();
        let measured = target.measure(&mut turned.into(), 1.0).unwrap();
        assert!(values(measured.value)[0] < 1e-12);
        assert!(Wasserstein::of(at.clone(), 0).is_err());
        let four = Tensor::<4>::zeros([1, 4, 2, 2], &device);
        assert!(target.measure(&mut four.into(), 1.0).is_err());
    }
}

/// A GPU sorts by kernels of its own: in one tile of 2048 positions, in several, with ties, against targets
/// that are shorter and longer. The CPU is compared with sums in f64 above.
#[test]
fn a_gpu_measures_distributions_as_the_cpu_does() {
    let Some((name, gpu)) = gpu_device() else {
        return;
    };
    // Nine shades: most positions tie with others.
    let shades = |map: Tensor<4>| (map * 8.0).round() / 8.0;
    for (at, of) in [
        ((1, 1), (1, 1)),
        ((1, 1), (5, 7)),
        ((31, 33), (1, 1)),
        ((32, 64), (64, 32)),
        ((61, 47), (61, 47)),
        ((61, 47), (9, 5)),
        ((50, 83), (97, 71)),
    ] {
        for tied in [false, true] {
            let measured = |device: &Device| {
                let map = |(height, width), phase| {
                    let map = picture(height, width, phase, device);
                    if tied { shades(map) } else { map }
                };
                let target = Wasserstein::of(map(of, 1.0), 8).unwrap();
                let at = map(at, 0.0);
                let measured = target.measure(&mut at.clone().into(), 2.0).unwrap();
                let gradient = measured.gradient.at(at.into()).unwrap();
                (values(measured.value), values(gradient))
            };
            let (value, gradient) = measured(&gpu);
            let (expected_value, expected) = measured(&flex());
            let what = format!("{at:?} of {of:?}, tied {tied}, {name}");
            assert_close(&what, &value, &expected_value, 1e-5);
            // Projections that round otherwise may rank neighbours otherwise, which swaps their quantiles.
            // Equal ones are all neighbours: with ties the gradients are compared by their sums alone.
            if tied {
                let sums = |gradient: &[f32]| -> Vec<f32> {
                    let channels = gradient.chunks(gradient.len() / 3);
                    channels.map(|values| values.iter().sum()).collect()
                };
                assert_close(&what, &sums(&gradient), &sums(&expected), 1e-4);
            } else {
                assert_close(&what, &gradient, &expected, 3e-4);
            }
        }
    }
}

/// Two maps of one size with equal shares are one map of both side by side; a share of zero leaves
/// the other alone.
#[test]
fn a_mixture_is_its_maps_side_by_side() {
    let (a, b) = (map([1, 3, 4, 5], 0.0), map([1, 3, 4, 5], 2.0));
    let both = Tensor::cat(vec![a.clone(), b.clone()], 3);
    let at = map([1, 3, 6, 2], 1.0);
    let value = |loss: &dyn Loss| {
        let measured = loss.measure(&mut at.clone().into(), 1.0).unwrap();
        values(measured.value)[0]
    };
    let parts = || [(a.clone(), 0.5), (b.clone(), 0.5)];
    let (mean, covariance) = moments_of_mixture(parts()).unwrap();
    let close = |what: &str, mixed: f32, whole: f32, tolerance: f32| {
        println!("{what} {mixed} {whole}");
        assert!(
            (mixed - whole).abs() <= tolerance * whole,
            "{what} {mixed} {whole}"
        );
    };
    let whole = Mean::of(both.clone()).unwrap();
    close("mean", value(&mean), value(&whole), 1e-5);
    let whole = Covariance::of(both.clone()).unwrap();
    close("covariance", value(&covariance), value(&whole), 1e-5);
    let whitened = |covariance: Covariance| value(&covariance.partially_whitened(0.5).unwrap());
    close("whitened", whitened(covariance), whitened(whole), 1e-5);
    let gram = Gram::of_mixture(parts()).unwrap();
    close(
        "gram",
        value(&gram),
        value(&Gram::of(both.clone()).unwrap()),
        1e-5,
    );
    // A mixture keeps as many quantiles as its largest map has positions, half of those of both.
    let mixed = Wasserstein::of_mixture(parts(), 16).unwrap();
    let whole = Wasserstein::of(both, 16).unwrap();
    close("distribution", value(&mixed), value(&whole), 0.05);
    let one = [(a.clone(), 1.0), (b, 0.0)];
    let alone = Wasserstein::of(a.clone(), 16).unwrap();
    close(
        "one",
        value(&Wasserstein::of_mixture(one, 16).unwrap()),
        value(&alone),
        1e-5,
    );
    let nothing: [(Tensor<4>, f64); 0] = [];
    assert!(Gram::of_mixture(nothing.clone()).is_err());
    assert!(moments_of_mixture(nothing.clone()).is_err());
    assert!(Wasserstein::of_mixture(nothing, 16).is_err());
    let unlike = [(a, 0.5), (map([1, 2, 4, 5], 0.0), 0.5)];
    assert!(Wasserstein::of_mixture(unlike.clone(), 16).is_err());
    assert!(moments_of_mixture(unlike.clone()).is_err());
    assert!(Gram::of_mixture(unlike).is_err());
}

#[test]
fn losses_of_one_pixel_and_one_row_are_finite() {
    for shape in [[1, 2, 1, 1], [1, 2, 1, 6], [1, 2, 6, 1]] {
        let at = map(shape, 0.0);
        let gradient = values(
            TotalVariation
                .measure(&mut at.clone().into(), 1.0)
                .unwrap()
                .gradient
                .at(at.clone().into())
                .unwrap(),
        );
        assert_eq!(gradient.len(), at.dims().iter().product::<usize>());
        assert!(gradient.iter().all(|value| value.is_finite()));
        assert!(
            values(Gram::of(at).unwrap().matrix().clone())
                .iter()
                .all(|value| value.is_finite())
        );
    }
}

#[test]
fn values_by_hand() {
    // F = (1, 3), F0 = (0, 1): (1 + 4) / (2 * 1 * 2) = 1.25.
    let row = |values: [f32; 2]| Tensor::<4>::from_floats([[[values]]], &flex());
    let content = Content::of(row([0.0, 1.0]))
        .unwrap()
        .measure(&mut row([1.0, 3.0]).into(), 1.0)
        .unwrap();
    assert_eq!(values(content.value), [1.25]);
    // G(1, 3) = (1 + 9) / 2 = 5, G(0, 1) = 0.5: 4.5^2 / 4 = 5.0625.
    let gram = Gram::of(row([0.0, 1.0]))
        .unwrap()
        .measure(&mut row([1.0, 3.0]).into(), 1.0)
        .unwrap();
    assert_eq!(values(gram.value), [5.0625]);
    // Means 2 and 0.5: 1.5^2 / 2 = 1.125. Variances 1 and 0.25: 0.75^2 / 4 = 0.140625.
    let mean = Mean::of(row([0.0, 1.0]))
        .unwrap()
        .measure(&mut row([1.0, 3.0]).into(), 1.0)
        .unwrap();
    assert_eq!(values(mean.value), [1.125]);
    let covariance = Covariance::of(row([0.0, 1.0])).unwrap();
    assert_eq!(
        values(
            covariance
                .measure(&mut row([1.0, 3.0]).into(), 1.0)
                .unwrap()
                .value
        ),
        [0.140_625]
    );
    // (3 - 1)^2 = 4, gradient (-4, 4).
    let variation = TotalVariation
        .measure(&mut row([1.0, 3.0]).into(), 1.0)
        .unwrap();
    assert_eq!(values(variation.value), [4.0]);
    let gradient = variation.gradient.at(row([1.0, 3.0]).into()).unwrap();
    assert_eq!(values(gradient), [-4.0, 4.0]);
}

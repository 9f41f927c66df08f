//! Chains of layers whose exact results are known.

use std::ops::Range;
use std::sync::Arc;

use crate::engine::reference::{Case, relu_backward};
use crate::engine::{LazyParameters, Padding, Parameters, Pool, Pooling, Weighted};

/// Channels of the maps that are computed: as many as the kernels of matrix products take.
pub(super) const CHANNELS: usize = 64;
/// Largest error, as a share of the largest value: above what TF32 and f16 round, far below what a
/// wrong kernel makes of anything.
const TOLERANCE: f64 = 4e-3;

/// A convolution with its ReLU, and whether average pooling follows.
pub(super) struct KnownLayer {
    pub(super) case: Case,
    parameters: Arc<Parameters>,
    pooled: bool,
}

impl KnownLayer {
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

    pub(super) fn layers(&self) -> Vec<Weighted> {
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

    /// Height and width of the output.
    pub(super) fn output(&self) -> (usize, usize) {
        let (height, width) = self.case.size;
        match self.pool() {
            Some(pool) => pool.output(height, width),
            None => (height, width),
        }
    }
}

/// Two chains. One is a wide layer of a size that no tile divides. The other is the first layer of an image
/// and a layer with average pooling, with the padding that networks have by default.
pub(super) fn chains() -> [(&'static str, Vec<KnownLayer>); 2] {
    let wide = (CHANNELS, CHANNELS);
    let alone = Case::with_relu(wide, Padding::Zero, (11, 9));
    let first = Case::with_relu((3, CHANNELS), Padding::Reflect, (12, 10));
    let above = Case::with_relu(wide, Padding::Reflect, (12, 10));
    [
        (
            "a convolution",
            vec![KnownLayer::new(alone, 13, 0.5, false)],
        ),
        (
            "a first layer with one above",
            vec![
                KnownLayer::new(first, 3, 0.5, false),
                KnownLayer::new(above, 13, 0.25, true),
            ],
        ),
    ]
}

/// Whole numbers of -2 to 2 in no order.
fn numbers(count: usize, step: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| ((i * step + i / 7) % 5) as f32 - 2.0)
}

/// The input of a chain and the gradient at its output, `[height, width, channels]`. If `broken`, one value
/// of the input is NaN.
pub(super) fn ends(chain: &[KnownLayer], broken: bool) -> (Vec<f32>, Vec<f32>) {
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

/// A range of the results: its name, and the largest error allowed. Results without an allowed error come
/// from an input with a NaN. Where NaN is expected, a finite number is wrong; the rest is not compared.
pub(super) struct Compared {
    pub(super) what: String,
    pub(super) range: Range<usize>,
    pub(super) allowed: Option<f64>,
}

/// What a device should compute, in f64 on the host, and the parts that are compared.
pub(super) fn expected() -> (Vec<f64>, Vec<Compared>) {
    let (mut all, mut parts) = (Vec::new(), Vec::new());
    let mut put = |what: String, values: &[f64], allowed: Option<f64>| {
        let start = all.len();
        all.extend_from_slice(values);
        parts.push(Compared {
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

/// The features of a chain and its input gradient, as the definition reads.
fn summed(chain: &[KnownLayer], broken: bool) -> (Vec<f64>, Vec<f64>) {
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

//! Properties that hold for whatever shapes, options and names are drawn.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change how many are drawn, and from which seed. A case that
//! failed is kept in `proptest-regressions` and tried first from then on.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use burn::tensor::{DType, Tensor, TensorData};
use proptest::prelude::*;
use ranvgg::loss::{Content, Covariance, Loss, Mean, Region, TotalVariation, Wasserstein};
use ranvgg::network::Preprocessing;
use ranvgg::{
    Architecture, Colours, Error, Gram, IfExists, Layer, Padding, Pooling, Precision, RandomVgg,
    Statistics, StyleStart,
};
use strum::VariantNames;

use crate::common::flex;

/// A map `[1, C, H, W]` in f64.
fn map(shape: [usize; 4], values: Vec<f64>) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), (&flex(), DType::F64))
}

fn numbers(shape: [usize; 4], phase: f64) -> Vec<f64> {
    let count = shape.iter().product::<usize>();
    // An irrational step: no two values are equal.
    let values = (0..count).map(|i| (i as f64 * 1.7 + phase).sin() + 0.3);
    values.collect()
}

/// The kind of loss that sorts.
const SLICED: usize = 4;

/// Which loss, the map that its target comes from, and where it is measured.
#[derive(Debug)]
struct Drawn {
    kind: usize,
    exponent: f64,
    directions: usize,
    in_region: bool,
    chosen: Vec<bool>,
    at: [usize; 4],
    of: [usize; 4],
    phases: (f64, f64),
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let shapes = (1usize..5, 1usize..7, 1usize..7, 1usize..7, 1usize..7);
    let options = (0usize..6, 0f64..1.0, 1usize..5, any::<bool>());
    let chosen = prop::collection::vec(any::<bool>(), 36);
    let phases = (0f64..6.0, 0f64..6.0);
    (shapes, options, chosen, phases).prop_map(
        |((channels, h, w, y, x), options, chosen, phases)| {
            let (kind, exponent, directions, in_region) = options;
            Drawn {
                kind,
                exponent,
                directions,
                in_region,
                chosen,
                at: [1, channels, h, w],
                of: [1, channels, y, x],
                phases,
            }
        },
    )
}

impl Drawn {
    fn loss(&self) -> (Box<dyn Loss>, f64) {
        let target = map(self.of, numbers(self.of, self.phases.0));
        let same = map(self.at, numbers(self.at, self.phases.0));
        let [.., height, width] = self.at;
        let mut mask: Vec<f32> = self
            .chosen
            .iter()
            .map(|chosen| f32::from(u8::from(*chosen)))
            .collect();
        mask.truncate(height * width);
        mask[0] = 1.0;
        let mask = Tensor::from_data(TensorData::new(mask, [height, width]), &flex());
        let region = Region::of(mask).unwrap();
        macro_rules! wanted {
            ($loss:expr) => {
                match self.in_region {
                    true => Box::new(region.restrict($loss)) as Box<dyn Loss>,
                    false => Box::new($loss),
                }
            };
        }
        // Projections are sorted in f32.
        let exact = 1e-6;
        match self.kind {
            0 => (wanted!(Mean::of(target).unwrap()), exact),
            1 => (wanted!(Covariance::of(target).unwrap()), exact),
            2 => {
                let whitened = Covariance::of(target)
                    .unwrap()
                    .partially_whitened(self.exponent);
                // Powers of a covariance are computed in f32.
                (wanted!(whitened.unwrap()), 1e-4)
            }
            3 => (wanted!(Gram::of(target).unwrap()), exact),
            4 => (
                wanted!(Wasserstein::of(target, self.directions).unwrap()),
                2e-2,
            ),
            _ if self.in_region => {
                let content = Content::of(region.gather(same).unwrap()).unwrap();
                (Box::new(region.restrict(content)), exact)
            }
            _ if self.exponent < 0.5 => (Box::new(TotalVariation), exact),
            _ => (Box::new(Content::of(same).unwrap()), exact),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A directional derivative of each loss, by central differences in f64.
    #[test]
    fn losses_descend_as_their_gradients_say(drawn in drawn()) {
        let (loss, tolerance) = drawn.loss();
        let at = numbers(drawn.at, drawn.phases.1);
        let direction = numbers(drawn.at, 4.0);
        let measure = |values: Vec<f64>| loss.measure(&mut map(drawn.at, values).into(), 1.0).unwrap();
        let gradient = measure(at.clone()).gradient;
        let gradient = gradient.at(map(drawn.at, at.clone()).into()).unwrap();
        let gradient: Vec<f64> = gradient.try_into_vec_as().unwrap();
        let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let step = if tolerance < 1e-3 { 1e-4 } else { 1e-3 };
        let value = |step: f64| -> f64 {
            let moved = at.iter().zip(&direction).map(|(x, d)| x + step * d);
            measure(moved.collect()).value.try_into_scalar().unwrap()
        };
        let (before, here, after) = (value(-step), value(0.0), value(step));
        let difference = (after - before) / (2.0 * step);
        let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
        // The second term is for where the gradient nearly vanishes, and the third derivative does not.
        let size = norm(&gradient) * norm(&direction) + 0.05;
        // Where two projections change places a sliced distance has a kink.
        let bend = (after - 2.0 * here + before) / step;
        prop_assume!(drawn.kind != SLICED || bend.abs() <= tolerance * size);
        prop_assert!((difference - slope).abs() <= tolerance * size, "{difference} {slope} {size}");
    }
}

fn read_back<T: FromStr<Err = Error> + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    assert_eq!(value.to_string().parse::<T>().unwrap(), value, "{text}");
    Some(value)
}

/// The same word in other letters, or with a letter more, less or changed.
fn words(of: &'static [&'static str]) -> impl Strategy<Value = (String, bool)> {
    let change = prop_oneof![Just(None), ("[a-z0-9_ -]", 0usize..12).prop_map(Some)];
    (prop::sample::select(of.to_vec()), change).prop_map(|(word, change)| match change {
        None => (word.to_owned(), true),
        Some((letter, at)) => {
            let mut changed = word.to_owned();
            changed.insert_str(at.min(word.len()), &letter);
            (changed, false)
        }
    })
}

macro_rules! names {
    ($($test:ident: $named:ty),*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                /// Its names read back, and what is one letter more is another name or none.
                #[test]
                fn $test((word, whole) in words(<$named>::VARIANTS)) {
                    match read_back::<$named>(&word) {
                        Some(value) => prop_assert_eq!(value.to_string(), word),
                        None => prop_assert!(!whole, "{}", word),
                    }
                }
            )*
        }
    };
}
names! {
    architectures: Architecture,
    paddings: Padding,
    poolings: Pooling,
    precisions: Precision,
    statistics: Statistics,
    colours: Colours,
    starts: StyleStart,
    replacements: IfExists
}

/// Any layer of any network.
fn layers(architecture: Architecture) -> impl Strategy<Value = Layer> {
    prop::sample::select(architecture.layers())
}

fn recipes() -> impl Strategy<Value = RandomVgg> {
    let number = prop_oneof![
        1e-6f64..1e6,
        any::<f64>().prop_filter("finite", |v| v.is_finite())
    ];
    let plain = (
        prop::sample::select(Architecture::ALL.to_vec()),
        prop::sample::select(Padding::ALL.to_vec()),
        prop::sample::select(vec![Pooling::Average, Pooling::Max]),
        any::<u64>(),
        number.clone(),
        number,
    );
    plain.prop_flat_map(|(architecture, padding, pooling, seed, sigma, bias)| {
        let network = RandomVgg::new(architecture)
            .with_padding(padding)
            .with_pooling(pooling)
            .with_seed(seed)
            .with_sigma(sigma)
            .with_bias_sigma(bias);
        let seeds = prop::collection::vec((layers(architecture), any::<u64>()), 0..4);
        let preprocessing = prop_oneof![
            Just(None),
            Just(Some(Preprocessing::torchvision())),
            Just(Some(Preprocessing::caffe()))
        ];
        (Just(network), seeds, preprocessing).prop_map(|(mut network, seeds, preprocessing)| {
            for (layer, seed) in seeds {
                network = network.with_layer_seed(layer, seed);
            }
            match preprocessing {
                Some(preprocessing) => network.with_preprocessing(preprocessing),
                None => network,
            }
        })
    })
}

proptest! {
    #[test]
    fn a_recipe_gives_the_same_network_back(network in recipes()) {
        let recipe = network.to_recipe();
        let again = RandomVgg::from_recipe(&recipe).unwrap();
        prop_assert_eq!(&again, &network);
        prop_assert_eq!(again.to_recipe(), recipe);
    }

    #[test]
    fn names_of_layers_read_back(
        layer in prop::sample::select(Architecture::ALL.to_vec()).prop_flat_map(layers)
    ) {
        prop_assert_eq!(read_back::<Layer>(&layer.to_string()), Some(layer));
    }

    #[test]
    fn any_text_is_a_layer_that_reads_back_or_none(text in "(conv|relu|pool|fc|)[0-9_]{0,4}|.{0,8}") {
        read_back::<Layer>(&text);
    }
}

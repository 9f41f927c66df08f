//! Textures whose layers' weights are measured at other images than the library measures them at:
//! made of the library's parts.

use burn::tensor::{Tensor, TensorData};
use image::DynamicImage;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ranvgg::loss::Loss;
use ranvgg::objective::Objective;
use ranvgg::optim::{LbfgsOptions, Next};
use ranvgg::{Control, Gram, Layer, LayerNormalizer, Lbfgs, Vgg, imaging};

use crate::study::{Made, Watch};
use crate::support;
use crate::textures::judged;

/// Where weights are measured.
pub(crate) const PLACES: [&str; 4] = [NOISE, FLAT, MIRRORED, NOWHERE];

/// Noise, as everywhere in the library.
const NOISE: &str = "noise";
/// An image of the mean colour alone.
const FLAT: &str = "one colour";
/// The exemplar upside down: features as of the result, another layout.
const MIRRORED: &str = "the exemplar upside down";
/// All layers weigh the same.
const NOWHERE: &str = "nowhere: all 1";

/// Matches Gram matrices of `layers` at one size.
pub(crate) fn textured_by_parts(
    vgg: &Vgg,
    exemplar: &DynamicImage,
    layers: &[Layer],
    place: &str,
    evaluations: usize,
    watch: &Watch<'_>,
) -> support::Result<Made> {
    let target = imaging::from_image(exemplar, vgg.device());
    let features = vgg.features(target.clone(), layers)?;
    let mut grams = Vec::new();
    for (layer, map) in features.iter() {
        grams.push((layer, Gram::of(map.clone())?));
    }
    let mean = target.clone().mean_dim(2).mean_dim(3).expand(target.dims());
    let noise = |seed| mean.clone() + noise(&target, seed) * 0.1;
    let measured = match place {
        NOISE => Some(noise(1)),
        FLAT => Some(mean.clone()),
        MIRRORED => Some(target.clone().flip([2])),
        _ => None,
    };
    let losses: Vec<(Layer, &dyn Loss)> = grams
        .iter()
        .map(|(layer, gram)| (*layer, gram as &dyn Loss))
        .collect();
    let weights = match measured {
        Some(image) => LayerNormalizer::measure(vgg, image, &losses)?
            .weights()
            .to_vec(),
        None => vec![1.0; losses.len()],
    };
    drop(losses);
    let mut objective = Objective::new(vgg);
    for ((layer, gram), weight) in grams.into_iter().zip(weights) {
        objective = objective.at_layer(format!("style {layer}"), layer, weight, gram);
    }
    let image = minimised(&objective, noise(0), evaluations, watch)?;
    let picture = imaging::to_image8(image)?;
    Ok(Made {
        figures: judged(exemplar, &picture)?,
        curve: Vec::new(),
        picture: Some(picture),
    })
}

/// The image that an objective likes best, from `start`.
fn minimised(
    objective: &Objective,
    start: Tensor<4>,
    evaluations: usize,
    watch: &Watch<'_>,
) -> support::Result<Tensor<4>> {
    let shape = start.dims();
    let values = shape.iter().product::<usize>();
    let options = LbfgsOptions::default()
        .with_evaluations(evaluations)
        .with_first_step(0.02 * (values as f64).sqrt());
    let mut lbfgs = Lbfgs::new(start.reshape([values]), options)?;
    for number in 1.. {
        let evaluation = objective.evaluate(lbfgs.ask().reshape(shape))?;
        let next = lbfgs.tell(evaluation.values, evaluation.gradient.reshape([values]))?;
        let asked = watch.done(f64::from(number) / evaluations as f64);
        if asked == Control::Stop || matches!(next, Next::Stop(_)) {
            break;
        }
    }
    Ok(lbfgs.point().reshape(shape))
}

/// Standard normal numbers in the shape of an image.
fn noise(like: &Tensor<4>, seed: u64) -> Tensor<4> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let count = like.dims().iter().product();
    let numbers: Vec<f32> = StandardNormal
        .sample_iter(&mut generator)
        .take(count)
        .collect();
    Tensor::from_data(TensorData::new(numbers, like.dims()), &like.device())
}

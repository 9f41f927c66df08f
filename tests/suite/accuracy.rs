//! How far the CPU kernels round: against f64 sums by PyTorch, with and without the Winograd
//! transform. Run with `--nocapture` for the figures of `docs/ACCURACY.md`.

use crate::common::{cpu_devices, distance, picture, values};
use burn::tensor::{Device, Tensor, TensorData};
use ranvgg::network::Features;
use ranvgg::{Padding, Precision, RandomVgg, Vgg};
use safetensors::SafeTensors;

const SAMPLES: usize = 2048;

fn golden(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let (words, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn samples(tensor: Tensor<4>) -> Vec<f32> {
    let all = values(tensor);
    let step = (all.len() / SAMPLES).max(1);
    all.into_iter().step_by(step).collect()
}

/// conv5_1 and the gradient of the sum of its squares.
fn features_and_gradient(vgg: &Vgg, image: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let layer = vgg.layer("conv5_1").unwrap();
    let (mut features, trace) = vgg.forward(image, &[layer]).unwrap();
    let top = features.take(layer).unwrap();
    let gradients = Features::from_iter([(layer, top.clone() * 2.0)]);
    (top, vgg.backward(gradients, &trace).unwrap())
}

fn network(device: &Device) -> Vgg {
    RandomVgg::vgg19()
        .with_seed(1)
        .with_bias_sigma(0.1)
        .with_padding(Padding::Reflect)
        .init(device)
        .unwrap()
}

#[test]
fn rounding_stays_near_that_of_plain_sums() {
    let file = SafeTensors::deserialize(include_bytes!("../golden/accuracy.safetensors")).unwrap();
    let pixels = file.tensor("photograph.pixels").unwrap();
    let side = pixels.shape()[1];
    let phase = f64::from(golden(&file, "formula.phase")[0]);
    let formula_side = golden(&file, "formula.side")[0] as usize;
    for (on, device) in cpu_devices() {
        let photograph: Vec<f32> = pixels
            .data()
            .iter()
            .map(|v| f32::from(*v) / 255.0)
            .collect();
        let photograph = TensorData::new(photograph, [1, 3, side, side]);
        let images = [
            ("photograph", Tensor::from_data(photograph, &device)),
            (
                "formula",
                picture(formula_side, formula_side, phase, &device),
            ),
        ];
        let fast = network(&device);
        let precise = fast.with_precision(Precision::Plain).unwrap();
        for (name, image) in images {
            for (how, vgg, limit) in [("fast", &fast, 2e-6), ("precise", &precise, 5e-7)] {
                let (features, gradient) = features_and_gradient(vgg, image.clone());
                let features = distance(
                    &samples(features),
                    &golden(&file, &format!("{name}.features")),
                );
                let gradient = distance(
                    &samples(gradient),
                    &golden(&file, &format!("{name}.gradient")),
                );
                println!("{name} on {on}, {how}: features {features:.1e} gradient {gradient:.1e}");
                assert!(features < limit, "{name} {how}: features {features:.1e}");
                // The formula's phase keeps every ReLU's input away from zero; in a photograph
                // one may round to the other side, which counts for more than all rounding.
                let limit = if name == "formula" { 1e-5 } else { 1e-2 };
                assert!(gradient < limit, "{name} {how}: gradient {gradient:.1e}");
            }
        }
    }
}

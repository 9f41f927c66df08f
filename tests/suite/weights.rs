//! Weights in files of safetensors: written, read, and refused.

use crate::common::{flex, layer, picture};
use crate::networks::features;
use ranvgg::error::{FileUse, OutputReason, TensorReason};
use ranvgg::{Architecture, Error, IfExists, RandomVgg, WeightFile};
use safetensors::tensor::{Dtype, TensorView};

#[test]
fn weights_survive_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let vgg = RandomVgg::vgg19()
        .with_seed(8)
        .with_bias_sigma(0.3)
        .init(&flex())
        .unwrap();
    vgg.save_safetensors(layer("conv3_1"), &path, IfExists::Refuse)
        .unwrap();
    assert!(matches!(
        vgg.save_safetensors(layer("conv3_1"), &path, IfExists::Refuse),
        Err(Error::Output {
            reason: OutputReason::Exists,
            ..
        })
    ));
    let loaded = WeightFile::new(Architecture::Vgg19)
        .load(&path, &flex())
        .unwrap();
    assert_eq!(features(&loaded, "conv3_1"), features(&vgg, "conv3_1"));
    assert!(loaded.recipe().is_none());
    // The file ends there.
    let deeper = loaded.features(picture(16, 16, 0.0, &flex()), &[layer("conv3_2")]);
    assert!(
        matches!(deeper, Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == "features.12")
    );
}

#[test]
fn broken_weights_are_refused_by_name() {
    let device = flex();
    let read = |tensors: &[(&str, Vec<usize>, Dtype, f32)]| {
        let data: Vec<_> = tensors
            .iter()
            .map(|(name, shape, dtype, value)| {
                let count: usize = shape.iter().product();
                let bytes = match dtype {
                    Dtype::F32 => value.to_le_bytes().repeat(count),
                    _ => vec![0; 2 * count],
                };
                (*name, shape.clone(), *dtype, bytes)
            })
            .collect();
        let views = data.iter().map(|(name, shape, dtype, bytes)| {
            (
                *name,
                TensorView::new(*dtype, shape.clone(), bytes).unwrap(),
            )
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        WeightFile::new(Architecture::Vgg19)
            .read(&bytes, &device)
            .map(|_| ())
    };
    let (weight, bias) = ("features.0.weight", "features.0.bias");
    let shape = vec![64, 3, 3, 3];
    let good = |name, shape: &[usize]| (name, shape.to_vec(), Dtype::F32, 0.5);
    assert!(read(&[good(weight, &shape), good(bias, &[64])]).is_ok());
    assert!(matches!(
        read(&[good(weight, &shape)]),
        Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == bias
    ));
    assert!(matches!(
        read(&[good("other", &shape)]),
        Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == weight
    ));
    assert!(matches!(
        read(&[good(weight, &[64, 3, 3, 2]), good(bias, &[64])]),
        Err(Error::Shape { what, .. }) if what.contains(weight)
    ));
    let nan = (weight, shape.clone(), Dtype::F32, f32::NAN);
    assert!(matches!(
        read(&[nan, good(bias, &[64])]),
        Err(Error::NotFinite { what, .. }) if what.contains(weight)
    ));
    let half = (weight, shape.clone(), Dtype::I16, 0.0);
    assert!(matches!(
        read(&[half, good(bias, &[64])]),
        Err(Error::Tensor { name, reason: TensorReason::Type(_) }) if name == weight
    ));
    // A gap: conv1_2 is absent, conv2_1 is there.
    let gap = read(&[
        good(weight, &shape),
        good(bias, &[64]),
        good("features.5.weight", &[128, 64, 3, 3]),
        good("features.5.bias", &[128]),
    ]);
    assert!(
        matches!(gap, Err(Error::Tensor { name, reason: TensorReason::Missing }) if name == "features.2.weight")
    );
    let junk = WeightFile::default().read(b"not safetensors", &device);
    assert!(matches!(
        junk,
        Err(Error::File {
            wanted: FileUse::Weights,
            ..
        })
    ));
    let absent = WeightFile::default().load("no/such/file", &device);
    assert!(matches!(
        absent,
        Err(Error::File {
            wanted: FileUse::Read,
            ..
        })
    ));
}

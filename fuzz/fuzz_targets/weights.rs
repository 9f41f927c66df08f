//! Files of weights: safetensors, and what `torch.save` writes. The first byte chooses the network.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use ranvgg::{Architecture, WeightFile, device};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let architectures = Architecture::ALL;
    let architecture = architectures[usize::from(*first) % architectures.len()];
    let device = device::by_name("flex").unwrap();
    let file = WeightFile::torchvision(architecture);
    let _ = file.read(bytes, &device);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    fs::write(&path, bytes).unwrap();
    let _ = file.load(&path, &device);
});

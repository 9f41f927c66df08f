//! Pictures from files: decoded within limits or refused; what they say of how they were made.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use ranvgg::imaging::{Limits, dimensions, flatten, open, open_data, provenance};

const LIMITS: (u32, u64) = (256, 1 << 20);

// Panics of decoders are errors of their files: the fuzzer's hook must not end the process for them.
fuzz_target!(init: ranvgg::error::quiet_caught_panics(), |bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture");
    fs::write(&path, bytes).unwrap();
    let limits = Limits::default().with_side(LIMITS.0).with_bytes(LIMITS.1);
    let _ = provenance(&path);
    let size = dimensions(&path, limits);
    let stored = open_data(&path, limits);
    let colours = open(&path, limits);
    assert_eq!(stored.is_ok(), colours.is_ok());
    let (Ok(stored), Ok(colours)) = (stored, colours) else {
        return;
    };
    let size = size.expect("what can be opened has a size");
    for image in [&stored, &colours] {
        assert_eq!(
            (image.width() as usize, image.height() as usize),
            (size.width, size.height)
        );
        assert!(size.width.max(size.height) <= LIMITS.0 as usize);
        assert!(12 * size.pixels() as u64 <= LIMITS.1);
    }
    assert_eq!(stored.color(), colours.color());
    flatten(&colours);
});

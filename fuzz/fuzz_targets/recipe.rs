//! Recipes of networks: read, written and read again as the same; the numbers are checked by `init`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ranvgg::{RandomVgg, device};

fuzz_target!(|text: &str| {
    let Ok(network) = RandomVgg::from_recipe(text) else {
        return;
    };
    let again = RandomVgg::from_recipe(&network.to_recipe()).expect("its own recipe");
    assert_eq!(again, network);
    let _ = network.init(&device::by_name("flex").unwrap());
});

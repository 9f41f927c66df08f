//! Names and options as text: what is read is written as what reads back the same.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use ranvgg::device::DeviceClass;
use ranvgg::{
    Architecture, Colours, Error, IfExists, InvertOptions, Layer, Padding, Pooling, Precision,
    RunOptions, Statistics, StyleOptions, StyleStart, TextureOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn name<T: FromStr<Err = Error> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().unwrap(), value);
    }
}

fn options<T: Serialize + DeserializeOwned>(text: &str) {
    if let Ok(options) = serde_json::from_str::<T>(text) {
        let written = serde_json::to_string(&options).unwrap();
        let again: T = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }
}

fuzz_target!(|text: &str| {
    name::<Layer>(text);
    name::<Architecture>(text);
    name::<Colours>(text);
    name::<IfExists>(text);
    name::<Padding>(text);
    name::<Pooling>(text);
    name::<Precision>(text);
    name::<Statistics>(text);
    name::<StyleStart>(text);
    name::<DeviceClass>(text);
    for architecture in Architecture::ALL {
        if let Ok(layer) = architecture.layer(text) {
            assert_eq!(architecture.layer(&layer.to_string()).unwrap(), layer);
        }
    }
    options::<RunOptions>(text);
    options::<TextureOptions>(text);
    options::<StyleOptions>(text);
    options::<InvertOptions>(text);
});

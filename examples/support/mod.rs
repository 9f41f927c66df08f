//! What the example programs share: devices, pictures, a progress bar, Ctrl-C, clear errors.

#![allow(dead_code, unused_imports)] // each example uses its part

mod arguments;
mod common;
pub(crate) mod html;
mod sources;
mod watch;

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use image::DynamicImage;
use ranvgg::imaging::{self, Limits};
use ranvgg::{Architecture, WeightFile, device};

pub(crate) use self::arguments::{
    chain, if_exists, parse_layers, parse_seconds, parse_size, report,
};
pub(crate) use self::common::Common;
pub(crate) use self::sources::Sources;
pub(crate) use self::watch::{Watch, interrupts};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A file of trained weights, by who trained them.
pub(crate) fn trained(architecture: Architecture, caffe: bool) -> WeightFile {
    if caffe {
        WeightFile::caffe(architecture)
    } else {
        WeightFile::torchvision(architecture)
    }
}

pub(crate) fn open_device(name: Option<&str>) -> Result<Device> {
    Ok(match name {
        Some(name) => device::by_name(name)?,
        None => device::best()?,
    })
}

/// What a device is, in a line.
pub(crate) fn describe(device: &Device) -> String {
    match device::info_of(device) {
        Some(info) => {
            let (name, adapter) = (info.name, info.adapter);
            format!("{name}: {adapter}, {}, {}", info.class, info.driver)
        }
        None => device::name_of(device),
    }
}

/// Reads a picture, or one that ships with the crate.
pub(crate) fn open_picture(path: Option<&Path>, bundled: &str) -> Result<DynamicImage> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/images")
            .join(bundled),
    };
    Ok(imaging::open(path, Limits::default())?)
}

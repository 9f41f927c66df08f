//! What the programs for study share: devices, Ctrl-C, clear errors, pages.

#![allow(dead_code)] // each program uses its part

pub(crate) mod html;

use std::error::Error;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use ranvgg::{Architecture, WeightFile, device};

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

/// Whether Ctrl-C was pressed since; the second time leaves at once, with nothing half-written.
pub(crate) fn interrupts() -> Result<impl Fn() -> bool> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            exit(130);
        }
    })?;
    Ok(move || asked.load(Ordering::SeqCst))
}

/// An error and its sources in a line. A source that the message before it ends with is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !line.ends_with(&said) {
            line = format!("{line}: {said}");
        }
        source = error.source();
    }
    line
}

/// Runs a program; an error becomes one line on standard error and exit code 1.
pub(crate) fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

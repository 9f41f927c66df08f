//! `ranvgg devices`: lists the devices that this build can compute on.

use std::process::ExitCode;

use clap::Args;
use ranvgg::device;

/// List the devices that this build can compute on, and the one it would choose
#[derive(Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> ExitCode {
    for info in device::list() {
        println!(
            "{:<10} {:<14} {} ({})",
            info.name, info.class, info.adapter, info.driver
        );
        if let Some(bytes) = info.largest_buffer {
            println!("{:<10} largest buffer {} MiB", "", bytes >> 20);
        }
        if !info.matrices.is_empty() {
            println!("{:<10} matrices {}", "", info.matrices.join(", "));
        }
        // GPUs are checked when they are opened; CPUs here.
        let opened = device::by_name(&info.name);
        match opened.and_then(|device| device::check(&device).map(|()| device)) {
            Ok(device) if device::has_half(&device) => {
                println!("{:<10} computes right; has half precision", "");
            }
            Ok(_) => println!("{:<10} computes right", ""),
            Err(error) => println!("{:<10} {error}", ""),
        }
    }
    if cfg!(feature = "wgpu") {
        println!("OpenGL is used only when it is asked for: --device opengl");
    }
    match device::best() {
        Ok(best) => {
            println!("best: {}", device::name_of(&best));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

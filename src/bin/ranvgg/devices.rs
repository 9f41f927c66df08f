//! `ranvgg devices`: lists the devices that this build can compute on.

use clap::Args;
use ranvgg::device;

use crate::failure::{Result, Status};
use crate::terminal;

/// List the devices that this build can compute on, and the one it would choose
#[derive(Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<Status> {
    for info in device::list() {
        let (name, class) = (&info.name, info.class.to_string());
        let (adapter, driver) = (&info.adapter, &info.driver);
        line(name, &format!("{class:<14} {adapter} ({driver})"))?;
        if let Some(bytes) = info.largest_buffer {
            line("", &format!("largest buffer {} MiB", bytes >> 20))?;
        }
        if !info.matrices.is_empty() {
            line("", &format!("matrices {}", info.matrices.join(", ")))?;
        }
        // GPUs are checked when they are opened; CPUs here.
        let opened = device::by_name(&info.name);
        match opened.and_then(|device| device::check(&device).map(|()| device)) {
            Ok(device) if device::has_half(&device) => {
                line("", "computes right; has half precision")?;
            }
            Ok(_) => line("", "computes right")?,
            Err(error) => line("", &error.to_string())?,
        }
    }
    if cfg!(feature = "wgpu") {
        terminal::print("OpenGL is used only when it is asked for: --device opengl\n")?;
    }
    terminal::print(&format!("best: {}\n", device::name_of(&device::best()?)))?;
    Ok(Status::Complete)
}

/// What there is to say of a device.
fn line(name: &str, text: &str) -> Result<()> {
    terminal::print(&format!("{name:<10} {text}\n"))
}

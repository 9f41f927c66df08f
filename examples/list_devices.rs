//! Lists the devices that this build can compute on.

use std::process::ExitCode;

use clap::Parser;
use ranvgg::device;

/// List the devices that this build can compute on, and the one it would choose
#[derive(Parser)]
struct Arguments {}

fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
    for info in device::list() {
        println!(
            "{:<10} {:<14} {} ({})",
            info.name, info.class, info.adapter, info.driver
        );
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

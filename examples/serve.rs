//! Serves a device of this machine to programs on others, which compute on it as on one of their own.
//!
//! ```text
//! cargo run --release --features remote-server --example serve -- --device wgpu --listen 0.0.0.0:3000
//! ranvgg texture moss.jpg --statistics whitened --device remote:ws://gpu.example:3000
//! ```
//!
//! The second command needs a program that was built with the feature `remote`. WebSocket is not encrypted, and whoever
//! reaches the port may compute here: on a network that others use, tunnel it (`ssh -L 3000:127.0.0.1:3000 gpu.example`).

use std::error::Error;
use std::net::TcpListener;

use burn::server::{RemoteServer, WebSocketTransport};
use clap::Parser;
use ranvgg::device;

#[derive(Parser)]
struct Arguments {
    /// Devices to serve, separated by commas, of one kind: GPUs, or a CPU [default: the best]
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    device: Vec<String>,

    /// Address and port to listen at; of port 0 the system chooses one
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS:PORT")]
    listen: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut devices = Vec::new();
    for name in &arguments.device {
        devices.push(device::by_name(name)?);
    }
    if devices.is_empty() {
        devices.push(device::best()?);
    }
    let listener = TcpListener::bind(&arguments.listen)?;
    let address = listener.local_addr()?;
    for (number, device) in devices.iter().enumerate() {
        let name = device::name_of(device);
        println!("{name} is remote:ws://{address}/{number}");
    }
    // Until Ctrl-C or SIGTERM.
    RemoteServer::new(devices).serve(WebSocketTransport::from_listener(listener))?;
    Ok(())
}

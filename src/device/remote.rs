//! Devices that another process or machine serves, over WebSocket.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use burn::remote::RemoteHost;
use burn::tensor::Device;

use crate::error::{Error, Result};

/// How long a server may take to accept a connection. Burn tries for a quarter of a minute to reach one that is
/// not there, and waits forever for one that accepts and says nothing.
const ACCEPTS: Duration = Duration::from_secs(5);

/// How long a server may take to open a session.
const ANSWERS: Duration = Duration::from_secs(30);

/// The devices that were opened, by their names.
fn opened() -> MutexGuard<'static, Vec<(String, Device)>> {
    static OPENED: Mutex<Vec<(String, Device)>> = Mutex::new(Vec::new());
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the device at `address`, the part of `name` after `remote:`.
pub(super) fn open(address: &str, name: &str) -> Result<Device> {
    let refused = |reason: String| Error::no_adapter(name, reason);
    let (host, index) = parse(address).ok_or_else(|| {
        refused(format!(
            "`{address}` is not an address; allowed: ws://HOST:PORT, or ws://HOST:PORT/1 for the second device there"
        ))
    })?;
    knock(host).map_err(|reason| refused(format!("the server does not answer: {reason}")))?;
    let url = RemoteHost::websocket(&format!("ws://{host}"));
    let (sender, receiver) = mpsc::channel();
    // If the server never answers, the thread is left behind.
    let session = thread::Builder::new().name("remote".into());
    session
        .spawn(move || {
            let _ = sender.send(Device::remote_options(&url).device_index(index).init());
        })
        .map_err(|error| refused(error.to_string()))?;
    let device = match receiver.recv_timeout(ANSWERS) {
        Ok(Ok(device)) => device,
        Ok(Err(error)) => return Err(refused(error.to_string())),
        Err(_) => {
            let seconds = ANSWERS.as_secs();
            return Err(refused(format!(
                "the server opened no session within {seconds} s"
            )));
        }
    };
    let mut opened = opened();
    if !opened.iter().any(|(_, other)| *other == device) {
        opened.push((name.to_owned(), device.clone()));
    }
    Ok(device)
}

/// The name that [`open`] has for `device`.
pub(super) fn name_of(device: &Device) -> Option<String> {
    let opened = opened();
    let found = opened.iter().find(|(_, other)| other == device);
    found.map(|(name, _)| name.clone())
}

/// `HOST:PORT` and the number of the device of `ws://HOST:PORT/NUMBER`.
fn parse(address: &str) -> Option<(&str, usize)> {
    let rest = address.strip_prefix("ws://")?;
    let (host, index) = match rest.split_once('/') {
        Some((host, "")) => (host, 0),
        Some((host, index)) => (host, index.parse().ok()?),
        None => (rest, 0),
    };
    let (name, port) = host.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    (!name.is_empty()).then_some((host, index))
}

/// Connects to a server and leaves; what it said where it does not accept.
fn knock(host: &str) -> std::io::Result<()> {
    let mut last = std::io::Error::other("its name has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ACCEPTS) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

//! Devices that another process serves: here another thread does, on 127.0.0.1.
//!
//! `cargo test --release --no-default-features --features flex,remote-server --test suite remote::`

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use burn::server::{RemoteServer, WebSocketTransport};
use ranvgg::device::{self, Attempt};
use ranvgg::error::DeviceReason;
use ranvgg::objective::Objective;
use ranvgg::{Error, Gram, RandomVgg, Statistics, TextureOptions, synthesize_texture};

use crate::common::{assert_close, bundled, flex, layer, picture, values};

/// Serves the CPU until the tests end; the name of the device.
fn served() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let transport = WebSocketTransport::from_listener(listener);
        RemoteServer::new([flex()]).serve(transport).unwrap();
    });
    format!("remote:ws://{address}")
}

#[test]
fn a_remote_device_computes_what_a_local_one_does() {
    let name = served();
    let remote = device::by_name(&name).unwrap();
    assert_eq!(device::name_of(&remote), name);
    assert!(device::info_of(&remote).is_none() && !device::has_half(&remote));
    let evaluated = |device| {
        let vgg = RandomVgg::vgg19().init(device).unwrap();
        let exemplar = picture(48, 40, 0.3, device);
        let taps = ["conv1_1", "conv2_1", "conv3_1"].map(layer);
        let mut objective = Objective::new(&vgg);
        for (layer, map) in vgg.features(exemplar, &taps).unwrap().iter() {
            let target = Gram::of(map.clone()).unwrap();
            objective = objective.at_layer(layer.to_string(), layer, 1.0, target);
        }
        let evaluation = objective.evaluate(picture(48, 40, 1.1, device)).unwrap();
        (values(evaluation.values), values(evaluation.gradient))
    };
    let (here, there) = (evaluated(&flex()), evaluated(&remote));
    assert_close("values", &there.0, &here.0, 1e-5);
    assert_close("gradient", &there.1, &here.1, 1e-4);
}

#[test]
fn results_are_shared_with_a_remote_device() {
    let devices = [flex(), device::by_name(&served()).unwrap()];
    let exemplar = bundled("gravel.png", 32);
    let mut made = Vec::new();
    let left = device::spread(
        devices.map(|device| RandomVgg::vgg19().init(&device).unwrap()),
        [1, 1],
        |vgg, seed| {
            let options = TextureOptions::default()
                .with_statistics(Statistics::Gram)
                .with_seed(*seed)
                .with_evaluations(3);
            let outcome = synthesize_texture(vgg, exemplar.clone(), &options, &mut ());
            Attempt::Done((device::name_of(vgg.device()), outcome.unwrap()))
        },
        |_, attempt| {
            if let Attempt::Done(result) = attempt {
                made.push(result);
            }
            std::ops::ControlFlow::Continue(())
        },
    );
    assert!(left.is_empty());
    made.sort_by(|a, b| a.0.cmp(&b.0));
    let [(here, local), (there, remote)] = &made[..] else {
        panic!("{} results", made.len());
    };
    assert!(here == "flex" && there.starts_with("remote:"));
    let pixels = |outcome: &ranvgg::Outcome| values(outcome.tensor().clone());
    assert_close("pixels", &pixels(remote), &pixels(local), 1e-3);
}

#[track_caller]
fn assert_refused(name: &str, expected: &str) {
    let asked = Instant::now();
    let error = device::by_name(name).unwrap_err();
    let refused = matches!(
        &error,
        Error::DeviceUnavailable {
            reason: DeviceReason::NoAdapter(_),
            ..
        }
    );
    let said = error.to_string();
    assert!(refused && said.contains(name), "{said}");
    assert!(said.contains(expected), "{said}");
    assert!(asked.elapsed() < Duration::from_secs(20), "{said}");
}

#[test]
fn what_is_no_device_is_refused() {
    for name in [
        "remote:",
        "remote:127.0.0.1:3000",
        "remote:ws://127.0.0.1",
        "remote:ws://:80",
    ] {
        assert_refused(name, "is not an address");
    }
    assert_refused(&format!("{}/1", served()), "hosts only 1");
    // Bound and dropped, so nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_refused(&format!("remote:ws://{free}"), "does not answer");
    // A server of something else.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    thread::spawn(move || {
        for client in other.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    assert_refused(&format!("remote:ws://{address}"), "404");
}

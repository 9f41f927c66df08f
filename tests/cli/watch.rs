//! The page that shows a run.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use image::{ImageBuffer, Luma};

/// A run that would take minutes, and where its page is.
struct Run {
    child: Child,
    port: u16,
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path) -> Run {
    let bumps: ImageBuffer<Luma<u8>, _> =
        ImageBuffer::from_fn(96, 96, |x, y| Luma([((x * x / 7 + 13 * y) % 256) as u8]));
    bumps.save(folder.join("a_height.png")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ranvgg"))
        .current_dir(folder)
        .args(["maps", "a_height.png", "--device", "flex", "--watch", "-q"])
        .args(["--evaluations", "100000"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    let port = line.trim_end().trim_end_matches('/').rsplit(':').next();
    let port = port.unwrap().parse().unwrap_or_else(|_| panic!("{line}"));
    // What is said later has to go somewhere.
    std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
    Run { child, port }
}

/// An answer: status, headers and body.
fn ask(run: &Run, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String, Vec<u8>) {
    let host = format!("127.0.0.1:{}", run.port);
    let mut stream = TcpStream::connect(&host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("Content-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

fn get(run: &Run, path: &str) -> (u16, Vec<u8>) {
    let (status, _, body) = ask(run, "GET", path, &[]);
    (status, body)
}

fn state(run: &Run) -> serde_json::Value {
    serde_json::from_slice(&get(run, "/state").1).unwrap()
}

/// Waits until `done`, at most a minute.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_page_shows_a_run_and_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = start(folder.path());
    let (status, head, page) = ask(&run, "GET", "/", &[]);
    let page = String::from_utf8(page).unwrap();
    assert_eq!(status, 200);
    assert!(head.contains("default-src 'none'"), "{head}");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "nothing of elsewhere"
    );

    wait("a picture", || get(&run, "/picture.png").0 == 200);
    let first = get(&run, "/picture.png").1;
    assert!(image::load_from_memory(&first).is_ok());
    wait("another picture", || {
        state(&run);
        get(&run, "/picture.png").1 != first
    });
    let now = state(&run);
    assert!(now["evaluation"].as_u64().unwrap() > 0, "{now}");
    assert_eq!(now["evaluations"], 100_000);
    assert!(!now["terms"].as_array().unwrap().is_empty(), "{now}");
    let known = now["records"].as_array().unwrap().len();
    let (_, later) = get(&run, &format!("/state?from={known}"));
    let later: serde_json::Value = serde_json::from_slice(&later).unwrap();
    let newest = &later["records"].as_array().unwrap();
    assert!(
        newest
            .iter()
            .all(|record| { record["evaluation"].as_u64() > now["evaluation"].as_u64() })
    );

    assert_others_are_refused(&run);
    assert_eq!(ask(&run, "POST", "/stop", &[]).0, 403);
    assert_eq!(ask(&run, "POST", "/stop", &[("X-Token", "wrong")]).0, 403);
    assert_eq!(state(&run)["stopping"], false);

    let token = page.split("const token = '").nth(1).unwrap();
    let token = token.split('\'').next().unwrap();
    assert_eq!(ask(&run, "POST", "/stop", &[("X-Token", token)]).0, 200);
    let mut ended = None;
    wait("the end", || {
        ended = run.child.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.unwrap().success());
    let made = folder.path().join("a-made/a_height.png");
    let made = image::load_from_memory(&fs::read(made).unwrap()).unwrap();
    assert_eq!((made.width(), made.height()), (96, 96));
    assert!(
        TcpStream::connect(("127.0.0.1", run.port)).is_err(),
        "it ends with the run"
    );
}

/// Requests by other names, from other pages, and for anything else.
fn assert_others_are_refused(run: &Run) {
    let port = run.port;
    let own = format!("http://127.0.0.1:{port}");
    let near = format!("http://localhost:{port}");
    let local = format!("localhost:{port}");
    let other = format!("evil.example:{port}");
    for (headers, expected) in [
        (("Origin", &*own), 200),
        (("Origin", &near), 200),
        (("Host", &local), 200),
        (("Host", &other), 403),
        (("Host", "127.0.0.1"), 403),
        (("Host", ""), 403),
        (("Origin", "http://evil.example"), 403),
        (("Origin", "null"), 403),
    ] {
        for path in ["/", "/state", "/picture.png"] {
            let (status, _, _) = ask(run, "GET", path, &[headers]);
            assert_eq!(status, expected, "{headers:?} {path}");
        }
    }
    for path in [
        "/index.html",
        "/../Cargo.toml",
        "/state/",
        "/etc/passwd",
        "//",
    ] {
        assert_eq!(get(run, path).0, 404, "{path}");
    }
    assert_eq!(ask(run, "POST", "/", &[]).0, 404);
    assert_eq!(ask(run, "GET", "/stop", &[]).0, 404);
}

/// What a connection gets for these bytes: the status, or nothing.
fn status_of(run: &Run, bytes: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", run.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The server may have answered, and closed, before all is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).map(|status| status.parse().unwrap())
}

/// No request ends the run or takes its memory: neither lengths that are not true, nor heads without an end, nor
/// connections that say nothing.
#[test]
fn bad_requests_do_the_run_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = start(folder.path());
    let host = format!("Host: 127.0.0.1:{}\r\n", run.port);
    let head = |line: &str, headers: &str| format!("{line}\r\n{host}{headers}\r\n").into_bytes();
    let long = "/".repeat(100_000);
    let many = "A: b\r\n".repeat(20_000);
    let mut quiet = Vec::new();
    for (request, expected) in [
        (
            head("POST /stop HTTP/1.1", "Content-Length: 99999999999999\r\n"),
            403,
        ),
        (head("POST /stop HTTP/1.1", "Content-Length: -1\r\n"), 403),
        (
            head(
                "GET /state HTTP/1.1",
                "Content-Length: 18446744073709551616\r\n",
            ),
            200,
        ),
        (
            head("GET / HTTP/1.1", "Transfer-Encoding: chunked\r\n"),
            200,
        ),
        (head("GET /../../etc/passwd HTTP/1.1", ""), 404),
        (head("GET /%2e%2e/etc/passwd HTTP/1.1", ""), 404),
        (head("GET /state?from=-1 HTTP/1.1", ""), 200),
        (
            head("GET /state?from=99999999999999999999 HTTP/1.1", ""),
            200,
        ),
        (head("HEAD / HTTP/1.1", ""), 404),
        (head("BREW /pot HTTP/1.1", ""), 404),
        (head("GET / HTTP/9.9", ""), 400),
        (head("GET", ""), 400),
        (b"\x00\xff\xfe\r\n\r\n".to_vec(), 400),
        (head(&format!("GET {long} HTTP/1.1"), ""), 431),
        (head("GET / HTTP/1.1", &many), 431),
    ] {
        let said = String::from_utf8_lossy(&request[..request.len().min(60)]);
        assert_eq!(status_of(&run, &request), Some(expected), "{said}");
        quiet.push(TcpStream::connect(("127.0.0.1", run.port)).unwrap());
    }
    // More than the server keeps: the rest is closed, and the server goes on when these have gone.
    quiet.extend((0..40).map(|_| TcpStream::connect(("127.0.0.1", run.port)).unwrap()));
    drop(quiet);
    wait("an answer", || {
        status_of(&run, &head("GET / HTTP/1.1", "")) == Some(200)
    });
    assert!(state(&run)["elapsed"].is_f64());
    assert!(
        run.child.try_wait().unwrap().is_none(),
        "it should still run"
    );
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let bumps: ImageBuffer<Luma<u8>, _> =
        ImageBuffer::from_fn(32, 32, |x, y| Luma([(x * y % 256) as u8]));
    bumps.save(folder.path().join("a_height.png")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ranvgg"))
        .current_dir(folder.path())
        .args(["maps", "a_height.png", "--device", "flex"])
        .arg(format!("--watch={port}"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains(&port.to_string()),
        "{said}"
    );
    assert!(!folder.path().join("a-made").exists());
}

//! HTTP for a page on 127.0.0.1: one request a connection, bounded in bytes, time and number. What comes after the
//! headers of a request is not kept, so no length that it claims takes memory.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes of a request's first line and headers.
const LARGEST_HEAD: usize = 16 << 10;

/// Most headers of a request.
const MOST_HEADERS: usize = 64;

/// Most connections at once. A browser opens a few; those beyond are closed.
const MOST_CONNECTIONS: usize = 32;

/// How long a request may take to arrive, and how long its answer may take to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a body that are read and forgotten, so that the answer arrives before the connection is reset.
const FORGOTTEN: usize = 64 << 10;

pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header, whose name may be in capitals or not.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, kind: &str, body: Vec<u8>) -> Self {
        let headers = vec![("Content-Type", kind.to_owned())];
        Self {
            status,
            headers,
            body,
        }
    }

    /// With another header. Its value must not be what a request said.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into())
    }

    fn write(&self, body: bool, stream: &mut Timed) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            431 => "Request Header Fields Too Large",
            _ => "Internal Server Error",
        };
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        head.push_str(&format!(
            "Content-Length: {length}\r\nConnection: close\r\n\r\n"
        ));
        stream.write_all(head.as_bytes())?;
        if body {
            stream.write_all(&self.body)?;
        }
        Ok(())
    }
}

/// A connection whose reads and writes fail after a moment, however slowly the other side goes on.
struct Timed {
    stream: TcpStream,
    end: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(Some(left)),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(bytes)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Reads a request up to the end of its headers, or says what to answer instead.
fn read(stream: &mut Timed) -> io::Result<Result<Request, Answer>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&part[..count]);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        return Ok(match request.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => Ok(owned(&request)),
            Ok(httparse::Status::Partial) if bytes.len() < LARGEST_HEAD => continue,
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                Err(Answer::text(431, "The request is too long.\n"))
            }
            Err(error) => Err(Answer::text(400, &format!("{error}\n"))),
        });
    }
}

fn owned(request: &httparse::Request<'_, '_>) -> Request {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let header = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value);
        (header.name.to_owned(), value.trim().to_owned())
    };
    Request {
        method: text(request.method),
        target: text(request.path),
        headers: request.headers.iter().map(header).collect(),
    }
}

fn serve(stream: TcpStream, answer: &dyn Fn(&Request) -> Answer) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut stream = Timed { stream, end };
    let request = read(&mut stream)?;
    let (answer, body) = match &request {
        Ok(request) => (&answer(request), request.method != "HEAD"),
        Err(refusal) => (refusal, true),
    };
    stream.end = Instant::now() + PATIENCE;
    answer.write(body, &mut stream)?;
    stream.stream.shutdown(Shutdown::Write)?;
    let mut forgotten = [0; 4096];
    for _ in 0..FORGOTTEN / forgotten.len() {
        if stream.read(&mut forgotten)? == 0 {
            break;
        }
    }
    Ok(())
}

/// One of the connections that are counted.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Option<Self> {
        let counted = Self(Arc::clone(count));
        (count.fetch_add(1, Ordering::SeqCst) < MOST_CONNECTIONS).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A server of this machine's 127.0.0.1, until it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Listens at `port` or, if that is 0, at one that the system chooses. `answers` gets the port.
    pub(super) fn start<A>(port: u16, answers: impl FnOnce(u16) -> A) -> io::Result<Self>
    where
        A: Fn(&Request) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(answers(address.port()));
        let server = Self {
            address,
            over: Arc::clone(&over),
        };
        let named = || thread::Builder::new().name("watch".into());
        named().spawn(move || {
            let count = Arc::default();
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(stream), Some(counted)) = (stream, Counted::new(&count)) else {
                    // Of an error, such as too many open files, the next call may say the same at once.
                    thread::sleep(Duration::from_millis(20));
                    continue;
                };
                let answers = Arc::clone(&answers);
                // Without a thread the connection closes; whoever asked may try again.
                let _ = named().spawn(move || {
                    let _ = serve(stream, &*answers);
                    drop(counted);
                });
            }
        })?;
        Ok(server)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that listens. It is not waited for.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

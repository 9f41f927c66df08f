//! The page's server: a handful of paths, for this machine's own browser alone.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Cursor;

use image::ImageFormat;
use tiny_http::{Header, Method, Request, Response, Server};

use super::state::State;

const PAGE: &str = include_str!("page.html");

type Answer = Response<Cursor<Vec<u8>>>;

/// Answers requests until the server is unblocked.
pub(super) fn serve(server: &Server, state: &State, port: u16) {
    let token = token();
    while let Ok(request) = server.recv() {
        let answer = answer(&request, state, port, &token);
        // Whoever asked may have left.
        let _ = request.respond(answer);
    }
}

/// Numbers that another page cannot guess: the keys of these hashers come from the operating system.
fn token() -> String {
    let keyed = || RandomState::new().hash_one("token");
    format!("{:016x}{:016x}", keyed(), keyed())
}

fn answer(request: &Request, state: &State, port: u16, token: &str) -> Answer {
    if !is_own(request, port) {
        return plain(403, "Only this machine's own page is answered.\n");
    }
    let url = request.url();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    match (request.method(), path) {
        (Method::Get, "/") => page(token),
        (Method::Get, "/state") => {
            let from = query.strip_prefix("from=").unwrap_or_default();
            let report = state.report(from.parse().unwrap_or(0));
            match serde_json::to_vec(&report) {
                Ok(json) => typed(json, "application/json"),
                Err(error) => plain(500, &format!("{error}\n")),
            }
        }
        (Method::Get, "/picture.png") => picture(state),
        (Method::Post, "/stop") if header(request, "X-Token").as_deref() == Some(token) => {
            state.stop();
            plain(200, "The run stops; the picture so far is kept.\n")
        }
        (Method::Post, "/stop") => plain(403, "The page's token is missing or wrong.\n"),
        _ => plain(404, "There is nothing here.\n"),
    }
}

/// Whether a request is for this server by its own name, and comes from its own page or from none. A
/// page of another site could reach 127.0.0.1 through a name of its own, but not with this name.
fn is_own(request: &Request, port: u16) -> bool {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let host = header(request, "Host").unwrap_or_default();
    let own_host = hosts.contains(&host.to_ascii_lowercase());
    let own_origin = header(request, "Origin").is_none_or(|origin| {
        let origin = origin.to_ascii_lowercase();
        hosts.iter().any(|host| origin == format!("http://{host}"))
    });
    own_host && own_origin
}

fn header(request: &Request, name: &'static str) -> Option<String> {
    let mut headers = request.headers().iter();
    let found = headers.find(|header| header.field.equiv(name))?;
    Some(found.value.as_str().to_owned())
}

fn page(token: &str) -> Answer {
    let html = PAGE.replace("{{token}}", token);
    // Nothing of another place is loaded, and no script but the page's own runs.
    let policy = format!(
        "default-src 'none'; img-src 'self'; connect-src 'self'; script-src 'nonce-{token}'; \
         style-src 'nonce-{token}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    with(
        typed(html.into_bytes(), "text/html; charset=utf-8"),
        "Content-Security-Policy",
        &policy,
    )
}

fn picture(state: &State) -> Answer {
    let Some(image) = state.picture() else {
        return plain(404, "There is no picture yet.\n");
    };
    let mut bytes = Cursor::new(Vec::new());
    match image.write_to(&mut bytes, ImageFormat::Png) {
        Ok(()) => typed(bytes.into_inner(), "image/png"),
        Err(error) => plain(500, &format!("{error}\n")),
    }
}

fn plain(status: u16, text: &str) -> Answer {
    typed(text.as_bytes().to_vec(), "text/plain; charset=utf-8").with_status_code(status)
}

fn typed(bytes: Vec<u8>, kind: &str) -> Answer {
    let answer = with(Response::from_data(bytes), "Content-Type", kind);
    let answer = with(answer, "Cache-Control", "no-store");
    let answer = with(answer, "X-Content-Type-Options", "nosniff");
    with(answer, "Cross-Origin-Resource-Policy", "same-origin")
}

fn with(answer: Answer, name: &str, value: &str) -> Answer {
    match Header::from_bytes(name, value) {
        Ok(header) => answer.with_header(header),
        // Headers of ASCII are always right.
        Err(()) => answer,
    }
}

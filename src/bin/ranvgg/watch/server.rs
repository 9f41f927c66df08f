//! The page's server: a handful of paths, for this machine's own browser alone.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Cursor};
use std::sync::Arc;

use image::ImageFormat;

use super::http::{Answer, Request, Server};
use super::state::State;

const PAGE: &str = include_str!("page.html");

/// Answers requests at `port`, or at one that the system chooses, until the server is dropped.
pub(super) fn start(port: u16, state: Arc<State>) -> io::Result<Server> {
    let token = token();
    Server::start(port, |port| {
        move |request: &Request| {
            answer(request, &state, port, &token)
                .with("Cache-Control", "no-store")
                .with("X-Content-Type-Options", "nosniff")
                .with("Cross-Origin-Resource-Policy", "same-origin")
        }
    })
}

/// Numbers that another page cannot guess: the keys of these hashers come from the operating system.
fn token() -> String {
    let keyed = || RandomState::new().hash_one("token");
    format!("{:016x}{:016x}", keyed(), keyed())
}

fn answer(request: &Request, state: &State, port: u16, token: &str) -> Answer {
    if !is_own(request, port) {
        return Answer::text(403, "Only this machine's own page is answered.\n");
    }
    let target = request.target.as_str();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (request.method.as_str(), path) {
        ("GET", "/") => page(token),
        ("GET", "/state") => {
            let from = query.strip_prefix("from=").unwrap_or_default();
            let report = state.report(from.parse().unwrap_or(0));
            match serde_json::to_vec(&report) {
                Ok(json) => Answer::new(200, "application/json", json),
                Err(error) => Answer::text(500, &format!("{error}\n")),
            }
        }
        ("GET", "/picture.png") => picture(state),
        ("POST", "/stop") if request.header("X-Token") == Some(token) => {
            state.stop();
            Answer::text(200, "The run stops; the picture so far is kept.\n")
        }
        ("POST", "/stop") => Answer::text(403, "The page's token is missing or wrong.\n"),
        _ => Answer::text(404, "There is nothing here.\n"),
    }
}

/// Whether a request is for this server by its own name, and comes from its own page or from none. A
/// page of another site could reach 127.0.0.1 through a name of its own, but not with this name.
fn is_own(request: &Request, port: u16) -> bool {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let host = request.header("Host").unwrap_or_default();
    let own_host = hosts.contains(&host.to_ascii_lowercase());
    let own_origin = request.header("Origin").is_none_or(|origin| {
        let origin = origin.to_ascii_lowercase();
        hosts.iter().any(|host| origin == format!("http://{host}"))
    });
    own_host && own_origin
}

fn page(token: &str) -> Answer {
    let html = PAGE.replace("{{token}}", token);
    // Nothing of another place is loaded, and no script but the page's own runs.
    let policy = format!(
        "default-src 'none'; img-src 'self'; connect-src 'self'; script-src 'nonce-{token}'; \
         style-src 'nonce-{token}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    Answer::new(200, "text/html; charset=utf-8", html.into_bytes())
        .with("Content-Security-Policy", policy)
}

fn picture(state: &State) -> Answer {
    let Some(image) = state.picture() else {
        return Answer::text(404, "There is no picture yet.\n");
    };
    let mut bytes = Cursor::new(Vec::new());
    match image.write_to(&mut bytes, ImageFormat::Png) {
        Ok(()) => Answer::new(200, "image/png", bytes.into_inner()),
        Err(error) => Answer::text(500, &format!("{error}\n")),
    }
}

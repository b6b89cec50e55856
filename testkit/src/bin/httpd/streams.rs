//! Streams that a client opens: the GET stream of a legacy session and its return, HTTP+SSE, and DELETE.
//!
//! Never makes a session of Streamable HTTP: that is `initialize`'s doing.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use http::{HeaderValue, Request, Response, StatusCode, header};

use crate::{
    app::App,
    body::{Body, Reader, Style},
    connection::{Answer, status},
    session::Session,
};

/// `GET /mcp`: the standing stream, or the rest of one that broke.
pub fn get<B>(app: &Arc<App>, request: &Request<B>) -> Answer {
    let Some(session) = named(app, request) else { return status(lost(app, request)) };
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    app.counts.streams.fetch_add(1, Relaxed);
    let reader = match last {
        None => session.stream.read(),
        Some(last) => match session.after(last) {
            Some((log, next)) => {
                app.counts.resumed.fetch_add(1, Relaxed);
                log.read_from(next)
            }
            None => return status(StatusCode::BAD_REQUEST),
        },
    };
    events(reader)
}

/// `DELETE /mcp`: the end of a session.
pub fn delete<B>(app: &Arc<App>, request: &Request<B>) -> Answer {
    let Some(session) = named(app, request) else { return status(lost(app, request)) };
    app.sessions().remove(&session.id);
    app.counts.deleted.fetch_add(1, Relaxed);
    session.stream.finish();
    status(StatusCode::OK)
}

/// `GET /sse`: a session whose every message comes on this stream.
pub fn open_sse(app: &Arc<App>) -> Answer {
    let session = Session::new(app.number(), "2024-11-05".into(), Style::Named);
    let session = Arc::new(session);
    app.counts.sessions.fetch_add(1, Relaxed);
    app.sessions().insert(session.id.clone(), Arc::clone(&session));
    session.stream.push_raw(format!("event: endpoint\ndata: /messages?sessionId={}\n\n", session.id));
    let (end, id) = (Arc::clone(app), session.id.clone());
    events(session.stream.read().on_drop(move || {
        end.sessions().remove(&id);
    }))
}

/// An answer of server-sent events.
pub fn events(reader: Reader) -> Answer {
    let mut response = Response::new(Body::Events(reader));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The session that the header names.
pub fn named<B>(app: &App, request: &Request<B>) -> Option<Arc<Session>> {
    app.session(request.headers().get("mcp-session-id")?.to_str().ok()?)
}

/// Why there is no session: none was named, or it is gone (2025-11-25, transports, "Session Management").
fn lost<B>(app: &App, request: &Request<B>) -> StatusCode {
    match request.headers().get("mcp-session-id") {
        _ if app.options.no_sessions => StatusCode::METHOD_NOT_ALLOWED,
        Some(_) => StatusCode::NOT_FOUND,
        None if app.options.mode == testkit::protocol::Mode::Modern => StatusCode::METHOD_NOT_ALLOWED,
        None => StatusCode::BAD_REQUEST,
    }
}

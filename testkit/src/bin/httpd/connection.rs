//! Takes connections and sends each request to its place.
//!
//! Never decides what an MCP message means: that is `post.rs`.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    app::App,
    body::Body,
    io::{Io, Seen},
    options::Transport,
    post, record, streams,
};

/// What a request is answered with; an error closes the connection without an answer.
pub type Answer = Result<Response<Body>, std::io::Error>;

/// One connection.
pub struct Connection {
    app: Arc<App>,
    /// Whether it has carried a request to the MCP endpoint, and so counts.
    counted: AtomicBool,
    /// The bytes read, when they are recorded.
    pub seen: Option<Seen>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if *self.counted.get_mut() {
            self.app.counts.open_connections.fetch_sub(1, Relaxed);
        }
    }
}

/// Accepts for ever.
pub async fn accept(listener: TcpListener, app: Arc<App>) -> std::io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, Arc::clone(&app)));
            }
            // Too many files: let some close before trying again.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

async fn serve(stream: TcpStream, app: Arc<App>) {
    let _ = stream.set_nodelay(true);
    let seen: Option<Seen> = app.options.record.then(|| Arc::new(Mutex::default()));
    let connection =
        Arc::new(Connection { app: Arc::clone(&app), counted: AtomicBool::new(false), seen: seen.clone() });
    let service = service_fn(move |request| route(Arc::clone(&app), Arc::clone(&connection), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(Io::new(stream, seen)), service).await;
}

async fn route(app: Arc<App>, connection: Arc<Connection>, request: Request<Incoming>) -> Answer {
    let streamable = app.options.transport == Transport::Streamable;
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/mcp") if streamable => {
            connection.count();
            post::streamable(&app, &connection, request).await
        }
        (&Method::GET, "/mcp") if streamable => {
            connection.count();
            streams::get(&app, &request)
        }
        (&Method::DELETE, "/mcp") if streamable => {
            connection.count();
            streams::delete(&app, &request)
        }
        (&Method::GET, "/sse") if !streamable => {
            connection.count();
            streams::open_sse(&app)
        }
        (&Method::POST, "/messages") if !streamable => {
            connection.count();
            post::message(&app, &connection, request).await
        }
        (_, "/mcp") if streamable => status(StatusCode::METHOD_NOT_ALLOWED),
        (_, "/sse") if !streamable => status(StatusCode::METHOD_NOT_ALLOWED),
        (&Method::GET, "/stats") => json(StatusCode::OK, app.stats().to_string()),
        (_, "/recorded" | "/answer") if app.options.record => record::route(&app, &connection, request).await,
        _ => status(StatusCode::NOT_FOUND),
    }
}

impl Connection {
    fn count(&self) {
        self.app.counts.requests.fetch_add(1, Relaxed);
        if !self.counted.swap(true, Relaxed) {
            self.app.counts.connections.fetch_add(1, Relaxed);
            self.app.counts.open_connections.fetch_add(1, Relaxed);
        }
    }

    /// Takes what was read since the last time.
    pub fn take_seen(&self) -> Vec<u8> {
        let Some(seen) = &self.seen else { return Vec::new() };
        std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An answer without a body.
pub fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    Ok(response)
}

/// An answer of JSON.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Body::Full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}

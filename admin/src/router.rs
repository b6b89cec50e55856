//! The endpoints, one line each, and the short answers. Never reads a body.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State as Shared, rejection::PathRejection},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{Problem, ServerStatus, State, View, logs};

/// What prometheus-client writes.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is true now may be wrong a moment later: no answer may be kept.
const FRESH: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// The whole API. Everything that it does not know is answered with a 404 problem.
pub fn router(view: Arc<dyn View>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/servers", get(servers))
        .route("/api/v1/servers/{name}", get(server))
        .route("/api/v1/servers/{name}/logs", get(logs::answer))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .with_state(view)
}

/// The state of every handler.
type Seen = Shared<Arc<dyn View>>;

/// The program runs: for people, with a summary. Always 200; `/ready` is the one to route by.
async fn health(Shared(view): Seen) -> Response {
    let (ready, servers) = (view.ready(), view.servers());
    let failed = servers.iter().any(|server| server.state == State::Failed);
    let status = if ready.ready && !failed { "ok" } else { "degraded" };
    let counts = State::count(&servers);
    fresh(json!({ "status": status, "version": ground::VERSION, "ready": ready.ready, "servers": counts }))
}

/// The program runs and answers: restart it when this fails.
async fn live() -> Response {
    fresh(json!({ "status": "live" }))
}

/// New clients are welcome (200), or are to be sent elsewhere for now (503).
async fn ready(Shared(view): Seen) -> Response {
    let ready = view.ready();
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [FRESH], Json(ready)).into_response()
}

async fn metrics(Shared(view): Seen) -> Response {
    ([FRESH, (header::CONTENT_TYPE, HeaderValue::from_static(METRICS))], view.metrics()).into_response()
}

async fn servers(Shared(view): Seen) -> Response {
    fresh(json!({ "servers": view.servers() }))
}

async fn server(Shared(view): Seen, name: Named) -> Result<Response, Problem> {
    let name = name_of(name)?;
    let server: ServerStatus = view.server(&name).ok_or_else(|| no_server(&name))?;
    Ok(([FRESH], Json(server)).into_response())
}

pub(crate) fn fresh(body: Value) -> Response {
    ([FRESH], Json(body)).into_response()
}

/// The server's name in the path.
pub(crate) type Named = Result<Path<String>, PathRejection>;

pub(crate) fn name_of(name: Named) -> Result<String, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    Ok(name)
}

pub(crate) fn no_server(name: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no server `{name}`; /api/v1/servers lists those there are"))
}

async fn unknown(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at `{}`", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` is only for reading: use GET, not {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

#[cfg(test)]
mod tests;

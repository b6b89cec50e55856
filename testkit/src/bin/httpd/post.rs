//! POST: one message in, checked by the rules of its era, and its answer.
//!
//! Rules: 2026-07-28 transports/streamable-http and 2025-11-25 transports. Where an old server may choose, this one does
//! what the reference servers do.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming as Incoming_;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use testkit::protocol::{
    Era, LEGACY, MODERN, Mode, Outcome, Refusal, check_meta, code, declared_version, error, rank, response,
};

use crate::{
    app::App,
    body::{Body, Style},
    calls::{self, Call},
    connection::{Answer, Connection, json as json_answer, status},
    fast,
    session::Session,
};

/// Largest body taken, in bytes.
pub const LARGEST_BODY: usize = 512 << 20;

/// A message, its id in its own spelling.
#[derive(Deserialize)]
pub struct Message {
    pub id: Option<Box<RawValue>>,
    pub method: Option<String>,
    #[serde(default)]
    pub params: Value,
    pub result: Option<Value>,
    pub error: Option<Value>,
}

/// POST to the MCP endpoint.
pub async fn streamable(app: &Arc<App>, connection: &Connection, request: Request<Incoming_>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = collect(body).await?;
    if app.options.record {
        app.recorder.keep(connection.take_seen(), &parts, &body);
    }
    if let Err(code) = admissible(&parts.headers) {
        return status(code);
    }
    if app.options.plain()
        && let Some(answer) = fast::echo(app, &parts.headers, &body)
    {
        return json_answer(StatusCode::OK, answer);
    }
    let Ok(message) = serde_json::from_slice::<Message>(&body) else {
        return refuse(None, &Refusal::new(code::PARSE, "Parse error"));
    };
    if let Some(answer) = strike(app, message.method.as_deref()).await {
        return answer;
    }
    if app.options.record
        && let Some(answer) = app.recorder.answer(&message)
    {
        return answer;
    }
    let modern = declared_version(&message.params).is_some()
        || parts.headers.get("mcp-protocol-version").is_some_and(|version| version == MODERN);
    match app.options.mode {
        Mode::Modern => self::modern(app, &parts.headers, message).await,
        Mode::Dual if modern => self::modern(app, &parts.headers, message).await,
        Mode::Dual | Mode::Legacy => legacy(app, &parts, message).await,
    }
}

/// POST of HTTP+SSE: the answer comes on the session's stream.
pub async fn message(app: &Arc<App>, connection: &Connection, request: Request<Incoming_>) -> Answer {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let session = query.strip_prefix("sessionId=").and_then(|id| app.session(id));
    let (parts, body) = request.into_parts();
    let body = collect(body).await?;
    if app.options.record {
        app.recorder.keep(connection.take_seen(), &parts, &body);
    }
    let Some(session) = session else { return status(StatusCode::NOT_FOUND) };
    let Ok(message) = serde_json::from_slice::<Message>(&body) else { return status(StatusCode::BAD_REQUEST) };
    if let Some(answer) = strike(app, message.method.as_deref()).await {
        return answer;
    }
    let Some((id, method)) = notice(app, &session, &message) else { return status(StatusCode::ACCEPTED) };
    if method == "initialize" {
        session.inner().capabilities = message.params["capabilities"].clone();
    }
    if method == "tools/call" {
        let out = Some(Arc::clone(&session.stream));
        calls::spawn(Call::new(app, Era::Legacy, id, message.params, Some(session), out));
    } else {
        let outcome = answer(app, Era::Legacy, &session, &method, &message.params);
        session.stream.push(&response(&id, &outcome));
    }
    status(StatusCode::ACCEPTED)
}

async fn collect(body: Incoming_) -> Result<Bytes, std::io::Error> {
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(std::io::Error::other)?;
    Ok(body.to_bytes())
}

/// The checks before a body is read: origin, what the client accepts, what it sends.
fn admissible(headers: &HeaderMap) -> Result<(), StatusCode> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text(header::ORIGIN)
        .is_some_and(|origin| !["http://127.0.0.1", "http://localhost"].iter().any(|own| origin.starts_with(own)))
    {
        return Err(StatusCode::FORBIDDEN);
    }
    let accepts = text(header::ACCEPT).unwrap_or_default();
    if !(accepts.contains("application/json") && accepts.contains("text/event-stream")) {
        return Err(StatusCode::NOT_ACCEPTABLE);
    }
    if !text(header::CONTENT_TYPE).unwrap_or_default().starts_with("application/json") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}

/// The faults that come in place of an answer, or before it.
async fn strike(app: &App, method: Option<&str>) -> Option<Answer> {
    if !(app.options.all_methods || method == Some("tools/call")) {
        return None;
    }
    let options = &app.options;
    if options.drop_connection_every.is_none() && options.status.is_none() && options.slow_headers == 0 {
        return None;
    }
    let turn = app.struck.fetch_add(1, Relaxed) + 1;
    if options.slow_headers > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(options.slow_headers)).await;
    }
    if options.drop_connection_every.is_some_and(|every| turn.is_multiple_of(every)) {
        app.counts.faults.fetch_add(1, Relaxed);
        return Some(Err(std::io::Error::other("dropped on purpose")));
    }
    let code = options.status.filter(|_| turn.is_multiple_of(options.every))?;
    app.counts.faults.fetch_add(1, Relaxed);
    Some(status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)))
}

async fn modern(app: &Arc<App>, headers: &HeaderMap, message: Message) -> Answer {
    let Some(method) = message.method else {
        return refuse(None, &Refusal::new(code::INVALID_REQUEST, "responses are not sent to this version"));
    };
    let Some(id) = message.id else { return status(StatusCode::ACCEPTED) };
    let params = message.params;
    if let Err(refusal) = agree(headers, &method, &params).and_then(|()| check_meta(&params, app.options.mode)) {
        return refuse(Some(&id), &refusal);
    }
    match method.as_str() {
        "tools/call" => calls::deliver(Call::new(app, Era::Modern, id, params, None, None)).await,
        "subscriptions/listen" => calls::listen(app, &id, &params),
        method => {
            let extra = app.extra.load(Relaxed);
            let outcome = app.offer.answer(Era::Modern, method, &params, extra);
            calls::send(app, method, Era::Modern, &id, &outcome.unwrap_or_else(|| Err(Refusal::method(method))))
        }
    }
}

/// Headers and body of a modern request must say the same (2026-07-28, streamable-http, "Server Validation").
fn agree(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), Refusal> {
    let name = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => None,
    };
    // A body without a version is for the check of `_meta` to refuse.
    let version = declared_version(params);
    let pairs = [("mcp-protocol-version", version), ("mcp-method", Some(method)), ("mcp-name", name)];
    for (header, wanted) in pairs {
        let Some(wanted) = wanted else { continue };
        same(headers, header, wanted)?;
    }
    if headers.get("mcp-protocol-version").is_none() {
        return Err(Refusal::new(code::HEADER_MISMATCH, format!("MCP-Protocol-Version is missing; served: {MODERN}")));
    }
    match params["arguments"]["region"].as_str() {
        Some(region) if method == "tools/call" && params["name"] == "regional" => {
            same(headers, "mcp-param-region", region)
        }
        _ => Ok(()),
    }
}

fn same(headers: &HeaderMap, header: &str, wanted: &str) -> Result<(), Refusal> {
    let value = headers.get(header).and_then(|value| value.to_str().ok()).map(decode);
    if value.as_deref() == Some(wanted) {
        return Ok(());
    }
    let message = format!("Header mismatch: {header} is {value:?}, the body says {wanted:?}");
    Err(Refusal::new(code::HEADER_MISMATCH, message))
}

/// A header value, out of its Base64 wrapping where it has one.
fn decode(value: &str) -> String {
    use base64::Engine as _;
    let wrapped = value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?="));
    let decoded = wrapped.and_then(|value| base64::engine::general_purpose::STANDARD.decode(value).ok());
    decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| value.to_owned())
}

async fn legacy(app: &Arc<App>, parts: &Parts, message: Message) -> Answer {
    if message.method.as_deref() == Some("initialize") {
        return initialize(app, message);
    }
    let version = parts.headers.get("mcp-protocol-version").map(|version| version.to_str().unwrap_or("?"));
    if version.is_some_and(|version| !LEGACY.contains(&version)) {
        return refuse_old(StatusCode::BAD_REQUEST, "Bad Request: Unsupported protocol version");
    }
    let session = match parts.headers.get("mcp-session-id").and_then(|id| id.to_str().ok()) {
        _ if app.options.no_sessions => {
            let version = version.unwrap_or("2025-03-26").to_owned();
            Arc::new(Session::new(app.number(), version, Style::Bare))
        }
        None => return refuse_old(StatusCode::BAD_REQUEST, "Bad Request: Mcp-Session-Id header is required"),
        Some(id) => match app.session(id) {
            Some(session) => session,
            None => return refuse_old(StatusCode::NOT_FOUND, "Session not found"),
        },
    };
    let Some((id, method)) = notice(app, &session, &message) else { return status(StatusCode::ACCEPTED) };
    if method == "tools/call" {
        return calls::deliver(Call::new(app, Era::Legacy, id, message.params, Some(session), None)).await;
    }
    let outcome = answer(app, Era::Legacy, &session, &method, &message.params);
    calls::send(app, &method, Era::Legacy, &id, &outcome)
}

fn initialize(app: &Arc<App>, message: Message) -> Answer {
    let Some(id) = message.id else { return status(StatusCode::ACCEPTED) };
    let outcome = app.offer.answer(Era::Legacy, "initialize", &message.params, false);
    let outcome = outcome.unwrap_or_else(|| Err(Refusal::method("initialize")));
    let version = match &outcome {
        Ok(result) => result["protocolVersion"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    };
    let mut answer = calls::send(app, "initialize", Era::Legacy, &id, &outcome)?;
    if !app.options.no_sessions {
        let session = Session::new(app.number(), version, Style::Numbered);
        session.inner().capabilities = message.params["capabilities"].clone();
        let mut sessions = app.sessions();
        if sessions.len() >= crate::app::MOST_SESSIONS {
            return status(StatusCode::SERVICE_UNAVAILABLE);
        }
        answer
            .headers_mut()
            .insert("mcp-session-id", HeaderValue::from_str(&session.id).map_err(std::io::Error::other)?);
        sessions.insert(session.id.clone(), Arc::new(session));
        app.counts.sessions.fetch_add(1, Relaxed);
    }
    Ok(answer)
}

/// Takes a notification or a response of the client; gives back the id and the method of a request.
fn notice(app: &App, session: &Session, message: &Message) -> Option<(Box<RawValue>, String)> {
    if let (Some(id), Some(method)) = (&message.id, &message.method) {
        return Some((id.clone(), method.clone()));
    }
    app.counts.notices.fetch_add(1, Relaxed);
    match (&message.id, message.method.as_deref()) {
        (None, Some("notifications/cancelled")) => session.cancel(&message.params["requestId"].to_string()),
        (Some(id), None) => {
            let asked = id.get().parse().ok().and_then(|id| session.inner().asked.remove(&id));
            if let Some(asked) = asked {
                let answer = message.result.clone().unwrap_or_else(|| json!({ "error": message.error }));
                let _ = asked.send(answer);
            }
        }
        _ => {}
    }
    None
}

/// Answers what needs no waiting.
fn answer(app: &App, era: Era, session: &Session, method: &str, params: &Value) -> Outcome {
    let uri = || params["uri"].as_str().unwrap_or_default().to_owned();
    match method {
        "logging/setLevel" => {
            let level = params["level"].as_str().and_then(rank).ok_or_else(|| Refusal::params("unknown log level"))?;
            session.level.store(level, Relaxed);
        }
        "resources/subscribe" => {
            session.inner().subscribed.insert(uri());
        }
        "resources/unsubscribe" => {
            session.inner().subscribed.remove(&uri());
        }
        method => {
            let outcome = app.offer.answer(era, method, params, app.extra.load(Relaxed));
            return outcome.unwrap_or_else(|| Err(Refusal::method(method)));
        }
    }
    Ok(json!({}))
}

/// A JSON-RPC error with the HTTP status of the modern era's table.
pub fn refuse(id: Option<&RawValue>, refusal: &Refusal) -> Answer {
    json_answer(modern_status(refusal.code), error(id, refusal))
}

/// The HTTP status of a JSON-RPC error (2026-07-28, streamable-http).
pub fn modern_status(code: i64) -> StatusCode {
    match code {
        code::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        code::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What the reference servers of the legacy era say when there is nobody to answer.
fn refuse_old(status: StatusCode, why: &str) -> Answer {
    let body = json!({"jsonrpc": "2.0", "error": {"code": -32000, "message": why}, "id": null});
    json_answer(status, body.to_string())
}

/// Bytes as the body that the options ask for.
pub fn spoil(app: &App, method: &str, bytes: Bytes) -> Body {
    let options = &app.options;
    if (options.stall_body || options.cut_body) && (options.all_methods || method == "tools/call") {
        app.counts.faults.fetch_add(1, Relaxed);
        return Body::half(&bytes, options.cut_body);
    }
    if options.chunked { Body::Chunks(bytes, 1000) } else { Body::Full(bytes) }
}

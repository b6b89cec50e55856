//! Keeps the very bytes of what arrived and answers with the very bytes it was given: for tests of transparency.
//!
//! `GET /recorded` lists what arrived since the last `DELETE /recorded`, oldest first: `method`, `path`, `headers` (pairs in order,
//! names as they were spelled), `head` (Base64 of request line and headers, byte for byte) and `body` (Base64, without
//! the framing of chunks).
//!
//! `PUT /answer?method=tools/call&status=200&piece=0` makes its body the answer to every request of that JSON-RPC
//! method, with its own `Content-Type` and every header `X-Answer-<Name>` as `<Name>`. `"@id@"` in the body stands for
//! the request's id as it was spelled; otherwise nothing is touched. With `piece` the body goes out in chunks of so
//! many bytes. `DELETE /answer` takes all of them back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::{
    app::App,
    body::Body,
    connection::{Answer, Connection, json as json_answer, status},
    post::{LARGEST_BODY, Message},
};

/// Requests kept; the oldest go first.
const KEPT_REQUESTS: usize = 4096;

/// What was kept, and what is answered.
#[derive(Default)]
pub struct Recorder {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    kept: VecDeque<Kept>,
    answers: HashMap<String, Canned>,
}

struct Kept {
    method: String,
    path: String,
    head: Vec<u8>,
    body: Bytes,
}

#[derive(Clone)]
struct Canned {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    piece: usize,
}

impl Recorder {
    /// Keeps a request. `seen` is what was read from the connection since the request before.
    pub fn keep(&self, mut seen: Vec<u8>, parts: &Parts, body: &Bytes) {
        let end = seen.windows(4).position(|four| four == b"\r\n\r\n").map_or(seen.len(), |at| at + 4);
        seen.truncate(end);
        let kept =
            Kept { method: parts.method.to_string(), path: parts.uri.to_string(), head: seen, body: body.clone() };
        let mut inner = self.inner();
        inner.kept.push_back(kept);
        if inner.kept.len() > KEPT_REQUESTS {
            inner.kept.pop_front();
        }
    }

    /// The answer that was put for this message.
    pub fn answer(&self, message: &Message) -> Option<Answer> {
        let canned = self.inner().answers.get(message.method.as_deref()?)?.clone();
        let body = match &message.id {
            Some(id) => splice(&canned.body, id.get()),
            None => canned.body,
        };
        let body = if canned.piece > 0 { Body::Chunks(body, canned.piece) } else { Body::Full(body) };
        let mut response = Response::new(body);
        *response.status_mut() = canned.status;
        response.headers_mut().extend(canned.headers);
        Some(Ok(response))
    }

    fn list(&self) -> Value {
        let inner = self.inner();
        let kept = inner.kept.iter().map(|kept| {
            json!({
                "method": kept.method,
                "path": kept.path,
                "headers": fields(&kept.head),
                "head": STANDARD.encode(&kept.head),
                "body": STANDARD.encode(&kept.body)
            })
        });
        kept.collect()
    }

    fn put(&self, parts: &Parts, body: Bytes) -> Option<()> {
        let (mut method, mut status, mut piece) = ("tools/call".to_owned(), StatusCode::OK, 0);
        for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("method", value) => method = value.to_owned(),
                ("status", value) => status = value.parse().ok()?,
                ("piece", value) => piece = value.parse().ok()?,
                _ => return None,
            }
        }
        let mut headers = Vec::new();
        for (name, value) in &parts.headers {
            if let Some(name) = name.as_str().strip_prefix("x-answer-") {
                headers.push((name.parse().ok()?, value.clone()));
            } else if name == header::CONTENT_TYPE {
                headers.push((name.clone(), value.clone()));
            }
        }
        self.inner().answers.insert(method, Canned { status, headers, body, piece });
        Some(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `/recorded` and `/answer`.
pub async fn route(app: &Arc<App>, connection: &Connection, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(std::io::Error::other)?.to_bytes();
    connection.take_seen();
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/recorded") => json_answer(StatusCode::OK, app.recorder.list().to_string()),
        (&Method::DELETE, "/recorded") => {
            app.recorder.inner().kept.clear();
            status(StatusCode::NO_CONTENT)
        }
        (&Method::PUT, "/answer") => match app.recorder.put(&parts, body) {
            Some(()) => status(StatusCode::NO_CONTENT),
            None => status(StatusCode::BAD_REQUEST),
        },
        (&Method::DELETE, "/answer") => {
            app.recorder.inner().answers.clear();
            status(StatusCode::NO_CONTENT)
        }
        _ => status(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// Names and values of the header fields of a request's head, as they were spelled.
fn fields(head: &[u8]) -> Vec<(String, String)> {
    let head = String::from_utf8_lossy(head);
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Puts the id where the body asks for it.
fn splice(body: &Bytes, id: &str) -> Bytes {
    let mark = b"\"@id@\"";
    match body.windows(mark.len()).position(|window| window == mark) {
        Some(at) => [&body[..at], id.as_bytes(), &body[at + mark.len()..]].concat().into(),
        None => body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_head_keep_their_spelling() {
        let head = b"POST /mcp HTTP/1.1\r\nHost: a\r\nX-OdD: 1 2\r\n\r\n";
        assert_eq!(fields(head), [("Host".into(), "a".into()), ("X-OdD".into(), "1 2".into())]);
    }

    #[test]
    fn an_id_is_put_only_where_it_is_asked_for() {
        assert_eq!(splice(&Bytes::from_static(b"{\"id\":\"@id@\"}"), "7e0"), &b"{\"id\":7e0}"[..]);
        assert_eq!(splice(&Bytes::from_static(b"{\"id\":1}"), "2"), &b"{\"id\":1}"[..]);
    }
}

//! Streamable HTTP towards a server: requests, the legacy session's GET stream, and the end of a session.
//!
//! Follows the transports page of 2025-11-25 (sessions, resumption) and of 2026-07-28 (headers, statelessness). Never
//! reads the body of an answer further than its head.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use ground::{Failure, Kind, Retry};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use wire::era::Era;

use super::{
    body::PiecesBody,
    endpoint::Endpoint,
    pool::{Pool, PooledBody},
};
use crate::message::Outgoing;

/// `Mcp-Session-Id`
pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// `MCP-Protocol-Version`
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// `Mcp-Method`
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// `Mcp-Name`
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// `Last-Event-ID`
pub const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// An error answer is read this far to tell what it says, in bytes.
const ERROR_BODY: usize = 64 << 10;

/// One era's way to a server on HTTP; in the legacy era, one session there.
pub struct Carrier {
    /// Where the server is.
    pub endpoint: Arc<Endpoint>,
    era: Era,
    session: OnceLock<HeaderValue>,
    version: OnceLock<HeaderValue>,
    in_flight: Arc<AtomicUsize>,
    bound: usize,
}

/// A call's place among those in flight.
pub struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Carrier {
    /// A carrier that has sent nothing yet.
    #[must_use]
    pub fn new(endpoint: Arc<Endpoint>, era: Era, bound: usize) -> Self {
        Self { endpoint, era, session: OnceLock::new(), version: OnceLock::new(), in_flight: Arc::default(), bound }
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place among the calls in flight.
    ///
    /// # Errors
    /// `Overloaded` at the bound.
    pub fn slot(&self) -> Result<Slot, Failure> {
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.bound {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            let text = format!("already has {} calls in flight, its limit", self.bound);
            return Err(self.endpoint.failure(Kind::Overloaded, Retry::NeverSent, &text));
        }
        Ok(Slot(self.in_flight.clone()))
    }

    /// Remembers the revision that the handshake settled.
    pub fn settle_version(&self, version: &str) {
        if let Ok(version) = HeaderValue::from_str(version) {
            let _ = self.version.set(version);
        }
    }

    /// Remembers the session that the server assigned.
    pub fn settle_session(&self, session: HeaderValue) {
        let _ = self.session.set(session);
    }

    /// Sends a message of a client and returns the head of the answer.
    ///
    /// # Errors
    /// As [`Pool::send`]; `SessionNotFound` when the server forgot the session: nothing was done then.
    pub async fn post(&self, pool: &Arc<Pool>, out: Box<Outgoing>) -> Result<Response<PooledBody>, Failure> {
        let mut headers = self.headers();
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::ACCEPT, BOTH);
        if self.era == Era::Modern {
            let method = match &out.method {
                Cow::Borrowed(known) => Ok(HeaderValue::from_static(known)),
                Cow::Owned(other) => HeaderValue::from_str(other),
            };
            if let Ok(method) = method {
                headers.insert(METHOD, method);
            }
            if let Some(Ok(name)) = out.name.as_deref().map(|n| HeaderValue::from_str(&wire::header::encode_header(n)))
            {
                headers.insert(NAME, name);
            }
            if !headers.contains_key(VERSION) {
                headers.insert(VERSION, HeaderValue::from_static(wire::era::MODERN));
            }
        }
        for (name, value) in out.headers {
            headers.insert(name, value);
        }
        self.request(pool, Method::POST, headers, PiecesBody::new(out.splice.into_pieces())).await
    }

    /// Opens, or resumes, the stream of the server's own messages.
    ///
    /// # Errors
    /// As [`Pool::send`].
    pub async fn get(&self, pool: &Arc<Pool>, last: Option<&Bytes>) -> Result<Response<PooledBody>, Failure> {
        let mut headers = self.headers();
        headers.insert(header::ACCEPT, EVENTS);
        if let Some(Ok(last)) = last.map(|l| HeaderValue::from_bytes(l)) {
            headers.insert(LAST_EVENT, last);
        }
        self.request(pool, Method::GET, headers, PiecesBody::empty()).await
    }

    /// Ends the session at the server. Servers may refuse; that is no failure.
    pub async fn delete(&self, pool: &Arc<Pool>) {
        if self.session.get().is_some() {
            let _ = self.request(pool, Method::DELETE, self.headers(), PiecesBody::empty()).await;
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(12);
        for (name, value) in &self.endpoint.headers {
            headers.append(name.clone(), value.clone());
        }
        if let Some(session) = self.session.get() {
            headers.insert(SESSION, session.clone());
        }
        if let Some(version) = self.version.get() {
            headers.insert(VERSION, version.clone());
        }
        headers
    }

    async fn request(
        &self,
        pool: &Arc<Pool>,
        method: Method,
        headers: HeaderMap,
        body: PiecesBody,
    ) -> Result<Response<PooledBody>, Failure> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoint.target.clone();
        *request.headers_mut() = headers;
        let response = pool.send(&self.endpoint, request).await?;
        if response.status() == StatusCode::NOT_FOUND && self.session.get().is_some() {
            let what = "no longer knows the session";
            return Err(self.endpoint.failure(Kind::SessionNotFound, Retry::NeverSent, what));
        }
        if response.status() == StatusCode::BAD_REQUEST && self.session.get().is_some() {
            return self.doubt_session(response).await;
        }
        Ok(response)
    }

    /// Several servers answer 400 where the specification says 404. An answer to the request itself has its id; without
    /// one, the request was refused as a whole, and the session is what it was refused for.
    async fn doubt_session(&self, response: Response<PooledBody>) -> Result<Response<PooledBody>, Failure> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ERROR_BODY).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let answered = wire::Envelope::parse(&body, crate::mux::DEPTH).is_ok_and(|envelope| envelope.id.is_some());
        if answered {
            return Ok(Response::from_parts(head, PooledBody::read(body)));
        }
        let failure = self.endpoint.failure(Kind::SessionNotFound, Retry::NeverSent, "no longer knows the session");
        Err(failure.with_detail(String::from_utf8_lossy(&body[..body.len().min(200)])))
    }

    /// Makes a failure of an answer that is neither JSON nor events.
    pub async fn refusal(&self, response: Response<PooledBody>) -> Failure {
        let status = response.status();
        let remedy = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; set its credentials under `headers`",
            s if s.is_redirection() => "; set `url` to where it points",
            _ => "",
        };
        let body = Limited::new(response.into_body(), ERROR_BODY).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let kind = if status.is_success() { Kind::Protocol } else { Kind::Unavailable };
        let failure =
            self.endpoint.failure(kind, Retry::MaybeSent, &format!("answered HTTP {status} without a message{remedy}"));
        failure.with_detail(String::from_utf8_lossy(&body[..body.len().min(200)]))
    }
}

/// The media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// One JSON message.
    Json,
    /// A stream of events.
    Events,
    /// Anything else, or nothing.
    Other,
}

/// Tells the media type of an answer.
#[must_use]
pub fn media(headers: &HeaderMap) -> Media {
    let Some(value) = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) else { return Media::Other };
    let essence = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
        Media::Events
    } else {
        Media::Other
    }
}

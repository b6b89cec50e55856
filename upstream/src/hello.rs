//! The first words between Hostler and a server, in each era, and what the server says of itself in them.

use std::sync::Arc;

use bytes::Bytes;
use ground::{Failure, Kind, Retry};
use http::StatusCode;
use tokio::time::sleep;
use wire::{
    Shape,
    era::{Era, MODERN, Version},
};

use crate::{
    http::{
        carrier::{Media, SESSION, media},
        events::Events,
        pool::{Pool, PooledBody},
    },
    link::{Link, Transport},
    message::{Message, Outgoing},
    mux::DEPTH,
};

/// Who Hostler says it is when it speaks for itself.
#[must_use]
pub fn own_info() -> String {
    format!("{{\"name\":\"{}\",\"version\":\"{}\"}}", ground::PRODUCT, ground::VERSION)
}

/// What a server said of itself.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The revision settled.
    pub version: Version,
    /// The whole result of `initialize` or `server/discover`, as it came.
    pub result: Bytes,
    /// What it offers.
    pub features: Features,
}

/// What a server offers, as its capabilities say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `tools`
    pub tools: bool,
    /// `prompts`
    pub prompts: bool,
    /// `resources`
    pub resources: bool,
    /// `resources.subscribe`
    pub subscribe: bool,
    /// `completions`
    pub completions: bool,
    /// `logging`
    pub logging: bool,
}

impl Features {
    /// Reads them from the result of `initialize` or `server/discover`.
    #[must_use]
    pub fn of(result: &[u8]) -> Self {
        let Some(capabilities) = wire::field(result, "capabilities") else { return Self::default() };
        let has = |key| wire::field(capabilities, key).is_some_and(|v| v != b"null");
        let subscribe = wire::field(capabilities, "resources").and_then(|r| wire::field(r, "subscribe"));
        Self {
            tools: has("tools"),
            prompts: has("prompts"),
            resources: has("resources"),
            subscribe: subscribe == Some(b"true"),
            completions: has("completions"),
            logging: has("logging"),
        }
    }
}

/// Says hello in the legacy era with the given `initialize` parameters (raw JSON), and opens the GET stream on HTTP.
///
/// # Errors
/// Why the server cannot be used in this era.
pub async fn legacy(link: &Arc<Link>, pool: &Arc<Pool>, params: &[u8]) -> Result<(), Failure> {
    let body = wire::build::request(b"\"hostler-initialize\"", "initialize", Some(params));
    let out = own(link, body)?;
    let answer = match link.transport() {
        Transport::Mux(_) => link.ask(pool, out).await?,
        Transport::Http(carrier) => {
            let slot = carrier.slot()?;
            let response = carrier.post(pool, out).await?;
            let session = response.headers().get(SESSION).cloned();
            let answer = crate::calls::Answer::http(response, slot);
            let message = first_answer(link, pool, answer).await?;
            if let Some(session) = session {
                carrier.settle_session(session);
            }
            message
        }
    };
    let result = result_of(link, &answer)?;
    let version = wire::field(&result, "protocolVersion").and_then(wire::text).and_then(|v| Version::parse(&v));
    let version = version
        .filter(|v| v.era() == Era::Legacy)
        .ok_or_else(|| protocol(link, "answered `initialize` with a protocol version that is not known here"))?;
    if let Transport::Http(carrier) = link.transport() {
        carrier.settle_version(version.as_str());
    }
    link.settle(Hello { version, features: Features::of(&result), result });
    let initialized = wire::build::notification("notifications/initialized", None);
    link.tell(pool, own(link, initialized)?).await?;
    if link.is_http() {
        listen(link, pool).await;
    }
    Ok(())
}

async fn first_answer(link: &Arc<Link>, pool: &Arc<Pool>, answer: crate::calls::Answer) -> Result<Message, Failure> {
    let mut replies = crate::calls::Replies::new(link.clone(), pool.clone(), answer);
    while let Some(event) = replies.next().await {
        let message = event?;
        if matches!(message.envelope.kind, Shape::Response | Shape::Error) {
            return Ok(message);
        }
        link.own_message(message);
    }
    Err(link.gone())
}

/// Says hello in the modern era: `server/discover`.
///
/// # Errors
/// Why the server cannot be used in this era; `UnsupportedVersion` when it is not of this era.
pub async fn modern(link: &Arc<Link>, pool: &Arc<Pool>) -> Result<(), Failure> {
    let meta = wire::build::modern_meta(MODERN, own_info().as_bytes(), b"{}", None);
    let params = [b"{\"_meta\":".as_slice(), &meta, b"}"].concat();
    let body = wire::build::request(b"\"hostler-discover\"", "server/discover", Some(&params));
    let mut answer = link.ask(pool, own(link, body.clone())?).await?;
    // "Select a mutually supported version and retry": there is but one, so a server that names it is asked once more.
    if offers(&answer, MODERN) {
        answer = link.ask(pool, own(link, body)?).await?;
    }
    if answer.envelope.kind == Shape::Error {
        let text = if wire::era::is_modern_error(&answer.body) {
            "speaks a later revision than this gateway"
        } else {
            "does not speak revision 2026-07-28"
        };
        let text = format!("server `{}` {text}", link.server());
        return Err(Failure::server(Kind::UnsupportedVersion, link.server(), Retry::No, text)
            .with_detail(excerpt(&answer.body)));
    }
    let result = result_of(link, &answer)?;
    let supported = wire::field(&result, "supportedVersions").is_some_and(|list| names(list, MODERN));
    if !supported {
        let text = format!("server `{}` does not serve revision {MODERN}", link.server());
        return Err(Failure::server(Kind::UnsupportedVersion, link.server(), Retry::No, text));
    }
    if let Transport::Http(carrier) = link.transport() {
        carrier.settle_version(MODERN);
    }
    link.settle(Hello { version: Version::V2026_07_28, features: Features::of(&result), result });
    Ok(())
}

/// Whether a server refuses a request for its revision, and names this one among those that it would take.
fn offers(answer: &Message, version: &str) -> bool {
    let refused = answer.envelope.error_code == Some(wire::era::code::UNSUPPORTED_VERSION);
    let data = wire::field(&answer.body, "error").and_then(|error| wire::field(error, "data"));
    let supported = data.and_then(|data| wire::field(data, "supported")).filter(|_| refused).unwrap_or_default();
    names(supported, version)
}

fn names(versions: &[u8], wanted: &str) -> bool {
    wire::elements(versions).any(|version| wire::text(version).is_some_and(|version| version == wanted))
}

fn own(link: &Link, body: Vec<u8>) -> Result<Box<Outgoing>, Failure> {
    Outgoing::own(body, link.era()).map_err(|fault| {
        Failure::gateway(Kind::Internal, "a message of the gateway's own is malformed").with_detail(fault)
    })
}

fn result_of(link: &Link, answer: &Message) -> Result<Bytes, Failure> {
    match answer.envelope.result {
        Some(span) => Ok(answer.share(span)),
        None => {
            use wire::era::code::{INVALID_PARAMS, METHOD_NOT_FOUND};
            let unknown = matches!(answer.envelope.error_code, Some(METHOD_NOT_FOUND | INVALID_PARAMS));
            let other_era = unknown || wire::era::is_modern_error(&answer.body);
            let kind = if other_era { Kind::UnsupportedVersion } else { Kind::Unavailable };
            let text = format!("server `{}` refused the handshake", link.server());
            let failure = Failure::server(kind, link.server(), Retry::No, text);
            Err(failure.with_detail(excerpt(&answer.body)))
        }
    }
}

/// The first part of a body, for the log.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

fn protocol(link: &Link, what: &str) -> Failure {
    Failure::server(Kind::Protocol, link.server(), Retry::No, format!("server `{}` {what}", link.server()))
}

/// Opens the stream of the server's own messages before the first call goes out, and keeps it open.
///
/// Servers need not offer one (405); then there is nothing to hear.
async fn listen(link: &Arc<Link>, pool: &Arc<Pool>) {
    let Transport::Http(carrier) = link.transport() else { return };
    let Some(stream) = open(carrier.get(pool, None).await) else { return };
    let (link, pool) = (Arc::downgrade(link), pool.clone());
    tokio::spawn(async move {
        let mut stream = Some(stream);
        let mut last = None;
        let mut wait = std::time::Duration::from_secs(1);
        // The link's end drops the stream; a stream that ends is taken up again while the link lives.
        while let Some(held) = link.upgrade().filter(|l| !l.is_closed()) {
            let Transport::Http(carrier) = held.transport() else { return };
            let events = match stream.take() {
                Some(body) => Some(body),
                None => open(carrier.get(&pool, last.as_ref()).await),
            };
            let Some(body) = events else { return };
            let mut events = Events::new(body, held.bound);
            let weak = Arc::downgrade(&held);
            let (endpoint, closed) = (carrier.endpoint.clone(), held.closing());
            drop(held);
            loop {
                let event = tokio::select! {
                    event = events.next(&endpoint) => event,
                    () = closed.cancelled() => return,
                };
                let Ok(Some(event)) = event else { break };
                last = event.id.filter(|id| !id.is_empty()).or(last);
                if let Some(millis) = event.retry {
                    wait = std::time::Duration::from_millis(millis.clamp(100, 30_000));
                }
                let Some(link) = weak.upgrade() else { return };
                if !event.data.is_empty()
                    && let Ok(message) = Message::parse(event.data, DEPTH)
                {
                    link.own_message(message);
                }
            }
            tokio::select! { () = sleep(wait) => {}, () = closed.cancelled() => return }
        }
    });
}

fn open(response: Result<http::Response<PooledBody>, Failure>) -> Option<PooledBody> {
    let response = response.ok()?;
    let events = response.status() == StatusCode::OK && media(response.headers()) == Media::Events;
    events.then(|| response.into_body())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_a_refusal_that_names_our_revision_is_asked_once_more() {
        let answer = |code: i64, data: &str| {
            let error = format!(r#"{{"code":{code},"message":"no","data":{data}}}"#);
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#);
            offers(&Message::parse(body.into(), DEPTH).unwrap(), MODERN)
        };
        assert!(answer(-32022, r#"{"supported":["2027-01-01","2026-07-28"]}"#));
        assert!(!answer(-32022, r#"{"supported":["2027-01-01"]}"#) && !answer(-32022, r#"{"supported":"2026-07-28"}"#));
        assert!(!answer(-32022, "null") && !answer(-32601, r#"{"supported":["2026-07-28"]}"#));
    }
}

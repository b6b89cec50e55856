//! The way in: from an HTTP request to a [`Call`], with the checks that the caller's era demands.
//!
//! Follows "Request Metadata" and "Server Validation" of revision 2026-07-28 and "Session Management" of 2025-11-25.
//! The body is parsed once, here.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ground::{Failure, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use plan::Limits;
use upstream::http::carrier::{METHOD, NAME, SESSION, VERSION};
use wire::{
    Envelope, Fault, Shape,
    era::{Era, MODERN, Version},
};

use crate::{admit, call::Call, gateway::Gateway, place::Place, session::Session};

/// Reads a request's body within its bounds of size and time.
///
/// # Errors
/// `TooLarge`, `Timeout`, or `UnsupportedMedia` for a body that does not say it is JSON.
pub async fn read(headers: &HeaderMap, body: Incoming, limits: &Limits) -> Result<Bytes, Failure> {
    if !is_json(headers) {
        let text = "the body's media type must be application/json (header `Content-Type`)";
        return Err(Failure::client(Kind::UnsupportedMedia, text));
    }
    let too_large = || {
        let text = format!("the body is over {} bytes, the limit (`limits.body`)", limits.body);
        Failure::client(Kind::TooLarge, text)
    };
    if body.size_hint().lower() > limits.body as u64 {
        return Err(too_large());
    }
    // A read of seconds without a byte is a client that is gone; the bound is on the whole, generous for slow links.
    let patience = limits.body_timeout + Duration::from_millis(limits.body as u64 / 1000);
    let collected = tokio::time::timeout(patience, Limited::new(body, limits.body).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(error)) => Err(Failure::client(Kind::InvalidRequest, "the body broke off").with_detail(error)),
        Err(_) => Err(Failure::client(Kind::InvalidRequest, "the body did not arrive in time (`limits.body_timeout`)")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = value.split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// The failure for a body that is no message.
#[must_use]
pub fn fault(fault: &Fault) -> Failure {
    let kind = match fault {
        Fault::Syntax { .. } => Kind::Parse,
        Fault::TooLarge => Kind::TooLarge,
        Fault::TooDeep { .. } | Fault::DuplicateKey { .. } | Fault::NotAMessage(_) => Kind::InvalidRequest,
    };
    Failure::client(kind, fault.to_string())
}

/// The era in which a message is written. A handshake without the modern marks is legacy; so is all that has none.
#[must_use]
pub fn era(envelope: &Envelope, headers: Option<&HeaderMap>) -> Era {
    let header = headers.and_then(|h| h.get(VERSION)).and_then(|v| v.to_str().ok());
    let marked =
        envelope.protocol_version.is_some() || header.and_then(Version::parse).is_some_and(|v| v.era() == Era::Modern);
    if marked { Era::Modern } else { Era::Legacy }
}

/// Makes a call of a body sent to the Streamable HTTP endpoint.
///
/// # Errors
/// What the client did wrong, in the order of the specification's validation.
pub fn streamable(
    gateway: &Arc<Gateway>,
    place: Place,
    headers: &HeaderMap,
    body: Bytes,
    envelope: Envelope,
) -> Result<Call, Failure> {
    let era = era(&envelope, Some(headers));
    let method = upstream::message::method(&envelope.method(&body));
    let session = match era {
        Era::Modern => {
            modern_headers(&envelope, &body, &method, headers)?;
            None
        }
        Era::Legacy if method == "initialize" => None,
        Era::Legacy => {
            legacy_version(headers)?;
            Some(session(gateway, &place, headers)?)
        }
    };
    let streams = admit::accepts(headers, "text/event-stream");
    if !streams && !admit::accepts(headers, "application/json") {
        let text = "the client must accept application/json and text/event-stream (header `Accept`)";
        return Err(Failure::client(Kind::NotAcceptable, text));
    }
    let along = if era == Era::Modern { along(headers) } else { Vec::new() };
    Ok(Call { place, era, body, envelope, method, session, headers: along, streams })
}

/// The headers that belong to the message and go to the server with it.
fn along(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mine = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("mcp-param-") || matches!(name, "traceparent" | "tracestate" | "baggage")
    };
    headers.iter().filter(|(name, _)| mine(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The session that a request names.
///
/// # Errors
/// `InvalidRequest` without the header, `SessionNotFound` for one that is unknown or belongs elsewhere.
pub fn session(gateway: &Gateway, place: &Place, headers: &HeaderMap) -> Result<Arc<Session>, Failure> {
    let Some(id) = headers.get(SESSION) else {
        let text = "a session is needed: send `initialize` first, then the header Mcp-Session-Id with every request";
        return Err(Failure::client(Kind::InvalidRequest, text));
    };
    let session = id.to_str().ok().and_then(|id| gateway.sessions.get(id)).filter(|s| s.place == *place);
    let session = session.ok_or_else(|| {
        Failure::client(Kind::SessionNotFound, "the session is unknown or has ended; initialize anew")
    })?;
    session.touch();
    Ok(session)
}

fn legacy_version(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get(VERSION) {
        // Revision 2025-03-26 has no such header.
        None => Ok(()),
        Some(value) => match value.to_str().ok().and_then(Version::parse) {
            Some(version) if version.era() == Era::Legacy => Ok(()),
            _ => Err(Failure::client(
                Kind::UnsupportedVersion,
                "the revision in the header MCP-Protocol-Version is not served",
            )),
        },
    }
}

fn mismatch(text: impl Into<String>) -> Failure {
    Failure::client(Kind::HeaderMismatch, text)
}

/// Checks a modern request's headers against its body.
///
/// # Errors
/// `HeaderMismatch`, `InvalidParams` or `UnsupportedVersion`.
pub fn modern_headers(envelope: &Envelope, body: &[u8], method: &str, headers: &HeaderMap) -> Result<(), Failure> {
    if envelope.kind == Shape::Notification {
        return Ok(());
    }
    if matches!(envelope.kind, Shape::Response | Shape::Error) {
        return Err(Failure::client(Kind::InvalidRequest, "clients of revision 2026-07-28 send no responses"));
    }
    let version = header_text(headers, &VERSION)?;
    modern_meta(envelope, body)?;
    let in_body = envelope.protocol_version.and_then(|span| wire::text(span.of(body)));
    if in_body.as_deref() != Some(&*version) {
        return Err(mismatch("the header MCP-Protocol-Version and the version in `_meta` differ"));
    }
    if version != MODERN {
        return Err(Failure::client(Kind::UnsupportedVersion, format!("revision `{version}` is not served")));
    }
    if header_text(headers, &METHOD)? != method {
        return Err(mismatch(format!("the header Mcp-Method and the method `{method}` differ")));
    }
    let source = match method {
        "tools/call" | "prompts/get" => envelope.name.map(|span| span.of(body)),
        "resources/read" => envelope.uri.map(|span| span.of(body)),
        _ if is_of_task(method) => task_id(envelope, body),
        _ => return Ok(()),
    };
    let header = header_text(headers, &NAME)?;
    let decoded =
        wire::header::decode_header(&header).ok_or_else(|| mismatch("the header Mcp-Name is not well encoded"))?;
    match source.and_then(wire::text) {
        Some(named) if named == decoded => Ok(()),
        Some(_) => Err(mismatch("the header Mcp-Name and the name in the body differ")),
        None => Err(Failure::client(Kind::InvalidParams, "`params` lacks the name, URI or task")),
    }
}

/// Whether a method is about one task, whose id stands in `Mcp-Name` (SEP-2663, the Tasks extension).
pub fn is_of_task(method: &str) -> bool {
    matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel")
}

/// The raw `params.taskId`.
pub fn task_id<'a>(envelope: &Envelope, body: &'a [u8]) -> Option<&'a [u8]> {
    wire::field(envelope.params?.of(body), "taskId")
}

/// Checks that a modern request says what each must say.
///
/// # Errors
/// `InvalidParams`
pub fn modern_meta(envelope: &Envelope, body: &[u8]) -> Result<(), Failure> {
    let lacks = |what: &str| Failure::client(Kind::InvalidParams, format!("`params._meta` lacks {what}"));
    let version = envelope.protocol_version.filter(|span| span.of(body).first() == Some(&b'"'));
    version.ok_or_else(|| lacks("`io.modelcontextprotocol/protocolVersion`"))?;
    let capabilities = envelope.client_capabilities.filter(|span| span.of(body).first() == Some(&b'{'));
    capabilities.ok_or_else(|| lacks("`io.modelcontextprotocol/clientCapabilities`"))?;
    Ok(())
}

/// Checks a modern request on a transport without headers.
///
/// # Errors
/// `InvalidParams` or `UnsupportedVersion`.
pub fn modern_request(call: &Call) -> Result<(), Failure> {
    modern_meta(&call.envelope, &call.body)?;
    let version = call.envelope.protocol_version.and_then(|span| wire::text(call.part(span))).unwrap_or_default();
    if version != MODERN {
        return Err(Failure::client(Kind::UnsupportedVersion, format!("revision `{version}` is not served")));
    }
    Ok(())
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<std::borrow::Cow<'a, str>, Failure> {
    let value = headers.get(name).ok_or_else(|| mismatch(format!("the header {name} is missing")))?;
    let text =
        value.to_str().map_err(|_| mismatch(format!("the header {name} has characters that are not allowed")))?;
    Ok(text.trim().into())
}

//! The way in: from an HTTP request to a [`Call`], with the checks that the caller's era demands.
//!
//! Follows "Request Metadata" and "Server Validation" of revision 2026-07-28 and "Session Management" of 2025-11-25.
//! The body is parsed once, here.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use ground::{Failure, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use plan::Limits;
use upstream::http::carrier::{METHOD, NAME, SESSION, VERSION};
use wire::{
    Envelope, Fault, Shape,
    era::{Era, MODERN, Version},
};

use crate::{
    admit,
    budget::{Budget, Room},
    call::Call,
    cross::PASSED_ON,
    gateway::Gateway,
    introduce,
    place::Place,
    session::Session,
};

/// Reads a request's body within its bounds of size and time, and within the room that all of them share.
///
/// # Errors
/// `TooLarge`, `Overloaded`, `InvalidRequest` for one that breaks off or is late, or `UnsupportedMedia` for a body that
/// does not say it is JSON.
pub async fn read(headers: &HeaderMap, body: Incoming, limits: &Limits, budget: &Budget) -> Result<Bytes, Failure> {
    if !is_json(headers) {
        let text = "the body's media type must be application/json (header `Content-Type`)";
        return Err(Failure::client(Kind::UnsupportedMedia, text));
    }
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > limits.body {
        return Err(too_large(limits));
    }
    let mut room = budget.room();
    room.fit(told).await?;
    // A read of seconds without a byte is a client that is gone; the bound is on the whole, generous for slow links.
    let patience = limits.body_timeout + Duration::from_millis(limits.body as u64 / 1000);
    match tokio::time::timeout(patience, collect(body, told, limits, &mut room)).await {
        Ok(collected) => Ok(room.around(collected?)),
        Err(_) => Err(Failure::client(Kind::InvalidRequest, "the body did not arrive in time (`limits.body_timeout`)")),
    }
}

fn too_large(limits: &Limits) -> Failure {
    let text = format!("the body is over {} bytes, the limit (`limits.body`)", limits.body);
    Failure::client(Kind::TooLarge, text)
}

/// Puts the pieces of a body together, of which the length may be told; nearly always there is only one.
async fn collect(mut body: Incoming, told: usize, limits: &Limits, room: &mut Room) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Failure::client(Kind::InvalidRequest, "the body broke off").with_detail(error))?;
        let Ok(piece) = frame.into_data() else { continue };
        let size = whole.len() + piece.len();
        if size > limits.body {
            return Err(too_large(limits));
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        room.fit(size).await?;
        if whole.is_empty() {
            whole.reserve(told.max(piece.len()));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
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
    let credential = headers.get(header::AUTHORIZATION).cloned();
    let passed_on = headers.contains_key(&PASSED_ON);
    Ok(Call { place, era, body, envelope, method, session, credential, passed_on, headers: along, streams })
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

/// Another revision than the one settled is let pass if it is served: the specification asks clients for the settled one
/// (SHOULD), refuses only what is not served, and the servers of the official SDKs do the same.
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

/// Checks a modern message's headers against its body.
///
/// # Errors
/// `HeaderMismatch`, `InvalidParams` or `UnsupportedVersion`.
pub fn modern_headers(envelope: &Envelope, body: &[u8], method: &str, headers: &HeaderMap) -> Result<(), Failure> {
    if envelope.kind == Shape::Notification {
        return notification_headers(envelope, body, method, headers);
    }
    if matches!(envelope.kind, Shape::Response | Shape::Error) {
        return Err(Failure::client(Kind::InvalidRequest, "clients of revision 2026-07-28 send no responses"));
    }
    let version = header_text(headers, &VERSION)?;
    modern_meta(envelope, body)?;
    same_version(envelope, body, &version)?;
    if version != MODERN {
        return Err(Failure::client(Kind::UnsupportedVersion, format!("revision `{version}` is not served")));
    }
    same_method(headers, method)?;
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

/// The revision asks for no headers on notifications; but those that are there must not say something else than the body.
fn notification_headers(envelope: &Envelope, body: &[u8], method: &str, headers: &HeaderMap) -> Result<(), Failure> {
    if headers.contains_key(METHOD) {
        same_method(headers, method)?;
    }
    if headers.contains_key(VERSION) && envelope.protocol_version.is_some() {
        same_version(envelope, body, &header_text(headers, &VERSION)?)?;
    }
    Ok(())
}

fn same_version(envelope: &Envelope, body: &[u8], header: &str) -> Result<(), Failure> {
    let in_body = envelope.protocol_version.and_then(|span| wire::text(span.of(body)));
    if in_body.as_deref() == Some(header) {
        return Ok(());
    }
    Err(mismatch("the header MCP-Protocol-Version and the version in `_meta` differ"))
}

fn same_method(headers: &HeaderMap, method: &str) -> Result<(), Failure> {
    if header_text(headers, &METHOD)? == method {
        return Ok(());
    }
    Err(mismatch(format!("the header Mcp-Method and the method `{method}` differ")))
}

/// Whether a method is about one task, whose id stands in `Mcp-Name` (SEP-2663, the Tasks extension).
pub fn is_of_task(method: &str) -> bool {
    matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel")
}

/// The raw `params.taskId`.
pub fn task_id<'a>(envelope: &Envelope, body: &'a [u8]) -> Option<&'a [u8]> {
    wire::field(envelope.params?.of(body), "taskId")
}

/// Checks that a modern request says what each must say, and introduces its client within bounds.
///
/// # Errors
/// `InvalidParams`
pub fn modern_meta(envelope: &Envelope, body: &[u8]) -> Result<(), Failure> {
    let lacks = |what: &str| Failure::client(Kind::InvalidParams, format!("`params._meta` lacks {what}"));
    let version = envelope.protocol_version.filter(|span| span.of(body).first() == Some(&b'"'));
    version.ok_or_else(|| lacks("`io.modelcontextprotocol/protocolVersion`"))?;
    let capabilities = envelope.client_capabilities.filter(|span| span.of(body).first() == Some(&b'{'));
    let capabilities = capabilities.ok_or_else(|| lacks("`io.modelcontextprotocol/clientCapabilities`"))?;
    introduce::fits("io.modelcontextprotocol/clientCapabilities", capabilities.of(body))?;
    let info = envelope.client_info.map_or(&b""[..], |span| span.of(body));
    introduce::fits("io.modelcontextprotocol/clientInfo", info)
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
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| mismatch(format!("the header {name} is missing")))?;
    if values.next().is_some() {
        return Err(mismatch(format!("the header {name} stands twice")));
    }
    let text =
        value.to_str().map_err(|_| mismatch(format!("the header {name} has characters that are not allowed")))?;
    Ok(text.trim().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_modern_clients_introduction_is_bounded() {
        let request = |name: usize, capability: usize| {
            let meta = format!(
                "{{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
                 \"io.modelcontextprotocol/clientInfo\":{{\"name\":\"{}\"}},\
                 \"io.modelcontextprotocol/clientCapabilities\":{{\"{}\":{{}}}}}}",
                "n".repeat(name),
                "c".repeat(capability)
            );
            let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{{\"_meta\":{meta}}}}}");
            modern_meta(&Envelope::parse(body.as_bytes(), 64).unwrap(), body.as_bytes())
        };
        request(60_000, 60_000).unwrap();
        for (name, capability, what) in [(300_000, 1, "clientInfo"), (1, 300_000, "clientCapabilities")] {
            let failure = request(name, capability).unwrap_err();
            assert_eq!(failure.kind(), Kind::InvalidParams);
            assert!(failure.message().contains(what), "{failure}");
        }
    }
}

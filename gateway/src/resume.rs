//! A legacy session's own stream (GET), its resumption (`Last-Event-ID`) and its end (DELETE).

use ground::{Failure, Kind};
use http::{HeaderMap, Response, StatusCode};
use upstream::http::carrier::{LAST_EVENT, SESSION, VERSION};
use wire::era::{Era, Version};

use crate::{admit, body::Body, enter, gateway::Lane, outlet::Outlet, place::Place, respond};

/// Opens the session's stream, or takes up the one that the last event names.
///
/// # Errors
/// Without a session, or for an event that is not of this session.
pub fn stream(lane: &Lane, place: &Place, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    let modern = headers.get(VERSION).and_then(|v| v.to_str().ok()).and_then(Version::parse);
    if modern.is_some_and(|version| version.era() == Era::Modern) {
        let text = "revision 2026-07-28 has no GET stream; send subscriptions/listen";
        return Err(Failure::client(Kind::MethodNotAllowed, text).with_detail("POST"));
    }
    if !admit::accepts(headers, "text/event-stream") {
        return Err(Failure::client(Kind::NotAcceptable, "the client must accept text/event-stream (header `Accept`)"));
    }
    if headers.get(SESSION).is_none() {
        // What a plain browser or an old client's probe gets.
        let text = "a session is needed: send `initialize` by POST first";
        return Err(Failure::client(Kind::MethodNotAllowed, text).with_detail("POST"));
    }
    let session = enter::session(&lane.gateway, place, headers)?;
    let (outlet, after) = match headers.get(LAST_EVENT).filter(|id| !id.is_empty()) {
        None => (session.outlet.clone(), None),
        Some(id) => {
            let named = id.to_str().ok().and_then(Outlet::parse_event_id);
            let (number, after) = named.ok_or_else(unknown_event)?;
            // What is no longer kept is told on the stream; a client could do nothing with a refusal.
            let outlet = session.stream_of(number).filter(|outlet| outlet.issued(after));
            (outlet.ok_or_else(unknown_event)?, Some(after))
        }
    };
    let events = outlet.read(after);
    Ok(respond::events(Body::stream(crate::shared::while_session(session, events))))
}

fn unknown_event() -> Failure {
    Failure::client(
        Kind::InvalidRequest,
        "the event named by Last-Event-ID is none of this session's, or its stream is no longer kept",
    )
}

/// Ends a session.
///
/// # Errors
/// When there is none.
pub fn end(lane: &Lane, place: &Place, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    let session = enter::session(&lane.gateway, place, headers)?;
    lane.gateway.sessions.end(&session.id);
    Ok(respond::bare(StatusCode::OK))
}

//! Clients whose messages share one stream: the deprecated HTTP+SSE transport, and what it has in common with WebSocket.
//!
//! Follows the transports page of revision 2024-11-05.

use std::{
    pin::{Pin, pin},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use ground::{Failure, Kind};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use plan::Limits;
use wire::{Envelope, Shape, era::Era};

use crate::{
    admit,
    body::Body,
    call::Call,
    enter,
    failure::{self, Tone},
    finish::Ticket,
    forward::Outcome,
    gateway::Lane,
    in_flight::Calls,
    own, path,
    place::Place,
    respond,
    session::{Session, Wire},
};

/// Opens the event stream; its first event names where to post.
///
/// # Errors
/// When the place does not exist or there are too many sessions.
pub fn open(lane: &Lane, place: Place, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    if !admit::accepts(headers, "text/event-stream") {
        return Err(Failure::client(Kind::NotAcceptable, "the client must accept text/event-stream (header `Accept`)"));
    }
    let session = connect(lane, place)?;
    let target = format!("{}?sessionId={}", session.place.path("messages"), session.id);
    let mut first = Vec::new();
    wire::sse::encode(None, Some("endpoint"), target.as_bytes(), &mut first);
    let ending = Ending { lane: lane.clone(), session: session.clone() };
    let events = session.outlet.read(None).map(move |event| {
        // The session lives as long as its stream.
        let _ = &ending;
        event
    });
    let all = stream::once(std::future::ready(Bytes::from(first))).chain(events);
    Ok(respond::events(Body::stream(all)))
}

/// A session on a shared wire.
///
/// # Errors
/// When the place does not exist or there are too many sessions.
pub fn connect(lane: &Lane, place: Place) -> Result<Arc<Session>, Failure> {
    lane.gateway.servers(&place)?;
    let prefixed = lane.gateway.view(&place).is_ok_and(|view| view.prefix);
    let session = Session::new(place, Wire::Shared, prefixed);
    lane.gateway.admit(&session)?;
    Ok(session)
}

/// Ends a session with what it is tied to.
pub struct Ending {
    /// Where it is.
    pub lane: Lane,
    /// Which.
    pub session: Arc<Session>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.lane.gateway.sessions.end(&self.session.id);
    }
}

/// Events for as long as the session lives.
pub fn while_session(
    session: Arc<Session>,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> impl Stream<Item = Bytes> + Send {
    let closing = session.closing.clone();
    events.take_until(async move { closing.cancelled().await })
}

/// Takes a message posted by a client of HTTP+SSE; its answer goes out on the stream.
///
/// # Errors
/// When there is no such session, the body is no message, or too many messages of the session are in flight.
pub async fn post(lane: &Lane, place: Place, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let limits = lane.gateway.plan.load().limits.clone();
    let (head, body) = request.into_parts();
    let id = head.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("sessionId="));
    let session =
        id.and_then(|id| lane.gateway.sessions.get(id)).filter(|s| s.place == place && s.wire == Wire::Shared);
    let session =
        session.ok_or_else(|| Failure::client(Kind::SessionNotFound, "the session is unknown or has ended"))?;
    session.touch();
    let body = enter::read(&head.headers, body, &limits, &lane.gateway.budget).await?;
    Envelope::parse(&body, limits.depth).map_err(|fault| enter::fault(&fault))?;
    if !begin(lane, &session, &limits, body) {
        let text = "too many requests wait for their answers, which the client does not read from its stream";
        return Err(Failure::client(Kind::Overloaded, text));
    }
    Ok(respond::bare(StatusCode::ACCEPTED))
}

/// Takes a message within the bound of those in flight, all at the same time. False at the bound: waiting for it would
/// keep answers from being written, or tie up a connection for each message.
pub fn begin(lane: &Lane, session: &Arc<Session>, limits: &Limits, body: Bytes) -> bool {
    let Some(turn) = Calls::turn(session, limits.session_calls) else { return false };
    let (lane, session) = (lane.clone(), session.clone());
    tokio::spawn(async move {
        message(&lane, &session, body).await;
        drop(turn);
    });
    true
}

/// Takes one message of a client on a shared wire. What answers it goes to the session's stream.
async fn message(lane: &Lane, session: &Arc<Session>, body: Bytes) {
    let depth = lane.gateway.plan.load().limits.depth;
    let envelope = match Envelope::parse(&body, depth) {
        Ok(envelope) => envelope,
        Err(fault) => {
            let (_, bytes) = failure::answer(&enter::fault(&fault), Tone::unknown());
            return session.outlet.offer(bytes).await;
        }
    };
    let era = enter::era(&envelope, None);
    let id = envelope.id.map(|span| body.slice(span.start as usize..span.end as usize));
    let call = Call {
        place: session.place.clone(),
        era,
        method: upstream::message::method(&envelope.method(&body)),
        body,
        envelope,
        session: Some(session.clone()),
        credential: None,
        passed_on: false,
        headers: Vec::new(),
        streams: true,
    };
    let request = call.envelope.kind == Shape::Request;
    let requested =
        call.envelope.protocol_version.and_then(|s| wire::text(call.part(s))).map(std::borrow::Cow::into_owned);
    match take(lane, session, call).await {
        Ok(outcome) => answer(session, outcome).await,
        Err((failure, _ticket)) if request => {
            let tone = Tone { era, id: id.as_deref(), requested: requested.as_deref() };
            session.outlet.offer(failure::answer(&failure, tone).1).await;
        }
        Err((failure, _)) => tracing::debug!(%failure, "a message of a client was dropped"),
    }
}

async fn take(lane: &Lane, session: &Arc<Session>, call: Call) -> Result<Outcome, (Failure, Option<Ticket>)> {
    let request = call.envelope.kind == Shape::Request;
    match call.era {
        Era::Modern if request => enter::modern_request(&call).map_err(|failure| (failure, None))?,
        Era::Legacy if request && call.method == "initialize" => {
            let ticket = Ticket::open(&lane.gateway, call.era, &call.method);
            return match own::initialize(lane, &call, session.wire).await {
                Ok((_, outcome)) => Ok(respond::accounted(outcome, ticket)),
                Err(failure) => Err((failure, Some(ticket))),
            };
        }
        Era::Legacy if request && call.method != "ping" && session.version().is_none() => {
            let text = "the first request on this connection must be `initialize`, or carry the `_meta` of revision 2026-07-28";
            return Err((Failure::client(Kind::InvalidRequest, text), None));
        }
        Era::Modern | Era::Legacy => {}
    }
    path::travel(lane, call).await
}

async fn answer(session: &Arc<Session>, outcome: Outcome) {
    match outcome {
        Outcome::Accepted => {}
        Outcome::Whole { body, .. } | Outcome::Raw(body) => match body.collect().await {
            Ok(collected) => session.outlet.offer(collected.to_bytes()).await,
            Err(error) => tracing::debug!(%error, "an answer broke off"),
        },
        Outcome::Stream(trail) => forward_all(session, Box::pin(respond::messages(trail))).await,
        Outcome::Listen(messages) | Outcome::Kept(_, messages) => forward_all(session, messages).await,
    }
}

async fn forward_all(session: &Arc<Session>, messages: Pin<Box<dyn Stream<Item = Bytes> + Send>>) {
    let mut messages = pin!(messages.take_until(session.closing.cancelled()));
    while let Some(message) = messages.next().await {
        session.outlet.offer(message).await;
    }
}

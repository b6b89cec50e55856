//! The way out on Streamable HTTP: outcomes and failures as responses of the caller's era.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use ground::Failure;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::timeout;
use upstream::{
    Pause,
    http::carrier::{SESSION, VERSION},
};
use wire::{Envelope, era::Era};

use crate::{
    admit,
    body::{Body, EVENT_ROOM},
    enter,
    failure::{self, Tone},
    finish::Ticket,
    forward::Outcome,
    gateway::Lane,
    meters::Refusal,
    outlet::{COMMENT, KEEP_ALIVE},
    path,
    place::Place,
    session::Session,
    trail::Trail,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A finished stream can be resumed for this long.
const RESUMABLE: Duration = Duration::from_secs(60);

/// What an answer to a failure must know of the caller, kept while the call is on its way.
pub struct Caller {
    era: Era,
    id: Option<Bytes>,
    requested: Option<String>,
}

impl Caller {
    /// What a message says of its caller.
    #[must_use]
    pub fn of(envelope: &Envelope, body: &Bytes, headers: &HeaderMap) -> Self {
        let era = enter::era(envelope, Some(headers));
        let id = envelope.id.map(|span| body.slice(span.start as usize..span.end as usize));
        let in_body =
            envelope.protocol_version.and_then(|span| wire::text(span.of(body))).map(std::borrow::Cow::into_owned);
        let in_header = || headers.get(VERSION).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Self { era, id, requested: in_body.or_else(in_header) }
    }

    fn tone(&self) -> Tone<'_> {
        Tone { era: self.era, id: self.id.as_deref(), requested: self.requested.as_deref() }
    }
}

fn json(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// A response that streams server-sent events.
#[must_use]
pub fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, EVENTS);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

/// A response without a body.
#[must_use]
pub fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// The answer to a request that did not become a call.
#[must_use]
pub fn refused(lane: &Lane, failure: &Failure) -> Response<Body> {
    lane.gateway.meters.refused.get_or_create(&Refusal { kind: failure.kind().word() }).inc();
    tracing::debug!(%failure, "request refused");
    let (status, body) = failure::answer(failure, Tone::unknown());
    json(status, Body::whole(body))
}

/// The answer to a failed call.
#[must_use]
pub fn failed(lane: &Lane, failure: &Failure, caller: &Caller, ticket: Option<Ticket>) -> Response<Body> {
    if ticket.is_none() {
        lane.gateway.meters.refused.get_or_create(&Refusal { kind: failure.kind().word() }).inc();
        tracing::debug!(%failure, "request refused");
    }
    let (status, bytes) = failure::answer(failure, caller.tone());
    let body = Body::whole(bytes);
    json(
        status,
        match ticket {
            Some(ticket) => body.with_ticket(ticket),
            None => body,
        },
    )
}

/// The answer to a handshake: with the session's id.
#[must_use]
pub fn greeted(session: &Arc<Session>, greeting: Outcome, ticket: Ticket) -> Response<Body> {
    let mut response = outcome(accounted(greeting, ticket));
    if let Ok(id) = HeaderValue::from_str(&session.id) {
        response.headers_mut().insert(SESSION, id);
    }
    response
}

/// Ties a call's account to what came of it.
#[must_use]
pub fn accounted(outcome: Outcome, ticket: Ticket) -> Outcome {
    match outcome {
        Outcome::Whole { status, body } => Outcome::Whole { status, body: body.with_ticket(ticket) },
        Outcome::Raw(body) => Outcome::Raw(body.with_ticket(ticket)),
        Outcome::Listen(messages) => {
            let mut ticket = ticket;
            ticket.answered();
            Outcome::Listen(Box::pin(messages.inspect(move |message| ticket.sent(message.len()))))
        }
        other => other,
    }
}

/// The response for what came of a call, in the kind that the client names first, where there is a choice: an answer at
/// hand is one event as well as JSON.
#[must_use]
pub fn chosen(came: Outcome, headers: &HeaderMap) -> Response<Body> {
    match came {
        Outcome::Whole { status: StatusCode::OK, body } if admit::prefers_events(headers) => match body.into_event() {
            Ok(event) => events(event),
            Err(body) => json(StatusCode::OK, body),
        },
        other => outcome(other),
    }
}

/// The response for what came of a call.
#[must_use]
pub fn outcome(outcome: Outcome) -> Response<Body> {
    match outcome {
        Outcome::Accepted => bare(StatusCode::ACCEPTED),
        Outcome::Whole { status, body } => json(status, body),
        Outcome::Raw(body) => events(body),
        Outcome::Listen(messages) => events(Body::stream(sse(messages))),
        Outcome::Kept(session, messages) => events(Body::stream(pump(&session, Arc::default(), messages))),
        Outcome::Stream(trail) => match trail.session().cloned() {
            Some(session) if trail.era() == Era::Legacy => {
                events(Body::stream(pump(&session, trail.pause(), Box::pin(messages(trail)))))
            }
            _ => events(Body::stream(sse(Box::pin(messages(trail))))),
        },
    }
}

/// The messages of a trail, for as long as somebody takes them.
pub fn messages(trail: Box<Trail>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(trail, |mut trail| async move {
        let message = trail.next().await?;
        Some((message, trail))
    })
}

/// Messages as events without ids, with comments where there is silence.
fn sse(messages: Pin<Box<dyn Stream<Item = Bytes> + Send>>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(messages, |mut messages| async move {
        match timeout(KEEP_ALIVE, messages.next()).await {
            Ok(message) => {
                let message = message?;
                let mut event = Vec::with_capacity(message.len() + EVENT_ROOM);
                wire::sse::encode(None, Some("message"), &message, &mut event);
                Some((Bytes::from(event), messages))
            }
            Err(_) => Some((COMMENT, messages)),
        }
    })
}

/// A legacy client that loses its stream has not cancelled its call: the answer is followed to its end by a task, kept
/// for a while, and read from there, now or after a resumption.
fn pump(
    session: &Arc<Session>,
    pause: Arc<Pause>,
    mut messages: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
) -> impl Stream<Item = Bytes> + Send + use<> {
    let outlet = session.stream();
    let held = Arc::downgrade(session);
    let events = outlet.read(None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => outlet.offer(message).await,
                    None => break,
                },
                retry = pause.next() => outlet.pause(retry),
            }
        }
        outlet.finish();
        // A client that lost its stream comes back for it soon, or never.
        let number = outlet.number();
        // The call is over: its id is free again, its link and account are let go.
        drop((messages, outlet));
        tokio::time::sleep(RESUMABLE).await;
        if let Some(session) = held.upgrade() {
            session.forget_stream(number);
        }
    });
    events
}

/// A batch of revision 2025-03-26: its messages travel at the same time, the answers come in one array.
pub async fn batch(lane: &Lane, place: Place, headers: &HeaderMap, body: Bytes) -> Response<Body> {
    let limits = lane.gateway.plan.load().limits.clone();
    let spans = match wire::batch(&body, limits.depth, limits.batch) {
        Ok(spans) if !spans.is_empty() => spans,
        Ok(_) => return refused(lane, &Failure::client(ground::Kind::InvalidRequest, "an empty batch")),
        Err(fault) => return refused(lane, &enter::fault(&fault)),
    };
    let known = enter::session(&lane.gateway, &place, headers).map(|session| session.version());
    match known {
        Ok(Some(version)) if version <= wire::era::Version::V2025_03_26 => {}
        Ok(_) => {
            let text = "batches exist only in revision 2025-03-26";
            return refused(lane, &Failure::client(ground::Kind::InvalidRequest, text));
        }
        Err(failure) => return refused(lane, &failure),
    }
    // A batch is answered in one piece, so each of its calls is told that the client takes no stream.
    let mut alone = headers.clone();
    alone.insert(header::ACCEPT, JSON);
    let answers = spans.into_iter().map(|span| {
        let message = body.slice(span.start as usize..span.end as usize);
        answer_of(lane, place.clone(), &alone, message, limits.depth)
    });
    let answers: Vec<Bytes> = stream::iter(answers).buffered(16).filter_map(std::future::ready).collect().await;
    if answers.is_empty() {
        return bare(StatusCode::ACCEPTED);
    }
    let mut out = b"[".to_vec();
    out.extend_from_slice(&answers.join(&b","[..]));
    out.push(b']');
    json(StatusCode::OK, Body::whole(out.into()))
}

async fn answer_of(lane: &Lane, place: Place, headers: &HeaderMap, message: Bytes, depth: usize) -> Option<Bytes> {
    let response = match Envelope::parse(&message, depth) {
        Ok(envelope) => path::one(lane, place, headers, message, envelope).await,
        Err(fault) => refused(lane, &enter::fault(&fault)),
    };
    let body = response.into_body().collect().await.ok()?.to_bytes();
    (!body.is_empty()).then_some(body)
}

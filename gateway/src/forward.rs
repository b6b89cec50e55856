//! The way to a server and back: a link is leased, the message sent, and the answer followed until its end.
//!
//! A call is sent a second time only when the server certainly did not act on the first (it forgot the session). Never
//! decides where a call goes.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use ground::{Failure, Kind, Retry};
use http::StatusCode;
use http_body::Body as _;
use tokio::time::{Instant, timeout, timeout_at};
use upstream::{Answer, Link, Message, Outgoing, Replies, http::carrier::Media};
use wire::{Shape, Splice, era::Era};

use crate::{
    body::Body,
    call::Call,
    cross,
    failure::{self, Tone},
    finish::Ticket,
    follow,
    gateway::Lane,
    in_flight::{Begun, Calls},
    own, respond, restore, rewrite,
    route::Trip,
    session::Session,
    trail::Trail,
};

/// Answers up to this size are looked at before they are passed on; larger ones stream through, in bytes.
const SMALL: u64 = 64 << 10;
/// Answers whose URIs must be rewritten are held up to this size; larger ones pass as they are, in bytes.
const REWRITTEN: u64 = 10 << 20;
/// A client that takes streams is given the head of one after this long without an answer, so that it knows it is heard.
pub(crate) const HEARD: Duration = Duration::from_secs(5);

/// What came of a call.
pub enum Outcome {
    /// One message.
    Whole {
        /// The status, where the client's transport has one.
        status: StatusCode,
        /// The message.
        body: Body,
    },
    /// A server's stream of events, to be passed on byte by byte.
    Raw(Body),
    /// Several messages, the last of which is the answer.
    Stream(Box<Trail>),
    /// Several messages for a legacy session, kept for a while in case it loses its stream.
    Kept(Arc<Session>, Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// Messages for as long as the client listens.
    Listen(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// Nothing to say.
    Accepted,
}

/// Takes a request to its server.
///
/// # Errors
/// Why there is no answer.
pub async fn forward(lane: &Lane, call: Call, trip: Trip, ticket: Ticket) -> Result<Outcome, (Failure, Ticket)> {
    if let Some(outcome) = still_wanted(&call, &trip) {
        return Ok(respond::accounted(outcome, ticket));
    }
    if cross::is_needed(call.era, &trip.server) {
        return Box::pin(cross::forward(lane, call, trip, ticket)).await;
    }
    match deliver(lane, &call, &trip).await {
        Ok(delivered) => hear(lane, call, trip, ticket, delivered).await,
        // Only now is it known that the server does not speak the caller's era.
        Err(failure) if failure.kind() == Kind::UnsupportedVersion && cross::is_needed(call.era, &trip.server) => {
            Box::pin(cross::forward(lane, call, trip, ticket)).await
        }
        Err(failure) => Err((failure, ticket)),
    }
}

/// A shared instance is not told to stop about a resource while other sessions want to hear of it.
fn still_wanted(call: &Call, trip: &Trip) -> Option<Outcome> {
    let (session, uri) = call.session.as_ref().zip(trip.name.as_deref()).filter(|_| call.era == Era::Legacy)?;
    if call.method != "resources/unsubscribe" {
        return None;
    }
    session.subscriptions.remove(trip.server.name(), uri);
    let link = session.holds.link_to(trip.server.name())?;
    if link.unsubscribe(session.peer(), uri) { None } else { own::result(call, b"{}").ok() }
}

/// Notes a subscription before the server hears of it, so that its first update is not missed.
fn note_subscription(lane: &Lane, call: &Call, trip: &Trip, link: &Arc<Link>) -> Result<(), Failure> {
    if call.method == "resources/subscribe"
        && let Some((session, uri)) = call.session.as_ref().zip(trip.name.as_deref())
    {
        let uri = session.subscriptions.add(trip.server.name(), uri)?;
        link.subscribe(session.peer(), &uri);
        restore::attend(lane, session, link);
    }
    Ok(())
}

struct Delivered {
    link: Arc<Link>,
    answer: Answer,
    begun: Option<Begun>,
    deadline: Instant,
}

async fn deliver(lane: &Lane, call: &Call, trip: &Trip) -> Result<Delivered, Failure> {
    let bounds = &trip.server.spec().bounds;
    let begun = match (&call.session, call.envelope.id) {
        (Some(session), Some(id)) => {
            Some(Calls::begin(session, &call.share(id), lane.gateway.plan.load().limits.session_calls)?)
        }
        _ => None,
    };
    let bell = begun.as_ref().map(|b| b.cancelled.clone());
    let sent = {
        // Pinned where it is made: moving it would cost more than all that is parsed.
        let sending = pin!(lease_and_send(lane, call, trip, begun.as_ref()));
        tokio::select! {
            sent = timeout(bounds.call_timeout, sending) => sent,
            () = follow::given_up(bell) => return Err(follow::cancelled_by_caller()),
        }
    };
    let (link, answer) = sent.map_err(|_| late(trip, bounds.call_timeout))??;
    Ok(Delivered { link, answer, begun, deadline: Instant::now() + bounds.call_deadline })
}

/// A server that forgot the session did nothing: another is opened then, and the call sent again.
async fn lease_and_send(
    lane: &Lane,
    call: &Call,
    trip: &Trip,
    begun: Option<&Begun>,
) -> Result<(Arc<Link>, Answer), Failure> {
    let link = lease(lane, call, trip).await?;
    match send(lane, call, trip, &link, begun).await {
        Err(failure) if failure.kind() == Kind::SessionNotFound => {
            trip.server.renounce(&link);
            Box::pin(async {
                let link = lease(lane, call, trip).await?;
                let answer = send(lane, call, trip, &link, begun).await?;
                Ok((link, answer))
            })
            .await
        }
        sent => sent.map(|answer| (link, answer)),
    }
}

/// The failure of a call that a server did not answer in time.
pub(crate) fn late(trip: &Trip, patience: Duration) -> Failure {
    let name = trip.server.name();
    let text = format!("server `{name}` did not answer within {patience:?} (its `call_timeout`)");
    Failure::server(Kind::Timeout, name, Retry::MaybeSent, text)
}

async fn lease(lane: &Lane, call: &Call, trip: &Trip) -> Result<Arc<Link>, Failure> {
    let session = call.session.as_ref().filter(|_| call.era == Era::Legacy);
    let held = session.and_then(|session| session.holds.link_to(trip.server.name()));
    if let Some(link) = held.filter(|link| link.era() == call.era) {
        return Ok(link);
    }
    let want = call.want();
    if session.is_none()
        && let Some(link) = trip.server.open_link(&want)
    {
        return Ok(link);
    }
    // The rare case, boxed so that the usual one stays small.
    Box::pin(async move {
        if session.is_some_and(|session| !session.holds.approach(&trip.server)) {
            return Err(ended());
        }
        let link = trip.server.link(&lane.pool, &want).await?;
        if let Some(session) = session
            && session.hold(&trip.server, &link)
        {
            restore::restore(lane, session, &link).await;
        }
        Ok(link)
    })
    .await
}

/// The failure of a call whose session ended before it could be sent.
fn ended() -> Failure {
    Failure::client(Kind::Cancelled, "the session has ended")
}

async fn send(
    lane: &Lane,
    call: &Call,
    trip: &Trip,
    link: &Arc<Link>,
    begun: Option<&Begun>,
) -> Result<Answer, Failure> {
    note_subscription(lane, call, trip, link)?;
    let out: Box<Outgoing> = call.outgoing(&trip.edits, trip.name.as_ref());
    let peer = call.session.as_ref().map(|session| session.peer());
    if let (Some(begun), Some(id)) = (begun, call.envelope.id) {
        begun.went(link, call.share(id));
    }
    let answer = link.call(&lane.pool, out, peer).await?;
    if let (Some(begun), Answer::Exchange(exchange)) = (begun, &answer) {
        begun.went(link, Bytes::from(exchange.number().to_string()));
    }
    Ok(answer)
}

async fn hear(
    lane: &Lane,
    call: Call,
    trip: Trip,
    ticket: Ticket,
    got: Delivered,
) -> Result<Outcome, (Failure, Ticket)> {
    let Delivered { link, answer, begun, deadline } = got;
    let prefixed = prefixed(lane, &call);
    match answer {
        Answer::Http { response, media: Media::Json, slot } => {
            let status = if call.era == Era::Modern { response.status() } else { legacy_status(response.status()) };
            let rewritten = prefixed && carries_uris(&call.method);
            // An answer whose length is not told is held if its URIs matter; the server's bound (`message`) still holds.
            let size = response.body().size_hint().upper();
            let held = size.map_or(rewritten, |size| size <= if rewritten { REWRITTEN } else { SMALL });
            if !held {
                let patience = Some(trip.server.spec().bounds.call_timeout);
                let body = Body::server(response.into_body(), slot, patience).with_ticket(ticket);
                return Ok(Outcome::Whole { status, body });
            }
            let mut replies =
                Replies::new(link.clone(), lane.pool.clone(), Answer::Http { response, media: Media::Json, slot });
            // A body that stalls behind its head is as late as no answer.
            let patience = trip.server.spec().bounds.call_timeout;
            match timeout_at(deadline.min(Instant::now() + patience), replies.next()).await {
                Ok(Some(Ok(message))) => Ok(whole(&call, &link, prefixed, message, status, ticket)),
                Ok(Some(Err(failure))) => Err((failure, ticket)),
                Ok(None) | Err(_) => Err((late(&trip, patience), ticket)),
            }
        }
        Answer::Http { response, media: Media::Events, slot }
            if call.era == Era::Modern && !prefixed && call.session.is_none() =>
        {
            // A stream of subscriptions may be silent for days.
            let bounds = &trip.server.spec().bounds;
            let patience = (call.method != "subscriptions/listen").then_some(bounds.call_timeout);
            Ok(Outcome::Raw(Body::server(response.into_body(), slot, patience).with_ticket(ticket)))
        }
        answer => Box::pin(several(lane, call, trip, ticket, Delivered { link, answer, begun, deadline })).await,
    }
}

/// An answer that may come in several messages; it often does not.
async fn several(
    lane: &Lane,
    call: Call,
    trip: Trip,
    ticket: Ticket,
    got: Delivered,
) -> Result<Outcome, (Failure, Ticket)> {
    let Delivered { link, answer, begun, deadline } = got;
    let prefixed = prefixed(lane, &call);
    let replies = Replies::new(link.clone(), lane.pool.clone(), answer);
    let mut trail = Box::new(Trail::new(call, trip, link, prefixed, replies, begun, deadline, ticket));
    match trail.first(HEARD).await {
        Some(Ok(message)) if trail.streams(&message) => {
            trail.say(message);
            Ok(Outcome::Stream(trail))
        }
        Some(Ok(message)) => {
            let (call, link, ticket) = trail.into_parts();
            Ok(whole(&call, &link, prefixed, message, StatusCode::OK, ticket))
        }
        Some(Err(failure)) => Err((failure, trail.into_parts().2)),
        None => Ok(Outcome::Stream(trail)),
    }
}

fn legacy_status(status: StatusCode) -> StatusCode {
    if status.is_client_error() { status } else { StatusCode::OK }
}

pub(crate) fn carries_uris(method: &str) -> bool {
    matches!(method, "tools/call" | "resources/read" | "prompts/get")
}

pub(crate) fn prefixed(lane: &Lane, call: &Call) -> bool {
    match &call.session {
        Some(session) => session.prefixed,
        None => lane.gateway.view(&call.place).is_ok_and(|view| view.prefix),
    }
}

/// The answer, under the caller's names.
fn whole(
    call: &Call,
    link: &Arc<Link>,
    prefixed: bool,
    message: Message,
    status: StatusCode,
    mut ticket: Ticket,
) -> Outcome {
    if message.envelope.kind == Shape::Error {
        ticket.answered_error();
    }
    let status = if call.era == Era::Modern && status == StatusCode::OK {
        modern_status(message.envelope.error_code)
    } else {
        status
    };
    let body = outward_answer(call, link, prefixed, message);
    Outcome::Whole { status, body: Body::spliced(body).with_ticket(ticket) }
}

/// The edits that make a server's answer the client's.
pub(crate) fn outward_answer(call: &Call, link: &Arc<Link>, prefixed: bool, message: Message) -> Splice {
    let mut splice = Splice::new(message.body.clone());
    if prefixed && carries_uris(&call.method) {
        rewrite::result(&mut splice, &message, &call.method, link.server());
    }
    splice
}

/// The status of an error that came over a transport without statuses.
pub(crate) fn modern_status(code: Option<i64>) -> StatusCode {
    let status = code.map(|code| wire::bridge::error_status(Era::Modern, code));
    status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK)
}

/// A failure as the message that ends a stream.
pub(crate) fn failed(call: &Call, failure: &Failure) -> Bytes {
    failure_message(call.era, call.id().unwrap_or_default(), failure)
}

/// The same for a call that is no longer at hand; `id` is raw, and empty when there is none.
pub(crate) fn failure_message(era: Era, id: &[u8], failure: &Failure) -> Bytes {
    let id = Some(id).filter(|id| !id.is_empty());
    failure::answer(failure, Tone { era, id, requested: None }).1
}

//! A modern caller's request on its way to a legacy server and back: sent, sent once more when the server has forgotten
//! the guest, and followed to its end.
//!
//! What is heard is a stream that loses nothing when whoever reads it turns to something else in between. Never
//! answers anything.

use std::{
    hash::BuildHasher,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use foldhash::quality::RandomState;
use futures_util::{Stream, stream};
use ground::{Failure, Kind, Retry, Source};
use upstream::{Link, Message, OnDrop, Outgoing, PeerId, Replies};
use wire::{Level, Splice, bridge, era::Era};

use super::guest::Guest;
use crate::{call::Call, gateway::Lane, level, route::Trip};

/// What is heard of a request.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly all are")]
pub enum Heard {
    /// The server had forgotten the guest; this is the new way to it.
    Opened(Arc<Link>),
    /// The head of an answer is there, or the request is on a shared stream under this number.
    Sent(Option<u64>),
    /// The server says something.
    Said(Message),
}

struct Errand {
    lane: Lane,
    guest: Arc<Guest>,
    wanted: Option<Level>,
}

#[expect(clippy::large_enum_variant, reason = "the large one is what nearly every call has, once")]
enum Stage {
    /// The request is to be sent, and may be sent `again`.
    Send {
        link: Arc<Link>,
        out: Box<Outgoing>,
        again: bool,
    },
    Read(Arc<Link>, Replies),
}

/// Sends a request over a guest's link, under a raw id where the server is on HTTP.
pub fn run(
    lane: &Lane,
    call: &Call,
    trip: &Trip,
    guest: &Arc<Guest>,
    link: Arc<Link>,
    id: &Bytes,
) -> impl Stream<Item = Result<Heard, Failure>> + Send + use<> {
    let out = Box::new(outgoing(call, trip, &link, id));
    let errand = Errand { lane: lane.clone(), guest: guest.clone(), wanted: wanted_level(call) };
    stream::unfold(Some((errand, Stage::Send { link, out, again: true })), |state| async move {
        let (errand, stage) = state?;
        match errand.step(stage).await {
            Ok((heard, next)) => Some((Ok(heard), Some((errand, next)))),
            Err(failure) => Some((Err(failure), None)),
        }
    })
}

impl Errand {
    async fn step(&self, stage: Stage) -> Result<(Heard, Stage), Failure> {
        match stage {
            Stage::Send { link, out, again } => match self.send(&link, out.clone()).await {
                Ok(replies) => Ok((Heard::Sent(replies.number()), Stage::Read(link, replies))),
                Err(failure) if failure.kind() == Kind::SessionNotFound => {
                    self.guest.server().renounce(&link);
                    if !again {
                        return Err(forgotten(&link, failure.retry()));
                    }
                    let link = self.guest.link(&self.lane).await?;
                    Ok((Heard::Opened(link.clone()), Stage::Send { link, out, again: false }))
                }
                Err(failure) => Err(failure),
            },
            Stage::Read(link, mut replies) => {
                let message = replies.next().await.unwrap_or_else(|| Err(link.gone()));
                let message = message.map_err(|failure| in_mid_call(&link, &failure))?;
                Ok((Heard::Said(message), Stage::Read(link, replies)))
            }
        }
    }

    async fn send(&self, link: &Arc<Link>, out: Box<Outgoing>) -> Result<Replies, Failure> {
        if let Some(wanted) = self.wanted {
            self.guest.lower(&self.lane, link, level::of(wanted)).await;
        }
        // Each call is somebody of its own, so that a server's request is never handed to another.
        let answer = link.call(&self.lane.pool, out, Some(PeerId::fresh())).await?;
        Ok(Replies::new(link.clone(), self.lane.pool.clone(), answer))
    }
}

fn forgotten(link: &Link, retry: Retry) -> Failure {
    let name = link.server();
    Failure::server(Kind::Broken, name, retry, format!("server `{name}` forgot the session of the call"))
}

/// A failure after the server took the call: whatever it says of itself, the call may have been acted on, and a session
/// that was forgotten is none of the caller's.
#[must_use]
pub fn in_mid_call(link: &Link, failure: &Failure) -> Failure {
    if failure.kind() == Kind::SessionNotFound {
        return forgotten(link, Retry::MaybeSent);
    }
    if !matches!(failure.source(), Source::Server(_)) {
        return failure.clone();
    }
    let told = Failure::server(failure.kind(), link.server(), Retry::MaybeSent, failure.message());
    match failure.detail() {
        Some(detail) => told.with_detail(detail),
        None => told,
    }
}

fn outgoing(call: &Call, trip: &Trip, link: &Link, id: &Bytes) -> Outgoing {
    let mut splice = Splice::new(call.body.clone());
    for (span, with) in &trip.edits {
        splice.replace(*span, with.clone());
    }
    bridge::legacy_request(&mut splice, &call.envelope);
    if link.is_http() {
        // Callers that share the guest may have chosen the same ids and tokens. A shared stream exchanges them itself.
        if let Some(span) = call.envelope.id {
            splice.replace(span, id.clone());
        }
        bridge::progress_token(&mut splice, &call.envelope, id.clone());
    }
    Outgoing {
        splice,
        envelope: call.envelope,
        body: call.body.clone(),
        era: Era::Legacy,
        method: call.method.clone(),
        name: trip.name.clone(),
        headers: Vec::new(),
        hears_log: true,
        owner: Some(owner(call)),
        on_drop: OnDrop::Cancel,
    }
}

/// The client of a request, as far as it can be told, whichever connection it comes on.
fn owner(call: &Call) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let info = call.envelope.client_info.map_or(&b""[..], |span| call.part(span));
    SEED.hash_one((call.credential.as_ref().map(|credential| credential.as_bytes()), info))
}

/// The level of log messages that a request asks for.
#[must_use]
pub fn wanted_level(call: &Call) -> Option<Level> {
    call.envelope.log_level.and_then(|span| Level::parse(call.part(span)))
}

//! What goes on at a legacy server for a modern caller, also while nobody waits for it.
//!
//! Dropped before its end, it is cancelled at the server.

use std::sync::Arc;

use bytes::Bytes;
use ground::{Failure, Kind, Retry, ServerName};
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, timeout},
};
use upstream::{Link, Message, OnDrop, Outgoing, PeerId, Replies};
use wire::{Level, Shape, Splice, bridge, era::Era};

use super::guest::Seat;
use crate::{call::Call, follow, forward, gateway::Lane, level, route::Trip};

/// The call at its server.
pub struct Run {
    lane: Lane,
    seat: Seat,
    link: Arc<Link>,
    replies: Replies,
    /// The raw id by which a server on HTTP knows the call.
    id: Bytes,
    deadline: Instant,
    finished: bool,
}

impl Run {
    /// Sends a modern caller's request from a guest's seat, and once more when the server has forgotten the guest.
    ///
    /// # Errors
    /// Why it could not be sent.
    pub async fn start(
        lane: &Lane,
        call: &Call,
        trip: &Trip,
        seat: Seat,
        bell: Option<Arc<Notify>>,
    ) -> Result<Self, Failure> {
        let bounds = &trip.server.spec().bounds;
        let id = Bytes::from(format!("\"{}\"", ground::fresh::ordered_id()));
        let sending = async {
            match send(lane, call, trip, &seat, &id).await {
                Err(failure) if failure.kind() == Kind::SessionNotFound => send(lane, call, trip, &seat, &id).await,
                sent => sent,
            }
        };
        let cancelled = follow::given_up(bell);
        let sent = tokio::select! {
            sent = timeout(bounds.call_timeout, sending) => sent,
            () = cancelled => return Err(follow::cancelled_by_caller()),
        };
        let (link, replies) = sent.map_err(|_| forward::late(trip, bounds.call_timeout))??;
        let deadline = Instant::now() + bounds.call_deadline;
        Ok(Self { lane: lane.clone(), seat, link, replies, id, deadline, finished: false })
    }

    /// The next message of the server about the call.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn next(&mut self, trip: &Trip, bell: Option<Arc<Notify>>) -> Result<Message, Failure> {
        let message = tokio::select! {
            message = follow::next(&mut self.replies, &self.link, trip, self.deadline, bell) => message,
            Some(message) = self.seat.inbox.recv() => Ok(message),
        };
        self.finished = match &message {
            Ok(message) => matches!(message.envelope.kind, Shape::Response | Shape::Error),
            Err(failure) => failure.kind() != Kind::Timeout && failure.kind() != Kind::Cancelled,
        };
        self.seat.note(!self.finished);
        message
    }

    /// Gives the server answers to its requests.
    ///
    /// # Errors
    /// Why they could not be sent.
    pub async fn answer(&self, answers: Vec<Vec<u8>>) -> Result<(), Failure> {
        for answer in answers {
            let out = Outgoing::own(answer, Era::Legacy).map_err(|fault| {
                let text = "an answer for the server is malformed";
                Failure::server(Kind::Protocol, self.link.server(), Retry::No, text).with_detail(fault)
            })?;
            self.link.tell(&self.lane.pool, out).await?;
        }
        Ok(())
    }

    /// Notes that it waits for its caller's input, or goes on.
    pub fn waits(&self, waits: bool) {
        self.seat.waits(waits);
    }

    /// The link on which it goes on.
    #[must_use]
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        self.link.server()
    }

    /// The number by which a server on a shared stream knows the call.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.replies.number()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // On a shared stream the exchange says so itself. In the legacy era a closed connection is no cancellation.
        if self.finished || !self.link.is_http() || self.link.is_closed() {
            return;
        }
        let (link, pool, id) = (self.link.clone(), self.lane.pool.clone(), self.id.clone());
        // At the very end of the program nobody is left to say it, nor to hear it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { link.cancel(&pool, &id, "the caller went away").await });
        }
    }
}

async fn send(lane: &Lane, call: &Call, trip: &Trip, seat: &Seat, id: &Bytes) -> Result<(Arc<Link>, Replies), Failure> {
    let link = seat.guest.link(lane).await?;
    if let Some(wanted) = wanted_level(call) {
        seat.guest.lower(lane, &link, level::of(wanted)).await;
    }
    let out = outgoing(call, trip, &link, id);
    seat.note(true);
    // Each call is somebody of its own, so that a server's request is never handed to another.
    match link.call(&lane.pool, out, Some(PeerId::fresh())).await {
        Ok(answer) => Ok((link.clone(), Replies::new(link, lane.pool.clone(), answer))),
        Err(failure) => {
            if failure.kind() == Kind::SessionNotFound {
                trip.server.renounce(&link);
            }
            Err(failure)
        }
    }
}

fn outgoing(call: &Call, trip: &Trip, link: &Link, id: &Bytes) -> Box<Outgoing> {
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
    Box::new(Outgoing {
        splice,
        envelope: call.envelope,
        body: call.body.clone(),
        era: Era::Legacy,
        method: call.method.clone(),
        name: trip.name.clone(),
        headers: Vec::new(),
        hears_log: true,
        on_drop: OnDrop::Cancel,
    })
}

/// The level of log messages that a request asks for.
#[must_use]
pub fn wanted_level(call: &Call) -> Option<Level> {
    call.envelope.log_level.and_then(|span| Level::parse(call.part(span)))
}

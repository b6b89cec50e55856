//! An answer that comes in several messages: each made the client's as it passes, until the last.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ground::Failure;
use tokio::time::{Instant, timeout};
use upstream::{Link, Message, Pause, Peer, Replies};
use wire::{Shape, era::Era};

use crate::{call::Call, finish::Ticket, follow, forward, in_flight::Begun, route::Trip, session::Wire};

/// A lone answer up to this size may be an event, in bytes: it is kept for a while in case the client lost its stream.
const EVENT: usize = 64 << 10;

/// The messages of one answer.
pub struct Trail {
    call: Call,
    trip: Trip,
    link: Arc<Link>,
    prefixed: bool,
    replies: Replies,
    /// A message that was read to see whether it was the only one.
    held: Option<Result<Message, Failure>>,
    begun: Option<Begun>,
    deadline: Instant,
    ticket: Ticket,
    finished: bool,
}

impl Trail {
    #[expect(clippy::too_many_arguments, reason = "one call site, which hands over all that it has")]
    pub(crate) fn new(
        call: Call,
        trip: Trip,
        link: Arc<Link>,
        prefixed: bool,
        replies: Replies,
        begun: Option<Begun>,
        deadline: Instant,
        ticket: Ticket,
    ) -> Self {
        Self { call, trip, link, prefixed, replies, held: None, begun, deadline, ticket, finished: false }
    }

    /// Waits for the first message, and returns it if it is the answer itself, or a failure. `None` when there are, or
    /// may be, several.
    pub(crate) async fn first(&mut self, patience: Duration) -> Option<Result<Message, Failure>> {
        let event = if self.call.streams {
            let pause = self.replies.pause().clone();
            tokio::select! {
                event = timeout(patience, self.event()) => event.ok()?,
                // The client is let go for as long as the server wants to be left alone.
                () = pause.begins() => return None,
            }
        } else {
            // This client takes only the answer: what comes before it is handed to its session, or lost.
            self.answer_alone().await
        };
        match event {
            Ok(message) if !matches!(message.envelope.kind, Shape::Response | Shape::Error) => {
                self.held = Some(Ok(message));
                None
            }
            answer => Some(answer),
        }
    }

    async fn answer_alone(&mut self) -> Result<Message, Failure> {
        loop {
            let message = self.event().await?;
            if matches!(message.envelope.kind, Shape::Response | Shape::Error) {
                return Ok(message);
            }
            let Some(session) = &self.call.session else { continue };
            if message.envelope.kind == Shape::Request && !session.outlet.is_read() {
                let why = "the client has no stream on which it could be asked";
                self.link.answer_own(&message, Err((wire::era::code::INTERNAL, why)));
            } else if let Some(bytes) = session.outward(&self.link, &message) {
                session.outlet.push(bytes);
            }
        }
    }

    /// The next message from the server, within the call's time and unless the caller gives it up.
    async fn event(&mut self) -> Result<Message, Failure> {
        let bell = self.begun.as_ref().map(|begun| begun.cancelled.clone());
        // A stream of subscriptions may be silent for days.
        if self.call.method == "subscriptions/listen" {
            return self.replies.next().await.unwrap_or_else(|| Err(self.link.gone()));
        }
        follow::next(&mut self.replies, &self.link, &self.trip, self.deadline, bell).await
    }

    /// The next message as the client is to see it; `None` after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.finished {
                return None;
            }
            let event = match self.held.take() {
                Some(event) => event,
                None => self.event().await,
            };
            let bytes = match event {
                Ok(message) => self.outward(message),
                Err(failure) => {
                    self.finished = true;
                    self.ticket.failed(&failure);
                    Some(forward::failed(&self.call, &failure))
                }
            };
            if let Some(bytes) = bytes {
                self.ticket.sent(bytes.len());
                return Some(bytes);
            }
        }
    }

    fn outward(&mut self, message: Message) -> Option<Bytes> {
        match message.envelope.kind {
            Shape::Response | Shape::Error => {
                self.finished = true;
                if message.envelope.kind == Shape::Error {
                    self.ticket.answered_error();
                }
                self.ticket.answered();
                Some(forward::outward_answer(&self.call, &self.link, self.prefixed, message).into_bytes())
            }
            Shape::Request | Shape::Notification => match (&self.call.session, self.call.era) {
                // Changed lists concern the session, not the call in which the server happened to say so.
                (Some(session), Era::Legacy) if message.method().ends_with("/list_changed") => {
                    session.deliver(&self.link, message);
                    None
                }
                (Some(session), Era::Legacy) => {
                    let bytes = session.outward(&self.link, &message);
                    if bytes.is_none() && message.envelope.kind == Shape::Request {
                        let why = "the client has too many requests to answer";
                        self.link.answer_own(&message, Err((wire::era::code::INTERNAL, why)));
                    }
                    bytes
                }
                (_, Era::Modern) if message.envelope.kind == Shape::Request => {
                    // Servers of this era ask in their results; a request here is their mistake.
                    let why = "requests to clients do not exist in revision 2026-07-28";
                    self.link.answer_own(&message, Err((wire::era::code::METHOD_NOT_FOUND, why)));
                    None
                }
                _ => {
                    let mut splice = wire::Splice::new(message.body.clone());
                    if self.prefixed {
                        crate::rewrite::message(&mut splice, &message, self.link.server());
                    }
                    Some(splice.into_bytes())
                }
            },
        }
    }

    /// Says the answer as one message of a stream: it was the first one read.
    pub(crate) fn say(&mut self, answer: Message) {
        self.held = Some(Ok(answer));
    }

    /// Whether a client gets even a lone answer on a stream of its own, as servers of the official SDKs give it: on
    /// sessions of Streamable HTTP, from servers that do so or have no answers of another kind.
    pub(crate) fn streams(&self, answer: &Message) -> bool {
        let session = self.call.session.as_ref().filter(|_| self.call.era == Era::Legacy && self.call.streams);
        session.is_some_and(|session| session.wire == Wire::Streamable) && answer.body.len() <= EVENT
    }

    /// The pauses that the server makes in its stream.
    #[must_use]
    pub fn pause(&self) -> Arc<Pause> {
        self.replies.pause().clone()
    }

    /// The session, on the transports that have one.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<crate::session::Session>> {
        self.call.session.as_ref()
    }

    /// The era of the caller.
    #[must_use]
    pub fn era(&self) -> Era {
        self.call.era
    }

    pub(crate) fn into_parts(self) -> (Call, Arc<Link>, Ticket) {
        (self.call, self.link, self.ticket)
    }
}

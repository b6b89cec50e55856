//! Many calls over one two-way stream of messages (standard streams, in-memory streams, HTTP+SSE).
//!
//! Ids and progress tokens are exchanged for numbers of our own on the way out and put back on the way in, because
//! callers that share a stream may choose the same ones. Never reads or writes a stream itself: `pipe` and `sse` do.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use foldhash::HashMap;
use ground::{Failure, Kind, Retry, ServerName};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use wire::{Pieces, Shape, Span, Splice};

use crate::{
    departed::{self, Caller, Departed, Who},
    message::{Message, OnDrop, Outgoing},
    peer::PeerId,
};

/// Messages that wait for one caller. A caller that reads too slowly loses notifications, never its answer.
const EXCHANGE_QUEUE: usize = 256;

/// Of bodies over this size in bytes nothing is kept by reference while the call goes on.
const LARGE: usize = 16 << 10;

/// Nesting that is accepted from a server.
pub const DEPTH: usize = 256;

/// The shared stream.
pub struct Mux {
    server: ServerName,
    next: AtomicU64,
    calls: Mutex<Calls>,
    bound: usize,
    to_server: mpsc::Sender<Pieces>,
    closed: OnceLock<Failure>,
    lost_notifications: AtomicU64,
}

#[derive(Default)]
struct Calls {
    pending: HashMap<u64, Pending>,
    departed: Departed,
}

impl Calls {
    /// Everybody whom a message that names no call may concern.
    fn concerned(&mut self, message: &Message) -> Vec<Who> {
        let log = message.method() == "notifications/message";
        let pending = self.pending.iter().map(|(number, pending)| (*number, pending.caller));
        // A client may read in one call what was logged about another of its own.
        let others = |owner: Option<u64>| owner.is_none() || self.pending.values().any(|one| one.caller.owner != owner);
        let within = if log { departed::LOGS } else { departed::ASKS };
        let departed = self.departed.lingering(within).filter(|(_, caller)| !log || others(caller.owner));
        let everybody = pending.chain(departed);
        // Requests that stand alone are asked in their results, and Hostler's own not at all.
        let mut who: Vec<Who> = everybody
            .filter(|(_, caller)| if log { caller.hears_log } else { caller.peer.is_some() })
            .map(|(number, caller)| caller.who(number))
            .collect();
        who.sort_unstable();
        who.dedup();
        who
    }

    /// Offers a message to somebody's newest call that goes on.
    fn offer(&self, to: Who, message: &Message) -> bool {
        let theirs = self.pending.iter().filter(|(number, pending)| pending.caller.who(**number) == to);
        let newest = theirs.max_by_key(|(number, _)| **number);
        newest.is_some_and(|(_, pending)| pending.events.try_send(Ok(message.clone())).is_ok())
    }
}

struct Pending {
    events: mpsc::Sender<Event>,
    /// Room that is kept for the answer.
    last: mpsc::OwnedPermit<Event>,
    /// The caller's id, as it wrote it.
    id: Bytes,
    /// The caller's progress token, as it wrote it.
    token: Option<Bytes>,
    caller: Caller,
}

/// What a caller hears of its call.
pub type Event = Result<Message, Failure>;

/// Who a message that answers no call is for.
#[derive(Debug, PartialEq, Eq)]
pub enum Addressee {
    /// It has been handed to a call.
    Taken,
    /// The sessions named; none named means all that are attached.
    Peers(Vec<PeerId>),
    /// Several callers are concerned, or one that is gone, so nobody can be told it or asked.
    Ambiguous,
}

impl Mux {
    /// A stream whose outgoing messages are taken from the receiver.
    #[must_use]
    pub fn new(server: ServerName, bound: usize) -> (Arc<Self>, mpsc::Receiver<Pieces>) {
        let (to_server, outbox) = mpsc::channel(64);
        let mux = Self {
            server,
            next: AtomicU64::new(1),
            calls: Mutex::default(),
            bound,
            to_server,
            closed: OnceLock::new(),
            lost_notifications: AtomicU64::new(0),
        };
        (Arc::new(mux), outbox)
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.calls.lock().pending.len()
    }

    /// Sends a request and returns the exchange on which its answer arrives.
    ///
    /// # Errors
    /// `Overloaded` at the bound of calls in flight; the reason of the end when the stream has ended.
    pub async fn call(self: &Arc<Self>, mut out: Box<Outgoing>, peer: Option<PeerId>) -> Result<Exchange, Failure> {
        let Some(id_span) = out.envelope.id else {
            return Err(Failure::gateway(Kind::Internal, "a request without an id was routed to a server"));
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (events, inbox) = mpsc::channel(EXCHANGE_QUEUE);
        let Ok(last) = events.clone().try_reserve_owned() else {
            return Err(Failure::gateway(Kind::Internal, "a fresh queue has no room"));
        };
        let digits = Bytes::from(number.to_string());
        out.splice.replace(id_span, digits.clone());
        let token = out.envelope.progress_token.map(|span| {
            out.splice.replace(span, digits);
            share(&out.body, span)
        });
        let pending = Pending {
            events,
            last,
            id: share(&out.body, id_span),
            token,
            caller: Caller { peer, hears_log: out.hears_log, owner: out.owner },
        };
        self.enter(number, pending)?;
        let exchange = Exchange { mux: self.clone(), number, inbox, finished: false, on_drop: out.on_drop };
        self.send(out.splice.into_pieces()).await?;
        Ok(exchange)
    }

    fn enter(&self, number: u64, pending: Pending) -> Result<(), Failure> {
        let table = &mut self.calls.lock().pending;
        // Under the lock, so that a call cannot slip in behind `close`.
        if let Some(failure) = self.closed.get() {
            return Err(failure.clone());
        }
        if table.len() >= self.bound {
            let text = format!("server `{}` already has {} calls in flight, its limit", self.server, self.bound);
            return Err(Failure::server(Kind::Overloaded, &self.server, Retry::NeverSent, text));
        }
        table.insert(number, pending);
        Ok(())
    }

    /// Sends a message that expects no answer.
    ///
    /// # Errors
    /// The reason of the end when the stream has ended.
    pub async fn send(&self, pieces: Pieces) -> Result<(), Failure> {
        if let Some(failure) = self.closed.get() {
            return Err(failure.clone());
        }
        self.to_server.send(pieces).await.map_err(|_| self.why_closed())
    }

    /// Sends a message if there is room at once: for places that may not wait.
    pub fn try_send(&self, message: Vec<u8>) {
        if self.to_server.try_send(Splice::new(message.into()).into_pieces()).is_err() {
            tracing::debug!(server = %self.server, "no room for a message to the server; dropped");
        }
    }

    /// Tells the server that a call is given up, and ends the call here.
    pub fn cancel(&self, number: u64, reason: &str) {
        let Some(pending) = self.depart(number) else { return };
        self.tell_cancelled(number, reason);
        pending.last.send(Err(Failure::client(Kind::Cancelled, "the request was cancelled by its caller")));
    }

    /// Takes a call out whose server may still be at it.
    fn depart(&self, number: u64) -> Option<Pending> {
        let mut calls = self.calls.lock();
        let pending = calls.pending.remove(&number)?;
        calls.departed.note(number, pending.caller);
        Some(pending)
    }

    fn tell_cancelled(&self, number: u64, reason: &str) {
        let params = format!("{{\"requestId\":{number},\"reason\":{}}}", wire::quote(reason));
        self.try_send(wire::build::notification("notifications/cancelled", Some(params.as_bytes())));
    }

    /// Ends the stream: all calls in flight fail with the reason, and so do later ones.
    pub fn close(&self, why: &Failure) {
        let _ = self.closed.set(why.clone());
        let pending = std::mem::take(&mut self.calls.lock().pending);
        for (_, pending) in pending {
            pending.last.send(Err(why.clone().in_flight()));
        }
    }

    /// Why the stream ended.
    #[must_use]
    pub fn why_closed(&self) -> Failure {
        self.closed.get().cloned().unwrap_or_else(|| {
            let text = format!("the connection to server `{}` has ended", self.server);
            Failure::server(Kind::Unavailable, &self.server, Retry::NeverSent, text)
        })
    }

    /// Whether the stream has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Hands an answer to its call. Answers nobody waits for are dropped: late, doubled or invented.
    pub fn answer(&self, message: Message) {
        let number = match message.envelope.id {
            Some(span) => number(message.part(span)),
            // An error without an id can only be attributed when a single call is in flight.
            None => self.only_call(),
        };
        let Some(pending) = number.and_then(|number| self.take(number)) else {
            tracing::debug!(server = %self.server, "an answer to no call in flight; dropped");
            return;
        };
        let mut splice = Splice::new(message.body.clone());
        if let Some(span) = message.envelope.id {
            splice.replace(span, pending.id.clone());
        }
        if let Some(span) = message.envelope.subscription_id {
            splice.replace(span, pending.id.clone());
        }
        pending.last.send(respliced(splice, &message, &self.server));
    }

    /// Takes the call out that an answer is for; one that was given up is over now.
    fn take(&self, number: u64) -> Option<Pending> {
        let mut calls = self.calls.lock();
        let pending = calls.pending.remove(&number);
        if pending.is_none() {
            calls.departed.ended(number);
        }
        pending
    }

    fn only_call(&self) -> Option<u64> {
        let mut calls = self.calls.lock();
        let alone = calls.pending.len() == 1 && calls.departed.lingering(departed::ASKS).next().is_none();
        alone.then(|| calls.pending.keys().next().copied()).flatten()
    }

    /// Hands a notification or request of the server to the call it belongs to, or says whom it is for.
    pub fn attribute(&self, message: &Message) -> Addressee {
        let envelope = &message.envelope;
        if let Some(span) = envelope.progress_token_param {
            self.to_call(message, span, |pending| pending.token.clone());
            return Addressee::Taken;
        }
        if let Some(span) = envelope.subscription_id {
            self.to_call(message, span, |pending| Some(pending.id.clone()));
            return Addressee::Taken;
        }
        let mut calls = self.calls.lock();
        let concerned = calls.concerned(message);
        match concerned[..] {
            [] => Addressee::Peers(Vec::new()),
            [only] if calls.offer(only, message) => Addressee::Taken,
            [Who::Peer(only)] => Addressee::Peers(vec![only]),
            [Who::Call(_)] => Addressee::Ambiguous,
            // What one caller is asked or told of its call is never another's to hear.
            _ if envelope.kind == Shape::Request || message.method() == "notifications/message" => Addressee::Ambiguous,
            _ => Addressee::Peers(concerned.into_iter().filter_map(Who::peer).collect()),
        }
    }

    fn to_call(&self, message: &Message, span: Span, original: impl Fn(&Pending) -> Option<Bytes>) {
        let Some(number) = number(message.part(span)) else { return };
        let calls = self.calls.lock();
        let Some(pending) = calls.pending.get(&number) else { return };
        let Some(original) = original(pending) else { return };
        let mut splice = Splice::new(message.body.clone());
        splice.replace(span, original);
        if pending.events.try_send(respliced(splice, message, &self.server)).is_err() {
            self.lost_notifications.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The edited message, parsed anew: its parts have moved.
fn respliced(splice: Splice, original: &Message, server: &ServerName) -> Event {
    if splice.is_empty() {
        return Ok(original.clone());
    }
    Message::parse(splice.into_bytes(), DEPTH).map_err(|fault| {
        Failure::server(Kind::Protocol, server, Retry::MaybeSent, "the server's answer cannot be read")
            .with_detail(fault)
    })
}

/// A part of a body, which is not kept from being let go by so few bytes of it.
fn share(body: &Bytes, span: Span) -> Bytes {
    if body.len() > LARGE {
        return Bytes::copy_from_slice(span.of(body));
    }
    body.slice(span.start as usize..span.end as usize)
}

fn number(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

/// One call in flight: what the server says about it, until its answer.
pub struct Exchange {
    mux: Arc<Mux>,
    number: u64,
    inbox: mpsc::Receiver<Event>,
    finished: bool,
    on_drop: OnDrop,
}

impl Exchange {
    /// The number under which the server knows the call.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next message about the call; `None` after its answer or failure.
    pub async fn next(&mut self) -> Option<Event> {
        if self.finished {
            return None;
        }
        let event = self.inbox.recv().await;
        self.finished = match &event {
            Some(Ok(message)) => matches!(message.envelope.kind, Shape::Response | Shape::Error),
            Some(Err(_)) | None => true,
        };
        event
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let waiting = self.mux.depart(self.number).is_some();
        if waiting && self.on_drop == OnDrop::Cancel && !self.mux.is_closed() {
            self.mux.tell_cancelled(self.number, "the caller went away");
        }
    }
}

#[cfg(test)]
mod tests;

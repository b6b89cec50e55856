//! A guest: a session of Hostler's own at a legacy server, for modern callers that declare the same capabilities.
//!
//! A legacy server learns its client's capabilities once, at `initialize`; a modern request says them each time. So
//! callers that say the same share a guest, which is opened on first use, kept warm and opened anew when it was lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use foldhash::HashMap;
use ground::Failure;
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::Instant};
use upstream::{
    Introduction, Link, Message, Peer, PeerId, Server, Want,
    spec::{Isolation, Origin},
};
use wire::{Shape, bridge, era::Era};

use super::hearing::Hearing;
use crate::{gateway::Lane, level, restore};

/// Messages of a server that wait for one call or listener.
pub const QUEUE: usize = 64;

/// The session.
pub struct Guest {
    peer: PeerId,
    server: Arc<Server>,
    introduction: Arc<Introduction>,
    /// It shares its instance with nobody.
    alone: bool,
    link: Mutex<Option<Arc<Link>>>,
    /// The lowest level of log messages that a caller wanted.
    level: AtomicU8,
    calls: Mutex<HashMap<u64, mpsc::Sender<Message>>>,
    /// How many hold it without a call.
    held: AtomicUsize,
    /// Those who listen.
    pub(super) hearing: Hearing,
    next: AtomicU64,
    born: Instant,
    used: AtomicU64,
}

/// A call's place at a guest, given back when dropped.
pub struct Seat {
    /// The guest.
    pub guest: Arc<Guest>,
    number: u64,
    /// What the server asks outside the call's own stream.
    pub inbox: mpsc::Receiver<Message>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guest.calls.lock().remove(&self.number);
        self.guest.touch();
        // What the server asked has nobody left to answer it.
        self.inbox.close();
        let Some(link) = self.guest.link.lock().clone() else { return };
        while let Ok(message) = self.inbox.try_recv() {
            if message.envelope.kind == Shape::Request {
                link.answer_own(&message, Err((wire::era::code::INTERNAL, "the call has ended")));
            }
        }
    }
}

impl Seat {
    /// Keeps the guest without a call's place: the server's questions are not for whoever holds it so.
    #[must_use]
    pub fn into_hold(self) -> Hold {
        self.guest.held.fetch_add(1, Ordering::Relaxed);
        Hold { guest: self.guest.clone() }
    }
}

/// Keeps a guest at its server until it is dropped.
pub struct Hold {
    /// The guest.
    pub guest: Arc<Guest>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.guest.held.fetch_sub(1, Ordering::Relaxed);
        self.guest.touch();
    }
}

impl Guest {
    /// A guest that has not been at its server yet.
    #[must_use]
    pub fn new(server: Arc<Server>, introduction: Arc<Introduction>, alone: bool) -> Arc<Self> {
        Arc::new(Self {
            peer: PeerId::fresh(),
            server,
            introduction,
            alone,
            link: Mutex::new(None),
            level: AtomicU8::new(level::UNSET),
            calls: Mutex::default(),
            held: AtomicUsize::new(0),
            hearing: Hearing::default(),
            next: AtomicU64::new(1),
            born: Instant::now(),
            used: AtomicU64::new(0),
        })
    }

    /// The server it visits.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Whether nobody else uses its instance.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        let spec = self.server.spec();
        self.alone || spec.isolation == Isolation::Session || matches!(spec.origin, Origin::Remote(_))
    }

    /// Takes a place for a call.
    #[must_use]
    pub fn seat(self: &Arc<Self>) -> Seat {
        let (to, inbox) = mpsc::channel(QUEUE);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.calls.lock().insert(number, to);
        Seat { guest: self.clone(), number, inbox }
    }

    /// Whether a call is seated.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        !self.calls.lock().is_empty()
    }

    fn want(&self) -> Want {
        let introduction = self.introduction.clone();
        Want { era: Era::Legacy, introduction, session: Some(self.peer), alone: self.alone }
    }

    /// The link to its server, opened if need be.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn link(self: &Arc<Self>, lane: &Lane) -> Result<Arc<Link>, Failure> {
        if let Some(link) = self.link.lock().clone().filter(|link| !link.is_closed()) {
            return Ok(link);
        }
        let link = self.server.link(&lane.pool, &self.want()).await?;
        let before = self.link.lock().replace(link.clone());
        if before.is_none_or(|before| !Arc::ptr_eq(&before, &link)) {
            let peer: Arc<dyn Peer> = self.clone();
            link.attach(&peer);
            let (lane, on, level) = (lane.clone(), link.clone(), self.level.load(Ordering::Relaxed));
            // In a task of its own: the caller may be given up half way.
            let said = tokio::spawn(async move { restore::say_level(&lane, &on, peer.id(), level).await });
            let _ = said.await;
        }
        Ok(link)
    }

    /// Lets the server send log messages from a level on. A level once wanted stays.
    pub async fn lower(&self, lane: &Lane, link: &Arc<Link>, wanted: u8) {
        let is_lower = |set: u8| (set == level::UNSET || wanted < set).then_some(wanted);
        if self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_lower).is_ok() {
            restore::say_level(lane, link, self.peer, wanted).await;
        }
    }

    /// Lets go of the server for good.
    pub fn leave(&self) {
        if let Some(link) = self.link.lock().take() {
            link.detach(self.peer);
        }
        self.server.release(self.peer);
    }

    pub(super) fn touch(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(millis, Ordering::Relaxed);
    }

    /// The call in flight, if it is the only one.
    fn only_call(&self) -> Result<mpsc::Sender<Message>, &'static str> {
        let calls = self.calls.lock();
        match calls.len() {
            1 => calls.values().next().cloned().ok_or("no call is in flight"),
            0 => Err("no call is in flight"),
            _ => Err("several calls are in flight, so nobody can tell whose the request is"),
        }
    }

    /// A server's request that did not come on the stream of a call.
    fn asked(&self, from: &Arc<Link>, message: &Message) {
        let refused = match self.only_call() {
            Ok(call) => call.try_send(message.clone()).err().map(|_| "the call has too many messages to take"),
            Err(why) => Some(why),
        };
        let Some(why) = refused else { return };
        tracing::warn!(server = %from.server(), method = %message.method(), why, "request of a server refused");
        match bridge::asked(&message.body, &message.envelope) {
            Ok(ask) if self.calls.lock().is_empty() => {
                let refusal = ask.refusal_outside_a_call();
                from.answer_own(message, Err((refusal.code, refusal.message)));
            }
            _ => from.answer_own(message, Err((wire::era::code::INTERNAL, why))),
        }
    }
}

impl Peer for Guest {
    fn id(&self) -> PeerId {
        self.peer
    }

    fn idle(&self) -> Duration {
        if self.is_taken() || self.held.load(Ordering::Relaxed) > 0 || self.hearing.is_wanted() {
            return Duration::ZERO;
        }
        self.born.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)))
    }

    fn deliver(&self, from: &Arc<Link>, message: Message) {
        if message.envelope.kind == Shape::Request {
            return self.asked(from, &message);
        }
        if message.method() == "notifications/message" {
            // Whose it is can only be told when there is a single call.
            if let Ok(call) = self.only_call() {
                let _ = call.try_send(message);
            }
            return;
        }
        self.hearing.deliver(from, &message);
    }

    fn lost(&self, link: &Arc<Link>) {
        self.link.lock().take_if(|held| Arc::ptr_eq(held, link));
    }
}

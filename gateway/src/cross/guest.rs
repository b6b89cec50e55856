//! A guest: a session of Hostler's own at a legacy server, for modern callers that declare the same capabilities.
//!
//! A legacy server learns its client's capabilities once, at `initialize`; a modern request says them each time. So
//! callers that say the same share a guest, which is opened on first use, kept warm and opened anew when it was lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
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
/// A server that was told to give a call up, and yet asks something about it, has done so by then.
const LINGERS: Duration = Duration::from_secs(30);

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
    calls: Mutex<HashMap<u64, Place>>,
    /// A call was given up that the server may be at until then.
    lingers: Mutex<Option<Instant>>,
    /// It is not to be used again: what it was given up at may still go on in its instance.
    left: AtomicBool,
    /// Its server could not be reached the last time.
    failed: AtomicBool,
    /// How many hold it without a call.
    held: AtomicUsize,
    /// Those who listen.
    pub(super) hearing: Hearing,
    next: AtomicU64,
    born: Instant,
    used: AtomicU64,
}

/// What a guest knows of a call.
struct Place {
    inbox: mpsc::Sender<Message>,
    /// Since when it waits for its caller's input.
    waits: Option<Instant>,
}

/// A call's place at a guest, given back when dropped.
pub struct Seat {
    /// The guest.
    pub guest: Arc<Guest>,
    number: u64,
    /// What the server asks outside the call's own stream.
    pub inbox: mpsc::Receiver<Message>,
    /// The server has been given a call, and has not ended it.
    at_it: AtomicBool,
}

impl Seat {
    /// Keeps the guest without a call's place: the server's questions are not for whoever holds it so.
    #[must_use]
    pub fn into_hold(self) -> Hold {
        self.guest.held.fetch_add(1, Ordering::Relaxed);
        Hold { guest: self.guest.clone() }
    }

    /// Notes that the server is at the call now, or that it has ended it.
    pub fn note(&self, at_it: bool) {
        self.at_it.store(at_it, Ordering::Relaxed);
    }

    /// Notes that the call waits for its caller's input, or that it goes on.
    pub fn waits(&self, waits: bool) {
        if let Some(place) = self.guest.calls.lock().get_mut(&self.number) {
            place.waits = waits.then(Instant::now);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guest.calls.lock().remove(&self.number);
        self.guest.touch();
        // What the server asked has nobody left to answer it.
        self.inbox.close();
        let link = self.guest.link.lock().clone();
        while let Ok(message) = self.inbox.try_recv() {
            if let (Some(link), Shape::Request) = (&link, message.envelope.kind) {
                link.answer_own(&message, Err((wire::era::code::INTERNAL, "the call has ended")));
            }
        }
        if *self.at_it.get_mut() {
            self.guest.given_up();
        }
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
            lingers: Mutex::default(),
            left: AtomicBool::new(false),
            failed: AtomicBool::new(false),
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
        self.calls.lock().insert(number, Place { inbox: to, waits: None });
        Seat { guest: self.clone(), number, inbox, at_it: AtomicBool::new(false) }
    }

    /// A call was given up before its end. An instance of its own ends with it, so that nothing of it reaches another
    /// caller; a shared one goes on, and what it says without naming a call is nobody's for a while.
    fn given_up(&self) {
        if self.alone && !matches!(self.server.spec().origin, Origin::Remote(_)) {
            self.left.store(true, Ordering::Relaxed);
            if !self.is_taken() {
                self.leave();
            }
        } else {
            *self.lingers.lock() = Some(Instant::now() + LINGERS);
        }
    }

    /// Whether no call may be seated any more.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Whether a call would have it to itself.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !self.is_taken() && !self.is_left()
    }

    /// Whether it is used, or may be used again.
    #[must_use]
    pub fn is_of_use(&self) -> bool {
        let is_lost = self.is_left() || self.failed.load(Ordering::Relaxed);
        !is_lost || self.is_taken() || self.is_kept()
    }

    /// Whether somebody holds it without a call, or listens.
    fn is_kept(&self) -> bool {
        self.held.load(Ordering::Relaxed) > 0 || self.hearing.is_wanted()
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
        let link = self.server.link(&lane.pool, &self.want()).await;
        self.failed.store(link.is_err(), Ordering::Relaxed);
        let link = link?;
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

    /// Whether the server may still be at a call that was given up.
    fn lingers(&self) -> bool {
        self.lingers.lock().is_some_and(|until| until > Instant::now())
    }

    /// The call in flight, if it is the only one, also counting one that may linger.
    fn only_call(&self, lingers: bool) -> Result<mpsc::Sender<Message>, &'static str> {
        let calls = self.calls.lock();
        match (calls.len(), calls.values().next()) {
            (1, Some(_)) if lingers => {
                Err("another call was given up just now, so nobody can tell whose the request is")
            }
            (1, Some(call)) => Ok(call.inbox.clone()),
            (0, _) => Err("no call is in flight"),
            _ => Err("several calls are in flight, so nobody can tell whose the request is"),
        }
    }

    /// A server's request that did not come on the stream of a call.
    fn asked(&self, from: &Arc<Link>, message: &Message) {
        let refused = match self.only_call(self.lingers()) {
            Ok(call) => call.try_send(message.clone()).err().map(|_| "the call has too many messages to take"),
            Err(why) => Some(why),
        };
        let Some(why) = refused else { return };
        self.server.note_asks();
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
        if self.is_taken() || self.is_kept() {
            return Duration::ZERO;
        }
        self.born.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)))
    }

    fn spare(&self) -> Duration {
        let calls = self.calls.lock();
        if calls.is_empty() || self.is_kept() {
            drop(calls);
            return self.idle();
        }
        let waits = calls.values().map(|call| call.waits.map(|since| since.elapsed()).unwrap_or_default());
        waits.min().unwrap_or_default()
    }

    fn asked_in_vain(&self) {
        self.server.note_asks();
    }

    fn deliver(&self, from: &Arc<Link>, message: Message) {
        if message.envelope.kind == Shape::Request {
            return self.asked(from, &message);
        }
        if message.method() == "notifications/message" {
            // Whose it is can only be told when there is a single call. At a remote server all calls are one client's.
            let remote = matches!(self.server.spec().origin, Origin::Remote(_));
            if let Ok(call) = self.only_call(!remote && self.lingers()) {
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

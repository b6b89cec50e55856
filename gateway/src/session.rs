//! A legacy client's session: who it is, what it holds at which server, and the streams on which it hears.
//!
//! Also stands for a connection of the transports with one shared stream (HTTP+SSE, WebSocket), in both eras.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use ground::ServerName;
use parking_lot::Mutex;
use tokio::time::Instant;
use upstream::{Catalog, Introduction, Link, Message, Peer, PeerId, Server, Want};
use wire::{
    Shape, Splice,
    era::{Era, Version},
};

use crate::{
    asked::{Asked, Asker},
    holds::Holds,
    in_flight::Calls,
    level,
    outlet::Outlet,
    place::Place,
    rewrite,
    subscriptions::Subscriptions,
};

/// A client that never came back after its greeting is taken for lost after this long.
const UNUSED: Duration = Duration::from_secs(300);
/// Streams of calls kept for resumption.
const STREAMS: usize = 64;

/// How a client came, which decides where its messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Streamable HTTP: each call may have a stream of its own.
    Streamable,
    /// One stream for everything (HTTP+SSE, WebSocket).
    Shared,
}

/// A session.
pub struct Session {
    /// Its id, which cannot be guessed.
    pub id: String,
    /// Where it is connected.
    pub place: Place,
    /// How it came.
    pub wire: Wire,
    /// Names and URIs carry their server's name.
    pub prefixed: bool,
    me: Weak<Self>,
    peer: PeerId,
    version: Mutex<Option<Version>>,
    introduction: Mutex<Arc<Introduction>>,
    /// What it holds at servers.
    pub holds: Holds,
    /// Its calls in flight.
    pub calls: Calls,
    /// Requests of servers that wait for its client.
    pub asked: Asked,
    next: AtomicU64,
    /// What the server says outside calls; on a shared wire, everything.
    pub outlet: Arc<Outlet>,
    streams: Mutex<Vec<Arc<Outlet>>>,
    /// The resources that it wants to hear of.
    pub subscriptions: Subscriptions,
    /// Lists that a server shows this session alone, where they changed on its own link.
    catalogs: Mutex<HashMap<ServerName, Arc<Catalog>>>,
    level: AtomicU8,
    born: Instant,
    used: AtomicU64,
    ended: AtomicBool,
    /// Cancelled at the session's end.
    pub closing: tokio_util::sync::CancellationToken,
}

impl Session {
    /// A session whose client has not introduced itself yet.
    #[must_use]
    pub fn new(place: Place, wire: Wire, prefixed: bool) -> Arc<Self> {
        let empty = Introduction { profile: 0, own: Bytes::new(), shared: Bytes::new() };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            id: ground::fresh::secret_id(),
            place,
            wire,
            prefixed,
            peer: PeerId::fresh(),
            version: Mutex::new(None),
            introduction: Mutex::new(Arc::new(empty)),
            holds: Holds::default(),
            calls: Calls::default(),
            asked: Asked::default(),
            next: AtomicU64::new(1),
            outlet: Outlet::new(0, false),
            streams: Mutex::new(Vec::new()),
            subscriptions: Subscriptions::default(),
            catalogs: Mutex::new(HashMap::new()),
            level: AtomicU8::new(level::UNSET),
            born: Instant::now(),
            used: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            closing: tokio_util::sync::CancellationToken::new(),
        })
    }

    /// Notes who the client is and which revision was settled.
    pub fn introduce(&self, version: Version, introduction: Introduction) {
        *self.version.lock() = Some(version);
        *self.introduction.lock() = Arc::new(introduction);
    }

    /// The revision settled; `None` before the handshake.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        *self.version.lock()
    }

    /// How the client introduced itself.
    #[must_use]
    pub fn introduction(&self) -> Arc<Introduction> {
        self.introduction.lock().clone()
    }

    /// What the session asks of a server's doors in its own era.
    #[must_use]
    pub fn want(&self) -> Want {
        Want { era: Era::Legacy, introduction: self.introduction(), session: Some(self.peer), alone: false }
    }

    /// The client's capabilities, raw, as a modern server takes them.
    #[must_use]
    pub fn capabilities(&self) -> Vec<u8> {
        wire::bridge::modern_capabilities(wire::field(&self.introduction().own, "capabilities").unwrap_or(b"{}"))
    }

    /// The client's name and version, raw.
    #[must_use]
    pub fn client_info(&self) -> Bytes {
        let own = self.introduction().own.clone();
        match wire::field(&own, "clientInfo").filter(|info| info.first() == Some(&b'{')) {
            Some(info) => own.slice_ref(info),
            None => Bytes::from(upstream::hello::own_info()),
        }
    }

    /// Notes that the client is there, and has its greeting.
    pub fn touch(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        self.used.store(millis, Ordering::Relaxed);
    }

    /// For how long nothing was heard of the client. It is heard while it listens, and while calls are in flight.
    #[must_use]
    pub fn idle(&self) -> Duration {
        if !self.calls.is_empty() || self.outlet.is_read() {
            return Duration::ZERO;
        }
        self.born.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)))
    }

    /// Whether its client is gone: silent for as long as a session may be, or for long enough since a greeting that it
    /// perhaps never received.
    #[must_use]
    pub fn is_over(&self, bound: Duration) -> bool {
        let bound = if self.used.load(Ordering::Relaxed) == 0 { bound.min(UNUSED) } else { bound };
        self.idle() >= bound
    }

    /// The lowest level of log messages wanted.
    pub fn set_level(&self, level: u8) {
        self.level.store(level, Ordering::Relaxed);
    }

    /// The lowest level of log messages wanted; `level::UNSET` when the client never said.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// Uses a link from now on, and hears what the server says on it. False when it did already, or has ended.
    pub fn hold(self: &Arc<Self>, server: &Arc<Server>, link: &Arc<Link>) -> bool {
        match self.holds.hold(server, link) {
            Some(true) => {
                let peer: Arc<dyn Peer> = self.clone();
                link.attach(&peer);
                true
            }
            Some(false) => false,
            // It ended while the link was being opened: nobody else would give the link back.
            None => {
                server.release(self.peer);
                false
            }
        }
    }

    /// Who the session is to links.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Makes a stream for one call, kept for resumption.
    #[must_use]
    pub fn stream(&self) -> Arc<Outlet> {
        let primed = self.version() >= Some(Version::V2025_11_25);
        let outlet = Outlet::new(self.next.fetch_add(1, Ordering::Relaxed), primed);
        let mut streams = self.streams.lock();
        if streams.len() >= STREAMS {
            // Those that were read to their end first; else the oldest.
            let spent = streams.iter().position(|s| s.is_spent()).unwrap_or(0);
            streams.remove(spent);
        }
        streams.push(outlet.clone());
        outlet
    }

    /// Forgets a stream that nobody needs any more.
    pub fn forget_stream(&self, number: u64) {
        self.streams.lock().retain(|stream| stream.number() != number);
    }

    /// The stream of the given number.
    #[must_use]
    pub fn stream_of(&self, number: u64) -> Option<Arc<Outlet>> {
        if number == 0 {
            return Some(self.outlet.clone());
        }
        self.streams.lock().iter().find(|s| s.number() == number).cloned()
    }

    /// What a server shows this session alone.
    #[must_use]
    pub fn catalog(&self, server: &ServerName) -> Option<Arc<Catalog>> {
        self.catalogs.lock().get(server).cloned()
    }

    /// Whether any server shows this session something of its own.
    #[must_use]
    pub fn has_catalogs(&self) -> bool {
        !self.catalogs.lock().is_empty()
    }

    /// Learns anew what a server shows this session alone, and only then tells the client that it changed.
    fn learn(self: Arc<Self>, link: Arc<Link>, notification: Bytes) {
        tokio::spawn(async move {
            match link.catalog().await {
                Ok(catalog) => {
                    self.catalogs.lock().insert(link.server().clone(), Arc::new(catalog));
                    self.outlet.push(notification);
                }
                Err(failure) => {
                    tracing::debug!(server = %link.server(), %failure, "changed lists could not be fetched")
                }
            }
        });
    }

    /// A server's message as this client is to see it; `None` when it is not for it.
    pub fn outward(&self, link: &Arc<Link>, message: &Message) -> Option<Bytes> {
        let envelope = &message.envelope;
        let mut splice = Splice::new(message.body.clone());
        if envelope.kind == Shape::Request {
            let number = self.asked.note(Asker::Server(link.clone(), message.share(envelope.id?)));
            splice.replace(envelope.id?, Bytes::from(number.to_string()));
        }
        match &*message.method() {
            "notifications/message" if !level::wanted(self.level(), envelope.level.map(|l| message.part(l))) => {
                return None;
            }
            "notifications/cancelled" => {
                // A client does not answer what was cancelled.
                let mine = self.asked.withdraw(link, message.part(envelope.request_id?))?;
                splice.replace(envelope.request_id?, Bytes::from(mine.to_string()));
            }
            "notifications/resources/updated" => {
                let uri = wire::text(message.part(envelope.uri?))?;
                if !self.subscribed(link, &uri) {
                    return None;
                }
            }
            // A view tells of its own changes, but those of a link that is this session's alone nobody else sees.
            method
                if method.ends_with("/list_changed")
                    && matches!(self.place, Place::View(_))
                    && !link.is_exclusive() =>
            {
                return None;
            }
            _ => {}
        }
        if self.prefixed {
            rewrite::message(&mut splice, message, link.server());
        }
        Some(splice.into_bytes())
    }

    /// On a link of its own, the server itself knows what the session subscribed to.
    fn subscribed(&self, link: &Arc<Link>, uri: &str) -> bool {
        (link.is_http() && link.era() == Era::Legacy) || self.subscriptions.cover(link.server(), uri)
    }

    /// Ends the session: links are let go, streams finished, calls cancelled.
    pub fn end(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        self.closing.cancel();
        self.holds.end(self.peer);
        self.calls.cancel_all();
        self.outlet.finish();
        for stream in self.streams.lock().iter() {
            stream.finish();
        }
    }
}

impl Peer for Session {
    fn id(&self) -> PeerId {
        self.peer
    }

    fn idle(&self) -> Duration {
        self.idle()
    }

    fn deliver(&self, from: &Arc<Link>, message: Message) {
        let lists = message.method().ends_with("/list_changed") && matches!(self.place, Place::View(_));
        match self.outward(from, &message) {
            Some(bytes) if lists => {
                if let Some(session) = self.me.upgrade() {
                    session.learn(from.clone(), bytes);
                }
            }
            Some(bytes) => self.outlet.push(bytes),
            None => {}
        }
    }

    fn lost(&self, link: &Arc<Link>) {
        self.holds.lost(link);
        self.asked.forget_link(link);
        self.catalogs.lock().remove(link.server());
    }
}

//! A way to a server that is open: in one era, on one transport, with what the server said of itself.
//!
//! Never starts, stops or retries anything: `server` does. What arrives on it is told apart in `hear`.

use std::sync::{
    Arc, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use ground::{Failure, Kind, Retry, ServerName};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use wire::{
    Splice,
    era::{Era, Version},
};

use crate::{
    calls::Answer,
    catalog::Catalog,
    ear::{Ear, Subscribed},
    hello::Hello,
    http::{carrier::Carrier, pool::Pool},
    levels::Levels,
    message::Outgoing,
    mux::Mux,
    peer::{Peer, PeerId},
    spec::Spec,
};

/// How the messages travel.
pub enum Transport {
    /// One shared two-way stream.
    Mux(Arc<Mux>),
    /// A request each.
    Http(Carrier),
}

/// An open way to a server.
pub struct Link {
    id: u64,
    server: ServerName,
    era: Era,
    transport: Transport,
    hello: OnceLock<Hello>,
    peers: Mutex<Vec<(PeerId, Weak<dyn Peer>)>>,
    /// Rung when the server says that one of its lists changed.
    changed: Arc<Notify>,
    closed: CancellationToken,
    born: Instant,
    calls: AtomicU64,
    /// Milliseconds after `born` at which it was last used.
    used: AtomicU64,
    /// Largest message from the server, in bytes.
    pub(crate) bound: usize,
    /// The connections of the thread that opened it, for messages that are sent in nobody's name.
    pub(crate) home: Arc<Pool>,
    /// It belongs to one client session alone.
    exclusive: bool,
    /// What is heard of the server unasked, and who wants to hear of which resource.
    ear: Ear,
    /// The levels of log messages that those on it want.
    levels: Levels,
}

impl Link {
    /// A link whose handshake is still to come.
    #[must_use]
    pub fn new(
        spec: &Spec,
        era: Era,
        transport: Transport,
        changed: Arc<Notify>,
        home: Arc<Pool>,
        exclusive: bool,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            server: spec.name.clone(),
            era,
            transport,
            hello: OnceLock::new(),
            peers: Mutex::new(Vec::new()),
            changed,
            closed: CancellationToken::new(),
            born: Instant::now(),
            calls: AtomicU64::new(0),
            used: AtomicU64::new(0),
            bound: spec.bounds.message,
            home,
            exclusive,
            ear: Ear::default(),
            levels: Levels::default(),
        })
    }

    /// Identifies the link for as long as the program runs.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The server it leads to.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The era it speaks.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// The revision settled in the handshake.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.hello.get().map(|h| h.version)
    }

    /// What the server said of itself.
    #[must_use]
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.get()
    }

    pub(crate) fn settle(&self, hello: Hello) {
        let _ = self.hello.set(hello);
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn peers(&self) -> &Mutex<Vec<(PeerId, Weak<dyn Peer>)>> {
        &self.peers
    }

    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Whether the server is reached over HTTP, one request a call.
    #[must_use]
    pub fn is_http(&self) -> bool {
        matches!(self.transport, Transport::Http(_))
    }

    /// Whether it belongs to one client session alone.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Notes that a session wants to hear of a resource.
    pub fn subscribe(&self, peer: PeerId, uri: &Arc<str>) -> Subscribed {
        self.ear.subscribe(peer, uri)
    }

    /// Ends that. True when nobody else wants to hear of it.
    pub fn unsubscribe(&self, peer: PeerId, uri: &str) -> bool {
        self.ear.unsubscribe(peer, uri)
    }

    /// What is heard of a modern server unasked.
    pub(crate) fn ear(&self) -> &Ear {
        &self.ear
    }

    /// The levels of log messages that those on it want.
    #[must_use]
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Fetches the server's lists over this link.
    ///
    /// # Errors
    /// As [`crate::catalog::fetch`].
    pub async fn catalog(self: &Arc<Self>) -> Result<Catalog, Failure> {
        crate::catalog::fetch(self, &self.home, &Catalog::default()).await
    }

    /// When it was opened.
    #[must_use]
    pub fn born(&self) -> Instant {
        self.born
    }

    /// Calls made over it.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match &self.transport {
            Transport::Mux(mux) => mux.in_flight(),
            Transport::Http(carrier) => carrier.in_flight(),
        }
    }

    /// For how long nobody used it: no call was made, and the sessions on it were silent.
    #[must_use]
    pub fn idle(&self) -> Duration {
        if self.in_flight() > 0 {
            return Duration::ZERO;
        }
        let unused = self.born.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)));
        self.audience(&[]).iter().map(|peer| peer.idle()).fold(unused, Duration::min)
    }

    /// For how long nobody has needed it at once: nobody used it, or all calls in flight wait for their callers.
    #[must_use]
    pub fn spare(&self) -> Duration {
        if self.in_flight() == 0 {
            return self.idle();
        }
        self.audience(&[]).iter().map(|peer| peer.spare()).min().unwrap_or_default()
    }

    fn touch(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(millis, Ordering::Relaxed);
    }

    /// Sends a request; what comes back is the start of its answer.
    ///
    /// # Errors
    /// Why it could not be sent.
    pub async fn call(
        self: &Arc<Self>,
        pool: &Arc<Pool>,
        out: Box<Outgoing>,
        peer: Option<PeerId>,
    ) -> Result<Answer, Failure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.touch();
        match &self.transport {
            Transport::Mux(mux) => Ok(Answer::Exchange(mux.call(out, peer).await?)),
            Transport::Http(carrier) => {
                let slot = carrier.slot()?;
                let response = carrier.post(pool, out).await?;
                Ok(Answer::http(response, slot))
            }
        }
    }

    /// Sends a notification, or a client's answer to the server's request.
    ///
    /// # Errors
    /// Why it could not be sent.
    pub async fn tell(&self, pool: &Arc<Pool>, out: Box<Outgoing>) -> Result<(), Failure> {
        match &self.transport {
            Transport::Mux(mux) => mux.send(out.splice.into_pieces()).await,
            Transport::Http(carrier) => carrier.post(pool, out).await.map(drop),
        }
    }

    /// Tells the server that a request is given up. `call` is the request's id as the server knows it, raw.
    pub async fn cancel(&self, pool: &Arc<Pool>, call: &[u8], reason: &str) {
        match &self.transport {
            Transport::Mux(mux) => {
                if let Some(number) = std::str::from_utf8(call).ok().and_then(|n| n.parse().ok()) {
                    mux.cancel(number, reason);
                }
            }
            // In the modern era the closed stream has said it already.
            Transport::Http(_) if self.era == Era::Modern => {}
            Transport::Http(carrier) => {
                let id = String::from_utf8_lossy(call);
                let params = format!("{{\"requestId\":{id},\"reason\":{}}}", wire::quote(reason));
                let body = wire::build::notification("notifications/cancelled", Some(params.as_bytes()));
                if let Ok(out) = Outgoing::own(body, self.era) {
                    let _ = carrier.post(pool, out).await;
                }
            }
        }
    }

    /// Tells a server on a shared stream that a call is given up. Over HTTP the closed connection says it.
    pub fn give_up(&self, number: u64, reason: &str) {
        if let Transport::Mux(mux) = &self.transport {
            mux.cancel(number, reason);
        }
    }

    /// Lets a session hear the server's own messages.
    pub fn attach(&self, peer: &Arc<dyn Peer>) {
        let mut peers = self.peers.lock();
        peers.retain(|(_, weak)| weak.strong_count() > 0);
        if !peers.iter().any(|(id, _)| *id == peer.id()) {
            peers.push((peer.id(), Arc::downgrade(peer)));
        }
        drop(peers);
        self.touch();
    }

    /// Ends that.
    pub fn detach(&self, peer: PeerId) {
        self.peers.lock().retain(|(id, weak)| *id != peer && weak.strong_count() > 0);
        self.levels.forget(peer);
        self.ear.forget(peer);
        self.touch();
    }

    /// Sends pieces as they are: a client's answer to a server's request.
    ///
    /// # Errors
    /// Why it could not be sent.
    pub async fn relay(
        &self,
        pool: &Arc<Pool>,
        splice: Splice,
        envelope: wire::Envelope,
        body: Bytes,
    ) -> Result<(), Failure> {
        self.tell(pool, Outgoing::relayed(splice, envelope, body, self.era)).await
    }

    /// Cancelled when the link has ended.
    #[must_use]
    pub fn closing(&self) -> CancellationToken {
        self.closed.clone()
    }

    /// Whether the link has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Ends the link: calls in flight fail with the reason, sessions are told.
    pub fn close(self: &Arc<Self>, why: &Failure) {
        if self.closed.is_cancelled() {
            return;
        }
        // The reason first: whoever is woken by the end asks for it.
        if let Transport::Mux(mux) = &self.transport {
            mux.close(why);
        }
        self.closed.cancel();
        let peers = std::mem::take(&mut *self.peers.lock());
        for peer in peers.into_iter().filter_map(|(_, weak)| weak.upgrade()) {
            peer.lost(self);
        }
    }

    /// Whether it ended by a fault, not because it was closed on purpose.
    #[must_use]
    pub fn broke(&self) -> bool {
        self.is_closed() && matches!(self.gone().kind(), Kind::Broken | Kind::Protocol | Kind::Timeout)
    }

    /// The failure that callers get once the link has ended.
    #[must_use]
    pub fn gone(&self) -> Failure {
        let text = format!("the connection to server `{}` has ended", self.server);
        match &self.transport {
            Transport::Mux(mux) => mux.why_closed(),
            Transport::Http(_) => Failure::server(Kind::Unavailable, &self.server, Retry::NeverSent, text),
        }
    }
}

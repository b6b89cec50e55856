//! The seam through which a server's own messages (those that answer no call) reach the sessions that share it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{link::Link, message::Message};

/// Identifies a peer for as long as the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(u64);

impl PeerId {
    /// A fresh one.
    #[must_use]
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who receives a server's own notifications and requests: a client session of the gateway.
pub trait Peer: Send + Sync {
    /// Who it is.
    fn id(&self) -> PeerId;
    /// For how long its client has been silent; zero while it listens or has calls in flight.
    fn idle(&self) -> std::time::Duration;
    /// For how long it could have done without its link: silent, or with calls that all wait for their callers' input.
    fn spare(&self) -> std::time::Duration {
        self.idle()
    }
    /// Takes a message. Must not block: it is called by the task that reads from the server.
    fn deliver(&self, from: &Arc<Link>, message: Message);
    /// Learns that the server asked something on a link it shares, and that nobody could tell whom.
    fn asked_in_vain(&self) {}
    /// Learns that the link is gone, and with it what the session held there.
    fn lost(&self, link: &Arc<Link>);
}

//! A legacy session: what its client declared, its standing stream, its calls and what they wait for.
//!
//! Never outlives its DELETE, except in the calls that hold it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize},
    },
};

use serde_json::Value;
use tokio::{sync::oneshot, task::AbortHandle};

use crate::body::{Log, Style};

/// Streams of calls that a client can still come back to.
const KEPT_STREAMS: usize = 64;

/// The session.
pub struct Session {
    pub id: String,
    /// Protocol version agreed on.
    pub version: String,
    /// Rank of the lowest log level wanted.
    pub level: AtomicUsize,
    /// Requests made in it, when they are counted.
    pub uses: AtomicU64,
    /// The GET stream, or the one stream of HTTP+SSE.
    pub stream: Arc<Log>,
    inner: Mutex<Inner>,
}

/// What changes.
#[derive(Default)]
pub struct Inner {
    /// What the client declared in `initialize`; null before.
    pub capabilities: Value,
    /// Resources that the client wants to hear of.
    pub subscribed: BTreeSet<String>,
    /// Streams of calls, oldest first.
    pub streams: VecDeque<Arc<Log>>,
    /// Where the client's answers to our requests go.
    pub asked: HashMap<u64, oneshot::Sender<Value>>,
    /// Calls in flight by the spelling of their id.
    pub running: HashMap<String, (AbortHandle, Option<Arc<Log>>)>,
}

impl Session {
    pub fn new(number: u64, version: String, style: Style) -> Self {
        // Not to be guessed is not this server's ambition; to look like the real ones is.
        let id = format!("session-{number:016x}-{:08x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32);
        Self {
            id,
            version,
            level: AtomicUsize::new(0),
            uses: AtomicU64::new(0),
            stream: Log::new(number, style),
            inner: Mutex::default(),
        }
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up the call of that id: `notifications/cancelled`.
    pub fn cancel(&self, id: &str) {
        let running = self.inner().running.remove(id);
        if let Some((task, log)) = running {
            task.abort();
            if let Some(log) = log {
                log.finish();
            }
        }
    }

    /// Keeps the stream of a call, so that the client can come back to it.
    pub fn keep(&self, log: &Arc<Log>) {
        let mut inner = self.inner();
        inner.streams.push_back(Arc::clone(log));
        if inner.streams.len() > KEPT_STREAMS {
            inner.streams.pop_front();
        }
    }

    /// The stream that an event id belongs to, and the number of the event after it.
    pub fn after(&self, event: &str) -> Option<(Arc<Log>, u64)> {
        let (stream, event) = event.split_once('-')?;
        let (stream, event): (u64, u64) = (stream.parse().ok()?, event.parse().ok()?);
        if stream == self.stream.number {
            return Some((Arc::clone(&self.stream), event + 1));
        }
        let inner = self.inner();
        let log = inner.streams.iter().find(|log| log.number == stream)?;
        Some((Arc::clone(log), event + 1))
    }
}

//! A session's calls in flight: by the client's id, so that the client can give them up.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use ground::{Failure, Kind};
use parking_lot::Mutex;
use tokio::sync::Notify;
use upstream::Link;

use crate::session::Session;

/// Where a call went, and by which id the server knows it.
pub type Went = (Arc<Link>, Bytes);

/// The calls in flight.
pub struct Calls {
    table: Mutex<HashMap<Bytes, Call>>,
    /// Messages on a shared wire of which something is still to be done.
    turns: AtomicUsize,
}

struct Call {
    went: Option<Went>,
    cancelled: Arc<Notify>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { table: Mutex::new(HashMap::new()), turns: AtomicUsize::new(0) }
    }
}

impl Calls {
    /// Notes a call, so that it can be cancelled; the guard ends that.
    ///
    /// # Errors
    /// At the bound of calls in flight, or when its id is in use by another call in flight.
    pub fn begin(session: &Arc<Session>, id: &Bytes, bound: usize) -> Result<Begun, Failure> {
        let mut calls = session.calls.table.lock();
        if calls.len() >= bound {
            let text = format!("the session already has {bound} calls in flight, its limit (`session_calls`)");
            return Err(Failure::client(Kind::Overloaded, text));
        }
        if calls.contains_key(id) {
            let text = "the id of this request is in use by another request in flight";
            return Err(Failure::client(Kind::InvalidRequest, text));
        }
        let cancelled = Arc::new(Notify::new());
        calls.insert(id.clone(), Call { went: None, cancelled: cancelled.clone() });
        Ok(Begun { session: session.clone(), id: id.clone(), cancelled })
    }

    /// A turn for one more message of a client on a shared wire, of whatever kind; `None` at twice the session's bound of
    /// calls. What is over that bound itself is answered on the stream, so only a client that asks and does not read
    /// comes this far.
    #[must_use]
    pub fn turn(session: &Arc<Session>, bound: usize) -> Option<Turn> {
        let most = bound.saturating_mul(2);
        let taken = &session.calls.turns;
        let more = |taken| (taken < most).then_some(taken + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Turn(session.clone()))
    }

    /// Where a call in flight went, and the bell that ends it here.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<(Option<Went>, Arc<Notify>)> {
        self.table.lock().get(id).map(|call| (call.went.clone(), call.cancelled.clone()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.lock().is_empty()
    }

    /// Gives all of them up.
    pub fn cancel_all(&self) {
        for call in self.table.lock().values() {
            call.cancelled.notify_one();
        }
    }
}

/// A message that is being seen to, until its answer has a place in the session's stream.
pub struct Turn(Arc<Session>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.calls.turns.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call in flight.
pub struct Begun {
    session: Arc<Session>,
    id: Bytes,
    /// Rung when the client gives the call up.
    pub cancelled: Arc<Notify>,
}

impl Begun {
    /// Notes where the call went and by which id the server knows it.
    pub fn went(&self, link: &Arc<Link>, id: Bytes) {
        if let Some(call) = self.session.calls.table.lock().get_mut(&self.id) {
            call.went = Some((link.clone(), id));
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.session.calls.table.lock().remove(&self.id);
        self.session.touch();
    }
}

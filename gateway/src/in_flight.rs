//! A session's calls in flight: by the client's id, so that the client can give them up.

use std::sync::Arc;

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
pub struct Calls(Mutex<HashMap<Bytes, Call>>);

struct Call {
    went: Option<Went>,
    cancelled: Arc<Notify>,
}

impl Default for Calls {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl Calls {
    /// Notes a call, so that it can be cancelled; the guard ends that.
    ///
    /// # Errors
    /// At the bound of calls in flight, or when its id is in use by another call in flight.
    pub fn begin(session: &Arc<Session>, id: &Bytes, bound: usize) -> Result<Begun, Failure> {
        let mut calls = session.calls.0.lock();
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

    /// Where a call in flight went, and the bell that ends it here.
    #[must_use]
    pub fn find(&self, id: &[u8]) -> Option<(Option<Went>, Arc<Notify>)> {
        self.0.lock().get(id).map(|call| (call.went.clone(), call.cancelled.clone()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Gives all of them up.
    pub fn cancel_all(&self) {
        for call in self.0.lock().values() {
            call.cancelled.notify_one();
        }
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
        if let Some(call) = self.session.calls.0.lock().get_mut(&self.id) {
            call.went = Some((link.clone(), id));
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.session.calls.0.lock().remove(&self.id);
        self.session.touch();
    }
}

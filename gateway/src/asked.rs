//! Requests that wait for a client's answer, under numbers of the gateway's own.
//!
//! Bounded: when a client leaves too many unanswered, the oldest gives way and whoever asked is told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use upstream::{Link, Message};

/// Requests that wait at once.
const BOUND: usize = 256;

/// The requests that wait.
pub struct Asked {
    waiting: Mutex<BTreeMap<u64, Asker>>,
    next: AtomicU64,
}

/// Who asked.
pub enum Asker {
    /// A server, which knows the request by this raw id.
    Server(Arc<Link>, Bytes),
    /// A call on its way to a server that asks in its results; it hears the number with the answer.
    Call(mpsc::Sender<(u64, Message)>),
}

impl Asker {
    /// The client will not answer.
    fn give_up(&self) {
        if let Self::Server(link, id) = self {
            link.refuse_request(id, "the client left too many requests unanswered");
        }
    }

    fn is_of(&self, link: &Arc<Link>) -> bool {
        matches!(self, Self::Server(own, _) if Arc::ptr_eq(own, link))
    }
}

impl Default for Asked {
    fn default() -> Self {
        Self { waiting: Mutex::default(), next: AtomicU64::new(1) }
    }
}

impl Asked {
    /// Notes a request; the number by which the client is asked.
    pub fn note(&self, asker: Asker) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        let oldest = if waiting.len() >= BOUND { waiting.pop_first() } else { None };
        waiting.insert(number, asker);
        drop(waiting);
        if let Some((_, oldest)) = oldest {
            oldest.give_up();
        }
        number
    }

    /// Who asked for what a client answers by this raw id. Each is given out once.
    pub fn take(&self, answered: &[u8]) -> Option<(u64, Asker)> {
        let number: u64 = std::str::from_utf8(answered).ok()?.parse().ok()?;
        self.waiting.lock().remove(&number).map(|asker| (number, asker))
    }

    /// Takes out a request that its server gave up; the number by which the client knows it.
    pub fn withdraw(&self, link: &Arc<Link>, id: &[u8]) -> Option<u64> {
        let mut waiting = self.waiting.lock();
        let mine = |asker: &Asker| matches!(asker, Asker::Server(own, at) if Arc::ptr_eq(own, link) && at == id);
        let number = waiting.iter().find(|(_, asker)| mine(asker)).map(|(number, _)| *number)?;
        waiting.remove(&number);
        Some(number)
    }

    /// Forgets a request that nobody waits for any more.
    pub fn forget(&self, number: u64) {
        self.waiting.lock().remove(&number);
    }

    /// Forgets the requests of a link that has ended.
    pub fn forget_link(&self, link: &Arc<Link>) {
        self.waiting.lock().retain(|_, asker| !asker.is_of(link));
    }
}

//! Requests of servers that wait for a client's answer, under numbers of the gateway's own.
//!
//! Bounded: when a client leaves too many unanswered, the oldest gives way and its server is told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use upstream::Link;

/// Requests that wait at once.
const BOUND: usize = 256;

/// The requests that wait.
pub struct Asked {
    waiting: Mutex<BTreeMap<u64, Question>>,
    next: AtomicU64,
}

/// Whose request it is, and by which raw id the server knows it.
struct Question {
    link: Arc<Link>,
    id: Bytes,
}

impl Default for Asked {
    fn default() -> Self {
        Self { waiting: Mutex::default(), next: AtomicU64::new(1) }
    }
}

impl Asked {
    /// Notes a request; the number by which the client is asked.
    pub fn note(&self, link: &Arc<Link>, id: Bytes) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        let oldest = if waiting.len() >= BOUND { waiting.pop_first() } else { None };
        waiting.insert(number, Question { link: link.clone(), id });
        drop(waiting);
        if let Some((_, oldest)) = oldest {
            oldest.link.refuse_request(&oldest.id, "the client left too many requests unanswered");
        }
        number
    }

    /// The link and id of the request that a client answers by this raw id. Each is given out once.
    pub fn take(&self, answered: &[u8]) -> Option<(Arc<Link>, Bytes)> {
        let number: u64 = std::str::from_utf8(answered).ok()?.parse().ok()?;
        self.waiting.lock().remove(&number).map(|question| (question.link, question.id))
    }

    /// Takes out a request that its server gave up; the number by which the client knows it.
    pub fn withdraw(&self, link: &Arc<Link>, id: &[u8]) -> Option<u64> {
        let mut waiting = self.waiting.lock();
        let number =
            waiting.iter().find(|(_, q)| Arc::ptr_eq(&q.link, link) && q.id == id).map(|(number, _)| *number)?;
        waiting.remove(&number);
        Some(number)
    }

    /// Forgets the requests of a link that has ended.
    pub fn forget(&self, link: &Arc<Link>) {
        self.waiting.lock().retain(|_, question| !Arc::ptr_eq(&question.link, link));
    }
}

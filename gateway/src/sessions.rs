//! All sessions, by id. Sharded, so that threads that look up different sessions do not meet.

use std::{hash::BuildHasher, sync::Arc, time::Duration};

use foldhash::{HashMap, HashMapExt, fast::FixedState};
use ground::{Failure, Kind};
use parking_lot::Mutex;

use crate::session::Session;

const SHARDS: usize = 64;

/// The table.
pub struct Sessions {
    shards: [Mutex<HashMap<String, Arc<Session>>>; SHARDS],
    hash: FixedState,
}

impl Default for Sessions {
    fn default() -> Self {
        // Ids are drawn by us and cannot be guessed, so a fixed seed is no weakness.
        Self { shards: std::array::from_fn(|_| Mutex::new(HashMap::new())), hash: FixedState::with_seed(0) }
    }
}

impl Sessions {
    fn shard(&self, id: &str) -> &Mutex<HashMap<String, Arc<Session>>> {
        &self.shards[usize::try_from(self.hash.hash_one(id) % SHARDS as u64).unwrap_or(0)]
    }

    /// Adds a session.
    ///
    /// # Errors
    /// `Overloaded` at the bound.
    pub fn add(&self, session: Arc<Session>, bound: usize) -> Result<(), Failure> {
        let mut shard = self.shard(&session.id).lock();
        // Spread evenly by random ids, so each shard may hold its share; the slack is for the unevenness.
        if shard.len() >= bound.div_ceil(SHARDS) + bound.div_ceil(SHARDS * 8) + 4 {
            return Err(Failure::gateway(
                Kind::Overloaded,
                format!("there are {bound} sessions, the limit (`sessions`)"),
            ));
        }
        shard.insert(session.id.clone(), session);
        Ok(())
    }

    /// A session by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.shard(id).lock().get(id).cloned()
    }

    /// Takes a session out and ends it. False when there was none.
    pub fn end(&self, id: &str) -> bool {
        let session = self.shard(id).lock().remove(id);
        session.is_some_and(|session| {
            session.end();
            true
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, shard by shard.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.shards.iter().flat_map(|shard| shard.lock().values().cloned().collect::<Vec<_>>()).collect()
    }

    /// Ends those whose clients are gone, or silent for the given time.
    pub fn sweep(&self, idle: Duration) {
        for session in self.all() {
            if session.is_over(idle) {
                self.end(&session.id);
            }
        }
    }

    /// Ends all.
    pub fn end_all(&self) {
        for session in self.all() {
            self.end(&session.id);
        }
    }
}

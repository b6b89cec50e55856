//! Memory for request bodies: a body is held whole until it is forwarded and its call is over, and all of them together
//! have a bound (`limits.held`). Never counts small ones, which the bound on connections keeps few enough.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ground::{Failure, Kind};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bodies up to this size are not counted, in bytes.
pub const FREE: usize = 1 << 20;

/// Room is counted in so many bytes.
const UNIT: usize = 1 << 10;

/// A body waits this long for room before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// The room that there is, for all lanes.
pub struct Budget(ArcSwap<Whole>);

struct Whole {
    bytes: usize,
    units: Arc<Semaphore>,
}

impl Whole {
    fn new(bytes: usize) -> Arc<Self> {
        let units = bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        Arc::new(Self { bytes, units: Arc::new(Semaphore::new(units)) })
    }
}

impl Budget {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(ArcSwap::new(Whole::new(bytes)))
    }

    /// Changes how much there is. What is held already counts against the room there was.
    pub fn resize(&self, bytes: usize) {
        if self.0.load().bytes != bytes {
            self.0.store(Whole::new(bytes));
        }
    }

    /// Room for one body, of which nothing is taken yet.
    #[must_use]
    pub fn room(&self) -> Room {
        Room { whole: self.0.load_full(), taken: None, bytes: 0 }
    }
}

/// The room that one body takes.
pub struct Room {
    whole: Arc<Whole>,
    taken: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Sees that there is room for so many bytes, waiting a little for others to be done.
    ///
    /// # Errors
    /// `Overloaded` when there is none in time.
    pub async fn fit(&mut self, bytes: usize) -> Result<(), Failure> {
        if bytes <= FREE || bytes <= self.bytes {
            return Ok(());
        }
        timeout(PATIENCE, self.wait(bytes)).await.map_err(|_| {
            let text = "too many large requests are in flight (`limits.held`); try again later";
            Failure::client(Kind::Overloaded, text)
        })
    }

    /// The same for as long as it takes.
    pub async fn wait(&mut self, bytes: usize) {
        if bytes <= FREE || bytes <= self.bytes {
            return;
        }
        // More than there is at all waits for all of it: whoever sets the bounds has the whole larger than any body.
        let more = (bytes.min(self.whole.bytes).div_ceil(UNIT)).saturating_sub(self.bytes.div_ceil(UNIT));
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        // Never closed, so it cannot fail.
        if let Ok(permit) = self.whole.units.clone().acquire_many_owned(more).await {
            match &mut self.taken {
                Some(taken) => taken.merge(permit),
                None => self.taken = Some(permit),
            }
        }
        self.bytes = bytes;
    }

    /// The body together with its room, which is given back when nobody holds a part of the body any more.
    #[must_use]
    pub fn around(self, body: Bytes) -> Bytes {
        match self.taken {
            Some(taken) => Bytes::from_owner(Held { body, _taken: taken }),
            None => body,
        }
    }
}

struct Held {
    body: Bytes,
    _taken: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MIB: usize = 1 << 20;

    async fn body(budget: &Budget, bytes: usize) -> Result<Bytes, Kind> {
        let mut room = budget.room();
        room.fit(bytes).await.map_err(|failure| failure.kind())?;
        Ok(room.around(Bytes::from(vec![0; bytes])))
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_beyond_the_bound_wait_a_little_and_are_then_refused() {
        let budget = Budget::new(10 * MIB);
        let (first, second) = (body(&budget, 6 * MIB).await.unwrap(), body(&budget, 4 * MIB).await.unwrap());
        assert_eq!(body(&budget, 2 * MIB).await, Err(Kind::Overloaded));
        let part = second.slice(..10);
        drop(second);
        assert_eq!(body(&budget, 4 * MIB).await, Err(Kind::Overloaded), "a part of it is still held");
        let waiting = async { body(&budget, 4 * MIB).await.is_ok() };
        let ending = async {
            tokio::task::yield_now().await;
            drop(part);
        };
        assert!(tokio::join!(waiting, ending).0);
        drop(first);
        assert!(body(&budget, 10 * MIB).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn small_bodies_are_never_refused() {
        let budget = Budget::new(2 * MIB);
        let _large = body(&budget, 2 * MIB).await.unwrap();
        assert!(body(&budget, FREE).await.is_ok());
        assert_eq!(body(&budget, FREE + 1).await, Err(Kind::Overloaded));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_length_is_not_told_takes_room_as_it_grows() {
        let budget = Budget::new(4 * MIB);
        let mut room = budget.room();
        for size in 1..=3 * MIB / 1000 {
            room.fit(size * 1000).await.unwrap();
        }
        assert_eq!(body(&budget, 2 * MIB).await, Err(Kind::Overloaded));
        drop(room);
        assert!(body(&budget, 4 * MIB).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn another_bound_holds_for_what_comes() {
        let budget = Budget::new(2 * MIB);
        let _held = body(&budget, 2 * MIB).await.unwrap();
        budget.resize(3 * MIB);
        assert!(body(&budget, 3 * MIB).await.is_ok());
        budget.resize(2 * MIB);
        assert_eq!(budget.0.load().bytes, 2 * MIB);
    }
}

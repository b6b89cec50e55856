//! A server that ends the stream of a call before its answer, to be asked for the rest later ("polling", SEP-1699): whoever
//! passes the stream on may let its own client go meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

/// The pauses of one call's stream.
#[derive(Default)]
pub struct Pause {
    /// Milliseconds until the server wants to be asked again, plus one; zero while there is no pause to tell of.
    told: AtomicU64,
    wake: Notify,
}

impl Pause {
    pub(crate) fn tell(&self, wait: Duration) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.told.store(millis, Ordering::Release);
        self.wake.notify_one();
    }

    /// Waits until there is a pause. One at a time; the pause is still to be taken then.
    pub async fn begins(&self) {
        while self.told.load(Ordering::Acquire) == 0 {
            self.wake.notified().await;
        }
    }

    /// Waits for a pause and takes it: how long the server wants to be left alone.
    pub async fn next(&self) -> Duration {
        loop {
            self.begins().await;
            let millis = self.told.swap(0, Ordering::AcqRel);
            if millis > 0 {
                return Duration::from_millis(millis - 1);
            }
        }
    }
}

//! Bounded waits for a condition.
//!
//! Never waits a fixed time: every wait ends as soon as its condition holds, and fails loudly when it never does.

use std::time::Duration;

use tokio::time::{Instant, interval};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(20);

/// Looks again and again until `look` has an answer; panics with `what` when `patience` is over.
///
/// # Panics
/// When `patience` is over.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    let mut pace = interval(PACE);
    loop {
        pace.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
    }
}

/// The same for places that cannot await, such as a `drop`: false when `patience` is over.
pub fn held_within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        #[allow(clippy::disallowed_methods, reason = "called where nothing can be awaited, on a thread of a test")]
        std::thread::sleep(PACE);
    }
    holds()
}

//! What happens again and again is logged once in a while, with how often it happened.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Between two lines about the same thing.
const PAUSE: Duration = Duration::from_secs(5);

/// Counts one kind of thing.
pub struct Seldom(Mutex<State>);

struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// Nothing happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(State { told: None, untold: 0 }))
    }

    /// Notes that it happened so many times. Returns how often it did since it was last told, when it is to be told.
    pub fn tell(&self, times: u64) -> Option<u64> {
        let mut state = self.0.lock();
        state.untold += times;
        if state.told.is_some_and(|told| told.elapsed() < PAUSE) {
            return None;
        }
        state.told = Some(Instant::now());
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_times_are_told_twice_and_none_is_forgotten() {
        let seldom = Seldom::new();
        let mut told = Vec::new();
        for _ in 0..1000 {
            told.extend(seldom.tell(1));
            tokio::time::advance(Duration::from_millis(9)).await;
        }
        assert_eq!(told.len(), 2);
        tokio::time::advance(PAUSE).await;
        told.extend(seldom.tell(3));
        assert_eq!(told.iter().sum::<u64>(), 1003);
    }
}

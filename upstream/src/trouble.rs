//! A server's failures and how long it is left alone after them.
//!
//! Never starts anything: it only says when the next start is due.

use std::time::Duration;

use ground::{Failure, Retry, ServerName};
use tokio::time::Instant;

/// First wait after a failed start; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest wait between starts.
const BACKOFF_LAST: Duration = Duration::from_secs(60);
/// A link that lived this long clears the count of failures.
const PROVEN: Duration = Duration::from_secs(10);

/// What went wrong lately.
#[derive(Default)]
pub(crate) struct Trouble {
    failures: u32,
    until: Option<Instant>,
    last: Option<Failure>,
}

impl Trouble {
    /// Lets the next start happen at once.
    pub(crate) fn forgive(&mut self) {
        self.until = None;
    }

    /// When the next start is due.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// The last failure, while that matters.
    pub(crate) fn last(&self) -> Option<&Failure> {
        self.last.as_ref()
    }

    /// The failure of whoever asks before the next start is due.
    pub(crate) fn backing_off(&self, name: &ServerName) -> Option<Failure> {
        let left = self.until?.checked_duration_since(Instant::now())?;
        let last = self.last.as_ref()?;
        let text = format!("{}; it is started again in {:.1} s", last.message(), left.as_secs_f64());
        Some(again(last, name, text))
    }

    /// The failure of whoever asks while it is started again.
    pub(crate) fn starting_again(&self, name: &ServerName) -> Option<Failure> {
        let last = self.last.as_ref()?;
        Some(again(last, name, format!("{}; it is being started again", last.message())))
    }

    /// Notes a failed start; returns when the next is due.
    pub(crate) fn note_failure(&mut self, failure: &Failure) -> Instant {
        let doubled = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(10));
        // Spread, so that servers which failed together do not start together.
        let spread = 1.0 + f64::from(u16::from_ne_bytes(ground::fresh::bytes())) / f64::from(u16::MAX) / 4.0;
        let until = Instant::now() + doubled.min(BACKOFF_LAST).mul_f64(spread);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(until);
        self.last = Some(failure.clone());
        until
    }

    /// Notes the end of a link that had been open for so long.
    pub(crate) fn note_end(&mut self, lived: Duration, failure: &Failure) {
        if lived >= PROVEN {
            *self = Self::default();
        }
        self.note_failure(failure);
    }

    /// Notes a start that succeeded. How often it failed before is kept until the link has proved itself.
    pub(crate) fn note_success(&mut self) {
        self.until = None;
        self.last = None;
    }
}

fn again(last: &Failure, name: &ServerName, text: String) -> Failure {
    let failure = Failure::server(last.kind(), name, Retry::NeverSent, text);
    match last.detail() {
        Some(detail) => failure.with_detail(detail),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ground::Kind;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_their_bound_and_start_over_once_a_link_has_proved_itself() {
        let name = ServerName::new("a").unwrap();
        let failure = Failure::server(Kind::Broken, &name, Retry::MaybeSent, "server `a` exited");
        let mut trouble = Trouble::default();
        let mut last = Duration::ZERO;
        for _ in 0..6 {
            let wait = trouble.note_failure(&failure) - Instant::now();
            assert!(wait > last, "{wait:?} after {last:?}");
            last = wait;
        }
        for _ in 0..40 {
            trouble.note_failure(&failure);
        }
        assert!(trouble.until().unwrap() - Instant::now() <= BACKOFF_LAST.mul_f64(1.25));
        assert!(trouble.backing_off(&name).unwrap().message().contains("started again in"));
        trouble.note_end(PROVEN, &failure);
        assert!(trouble.until().unwrap() - Instant::now() <= BACKOFF_FIRST.mul_f64(1.25));
        tokio::time::advance(BACKOFF_LAST).await;
        assert!(trouble.backing_off(&name).is_none());
    }
}

//! What is on its way to a server over a shared stream.
//!
//! A link that is closed on purpose has had its last words: refusals of what the server asked, cancellations of what it
//! is at. They are still handed out, and then the stream ends. Never takes anything once it has noticed that end, and never
//! waits long for a server to take what is left.

use std::{pin::Pin, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wire::Pieces;

/// How long a server may take to accept what is queued for it when its link is closed.
const DRAIN: Duration = Duration::from_secs(1);

/// The reading end of the queue.
pub struct Outbox {
    queue: mpsc::Receiver<Pieces>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Outbox {
    /// A queue that ends with its link, whose end the token tells.
    #[must_use]
    pub fn new(queue: mpsc::Receiver<Pieces>, closing: CancellationToken) -> Self {
        Self { queue, closing: Box::pin(closing.cancelled_owned()) }
    }

    /// The next message; `None` when the link has ended and all that was queued by then has been handed out.
    pub async fn next(&mut self) -> Option<Pieces> {
        if !self.queue.is_closed() {
            tokio::select! {
                biased;
                message = self.queue.recv() => return message,
                () = &mut self.closing => self.queue.close(),
            }
        }
        self.queue.recv().await
    }
}

/// Runs what empties an outbox, for a bounded time after the end of its link. False when that was not enough.
pub async fn emptied(writing: impl Future<Output = ()>, closing: &CancellationToken) -> bool {
    tokio::select! {
        () = writing => true,
        () = async {
            closing.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        } => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn line(text: &'static str) -> Pieces {
        wire::Splice::new(bytes::Bytes::from_static(text.as_bytes())).into_pieces()
    }

    #[tokio::test]
    async fn what_was_queued_before_the_end_is_handed_out_and_nothing_after_it() {
        let (queue, waiting) = mpsc::channel(4);
        let closing = CancellationToken::new();
        let mut outbox = Outbox::new(waiting, closing.clone());
        queue.try_send(line("first")).unwrap();
        assert!(outbox.next().await.is_some());
        queue.try_send(line("second")).unwrap();
        queue.try_send(line("third")).unwrap();
        closing.cancel();
        assert!(outbox.next().await.is_some());
        assert!(outbox.next().await.is_some());
        assert!(outbox.next().await.is_none());
        assert!(queue.try_send(line("late")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_waited_for_no_longer_than_a_moment() {
        let closing = CancellationToken::new();
        closing.cancel();
        assert!(!emptied(std::future::pending(), &closing).await);
        assert!(emptied(std::future::ready(()), &closing).await);
    }
}

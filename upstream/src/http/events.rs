//! The messages of a Server-Sent Events answer, as they arrive.

use std::pin::Pin;

use ground::{Failure, Kind, Retry};
use http_body::Body;
use wire::sse::{Decoder, Event};

use super::{endpoint::Endpoint, pool::PooledBody};

/// The events of one answer.
pub struct Events {
    body: PooledBody,
    decoder: Decoder,
}

impl Events {
    /// Reads a body as events of at most `bound` bytes each.
    #[must_use]
    pub fn new(body: PooledBody, bound: usize) -> Self {
        Self { body, decoder: Decoder::new(bound) }
    }

    /// The next event; `None` at the end of the stream. Cancel-safe.
    ///
    /// # Errors
    /// `Protocol` for an event over the bound, `Broken` when the connection is lost.
    pub async fn next(&mut self, from: &Endpoint) -> Result<Option<Event>, Failure> {
        loop {
            match self.decoder.next() {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(_) => {
                    return Err(from.failure(
                        Kind::Protocol,
                        Retry::MaybeSent,
                        "sent an event over the bound `message`",
                    ));
                }
            }
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.decoder.feed(chunk);
                    }
                }
                Some(Err(error)) => {
                    let failure = from.failure(Kind::Broken, Retry::MaybeSent, "broke off in the middle of its answer");
                    return Err(failure.with_detail(error));
                }
            }
        }
    }
}

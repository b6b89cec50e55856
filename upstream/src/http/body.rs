//! A request body made of pieces that are shared, not copied.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wire::Pieces;

/// A body of known length, sent piece by piece.
#[derive(Debug, Default)]
pub struct PiecesBody {
    pieces: Option<Pieces>,
    left: u64,
}

impl PiecesBody {
    /// The pieces, in order.
    #[must_use]
    pub fn new(pieces: Pieces) -> Self {
        let left = pieces.len() as u64;
        Self { pieces: Some(pieces), left }
    }

    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }
}

impl Body for PiecesBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.as_mut().and_then(Iterator::next);
        if let Some(piece) = &piece {
            self.left = self.left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

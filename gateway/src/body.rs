//! The bodies of answers to clients: whole, in shared pieces, or streamed from a server or a session.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use upstream::http::{body::PiecesBody, carrier::Slot, pool::PooledBody};

use crate::finish::Ticket;

/// What can go wrong while a body is sent: the connection is then closed.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that another crate makes (the admin pages).
pub type Foreign = http_body_util::combinators::UnsyncBoxBody<Bytes, BodyError>;

/// Up to this size pieces are copied into one buffer, in bytes.
const SMALL: usize = 16 << 10;
/// What an event adds to its message, in bytes; a little more costs a copy.
pub const EVENT_ROOM: usize = 32;

/// The body of an answer.
#[derive(Default)]
pub struct Body {
    content: Content,
    /// Closed, and written to the log, when the body has been sent or given up.
    ticket: Option<Ticket>,
}

#[derive(Default)]
enum Content {
    #[default]
    Empty,
    Whole(Bytes),
    Pieces(Box<PiecesBody>),
    Server(Box<Passing>),
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    Foreign(Foreign),
}

/// A server's body on its way.
struct Passing {
    body: PooledBody,
    _slot: Slot,
    /// How long the server may be silent while the client wants more.
    patience: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl Passing {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waits = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(patience) = self.patience else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !std::mem::replace(&mut self.waits, true) {
            timer.as_mut().reset(Instant::now() + patience);
        }
        timer.as_mut().poll(cx).map(|()| Some(Err("the server went silent in its answer".into())))
    }
}

impl Body {
    /// One buffer.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self { content: Content::Whole(bytes), ticket: None }
    }

    /// Shared pieces. Small ones are put together: one write costs less than the copy saves.
    #[must_use]
    pub fn spliced(splice: wire::Splice) -> Self {
        if splice.is_empty() || splice.len() <= SMALL {
            return Self::whole(splice.into_bytes());
        }
        Self { content: Content::Pieces(Box::new(PiecesBody::new(splice.into_pieces()))), ticket: None }
    }

    /// A server's body, passed on as it comes; the client's pace is the server's pace. It breaks when the server is
    /// silent for longer than `patience` while the client wants more; without that, it may be silent for ever.
    #[must_use]
    pub fn server(body: PooledBody, slot: Slot, patience: Option<Duration>) -> Self {
        let passing = Passing { body, _slot: slot, patience, timer: None, waits: false };
        Self { content: Content::Server(Box::new(passing)), ticket: None }
    }

    /// Chunks as they are made.
    #[must_use]
    pub fn stream(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self { content: Content::Stream(Box::pin(chunks)), ticket: None }
    }

    /// A body made elsewhere.
    #[must_use]
    pub fn foreign(body: Foreign) -> Self {
        Self { content: Content::Foreign(body), ticket: None }
    }

    /// The same as the one event of a stream, where it is a message in one buffer.
    ///
    /// # Errors
    /// The body as it is, where it is not.
    pub fn into_event(mut self) -> Result<Self, Self> {
        let Content::Whole(message) = &self.content else { return Err(self) };
        let mut event = Vec::with_capacity(message.len() + EVENT_ROOM);
        wire::sse::encode(None, Some("message"), message, &mut event);
        self.content = Content::Whole(event.into());
        Ok(self)
    }

    /// Ties a call's account to the body.
    #[must_use]
    pub fn with_ticket(mut self, mut ticket: Ticket) -> Self {
        ticket.answered();
        self.ticket = Some(ticket);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match &mut this.content {
            Content::Empty => Poll::Ready(None),
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Pieces(body) => Pin::new(&mut **body).poll_frame(cx).map(|f| f.map(|f| f.map_err(Into::into))),
            Content::Server(passing) => passing.poll_frame(cx),
            Content::Stream(chunks) => chunks.as_mut().poll_next(cx).map(|chunk| chunk.map(|c| Ok(Frame::data(c)))),
            Content::Foreign(body) => Pin::new(body).poll_frame(cx),
        };
        match &frame {
            Poll::Ready(Some(Ok(data))) => {
                if let (Some(ticket), Some(chunk)) = (&mut this.ticket, data.data_ref()) {
                    ticket.sent(chunk.len());
                }
            }
            Poll::Ready(Some(Err(_))) => {
                if let Some(ticket) = &mut this.ticket {
                    ticket.broke();
                }
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Pieces(body) => body.is_end_stream(),
            Content::Server(passing) => passing.body.is_end_stream(),
            Content::Stream(_) => false,
            Content::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(body) => body.size_hint(),
            Content::Server(passing) => passing.body.size_hint(),
            Content::Stream(_) => SizeHint::default(),
            Content::Foreign(body) => body.size_hint(),
        }
    }
}

//! Bodies of answers: ready bytes, filler made as it is sent, the events of a stream, and the broken ones.
//!
//! Nothing here is buffered beyond what [`Log`] keeps for a client that comes back.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// Events that a stream keeps; the oldest go first.
const KEPT_EVENTS: usize = 4096;
/// Filler is sent in pieces of this size.
static FILLER: [u8; 1 << 16] = [b'x'; 1 << 16];

/// A body.
pub enum Body {
    /// Ready bytes; the length is told.
    Full(Bytes),
    /// Ready bytes in chunks of so many; the length is not told.
    Chunks(Bytes, usize),
    /// A head, so many bytes of filler, a tail; the length is told if so.
    Filler { head: Bytes, left: u64, tail: Bytes, told: bool },
    /// The events of a stream.
    Events(Reader),
    /// Half of what was promised, then silence or a broken connection.
    Half { half: Bytes, promised: u64, then: Then },
}

/// What follows the half of a body.
pub enum Then {
    /// Nothing, for ever.
    Silence,
    /// The half is given time to go out; an error at once would take it back.
    Flush,
    /// The connection breaks.
    Break,
}

impl Body {
    pub fn empty() -> Self {
        Self::Full(Bytes::new())
    }

    /// The first half of these bytes with the promise of all of them.
    pub fn half(bytes: &Bytes, cut: bool) -> Self {
        let then = if cut { Then::Flush } else { Then::Silence };
        Self::Half { half: bytes.slice(..bytes.len() / 2), promised: bytes.len() as u64, then }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let piece = match self.get_mut() {
            Self::Full(bytes) => std::mem::take(bytes),
            Self::Chunks(bytes, size) => bytes.split_to((*size).min(bytes.len())),
            Self::Filler { head, left, tail, .. } => {
                if !head.is_empty() {
                    std::mem::take(head)
                } else if *left > 0 {
                    let n = (*left).min(FILLER.len() as u64);
                    *left -= n;
                    Bytes::from_static(&FILLER).slice(..n as usize)
                } else {
                    std::mem::take(tail)
                }
            }
            Self::Events(reader) => match reader.poll(cx) {
                Poll::Ready(Some(event)) => event,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            },
            Self::Half { half, .. } if !half.is_empty() => std::mem::take(half),
            Self::Half { then: Then::Break, .. } => return Poll::Ready(Some(Err(std::io::Error::other("cut")))),
            Self::Half { then: then @ Then::Flush, .. } => {
                *then = Then::Break;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Nobody wakes this: the silence ends when the client closes.
            Self::Half { then: Then::Silence, .. } => return Poll::Pending,
        };
        if piece.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(Ok(Frame::data(piece)))) }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Filler { head, left, tail, told: true } => {
                SizeHint::with_exact(head.len() as u64 + left + tail.len() as u64)
            }
            Self::Half { promised, .. } => SizeHint::with_exact(*promised),
            _ => SizeHint::default(),
        }
    }
}

/// How the events of a stream are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With ids, so that a client can come back: Streamable HTTP with sessions.
    Numbered,
    /// Data only: Streamable HTTP without sessions.
    Bare,
    /// `event: message`: HTTP+SSE.
    Named,
}

/// What was sent on one stream, and what still is to be.
pub struct Log {
    /// Unique among the streams of this process; the first half of its event ids.
    pub number: u64,
    pub style: Style,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<Bytes>,
    /// Number of the first event that is still kept.
    first: u64,
    /// Number of the first event that nobody read yet.
    unread: u64,
    done: bool,
    /// Only the newest reader reads: a message goes to one connection.
    readers: u64,
    waker: Option<Waker>,
}

impl Log {
    pub fn new(number: u64, style: Style) -> Arc<Self> {
        Arc::new(Self { number, style, inner: Mutex::default() })
    }

    /// Sends a message.
    pub fn push(&self, message: &str) {
        self.put(|id| match self.style {
            Style::Numbered => format!("id: {}-{id}\ndata: {message}\n\n", self.number),
            Style::Bare => format!("data: {message}\n\n"),
            Style::Named => format!("event: message\ndata: {message}\n\n"),
        });
    }

    /// Sends the event that tells a client its place before there is anything to say (2025-11-25, transports).
    pub fn prime(&self, retry: Option<u64>) {
        let retry = retry.map(|ms| format!("retry: {ms}\n")).unwrap_or_default();
        self.put(|id| format!("id: {}-{id}\n{retry}data: \n\n", self.number));
    }

    /// Sends an event as it is.
    pub fn push_raw(&self, event: String) {
        self.put(|_| event);
    }

    /// Nothing more will come.
    pub fn finish(&self) {
        self.inner().done = true;
        self.wake();
    }

    /// Reads on from the first unread event.
    pub fn read(self: &Arc<Self>) -> Reader {
        let unread = self.inner().unread;
        self.read_from(unread)
    }

    /// Reads from the event of that number. The reader before ends.
    pub fn read_from(self: &Arc<Self>, next: u64) -> Reader {
        let turn = {
            let mut inner = self.inner();
            inner.readers += 1;
            inner.readers
        };
        self.wake();
        Reader { log: Arc::clone(self), next, turn, leave_after: None, on_drop: None }
    }

    fn put(&self, event: impl FnOnce(u64) -> String) {
        {
            let mut inner = self.inner();
            let id = inner.first + inner.events.len() as u64;
            inner.events.push_back(event(id).into());
            if inner.events.len() > KEPT_EVENTS {
                inner.events.pop_front();
                inner.first += 1;
            }
        }
        self.wake();
    }

    fn wake(&self) {
        let waker = self.inner().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body that a stream's events go out on.
pub struct Reader {
    log: Arc<Log>,
    next: u64,
    turn: u64,
    /// The connection ends after this event although the stream goes on.
    leave_after: Option<u64>,
    on_drop: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Reader {
    /// Ends the connection after the event of that number, unless the stream is done by then.
    pub fn leave_after(mut self, event: u64) -> Self {
        self.leave_after = Some(event);
        self
    }

    /// Does this when the connection is gone.
    pub fn on_drop(mut self, then: impl FnOnce() + Send + Sync + 'static) -> Self {
        self.on_drop = Some(Box::new(then));
        self
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut inner = self.log.inner();
        if inner.readers != self.turn {
            return Poll::Ready(None);
        }
        if self.leave_after.is_some_and(|last| self.next > last) && !inner.done {
            return Poll::Ready(None);
        }
        self.next = self.next.max(inner.first);
        let place = usize::try_from(self.next - inner.first).unwrap_or(usize::MAX);
        if let Some(event) = inner.events.get(place).cloned() {
            self.next += 1;
            inner.unread = inner.unread.max(self.next);
            return Poll::Ready(Some(event));
        }
        if inner.done {
            return Poll::Ready(None);
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(then) = self.on_drop.take() {
            then();
        }
    }
}

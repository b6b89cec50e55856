//! One stream of messages to a legacy client, which may be dropped and taken up again (`Last-Event-ID`).
//!
//! Messages are kept, within bounds, until the stream is done and its last message was sent. Follows "Resumability and
//! Redelivery" of revision 2025-11-25.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use crate::seldom::Seldom;

/// Messages kept for a client that is not reading.
const KEPT: usize = 256;
/// Bytes kept likewise; a single larger message is kept all the same.
const KEPT_BYTES: usize = 1 << 20;
/// A comment is sent after this much silence, so that nothing in between takes the stream for dead.
pub const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// That comment.
pub const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// What never reached a client.
static LOST: Seldom = Seldom::new();

/// One stream of messages.
pub struct Outlet {
    number: u64,
    /// Revision 2025-11-25: the stream starts with an empty event, so that it can be resumed from its beginning.
    primed: bool,
    state: Mutex<State>,
    wake: Notify,
    room: Notify,
}

struct State {
    kept: VecDeque<(u64, Bytes)>,
    bytes: usize,
    next: u64,
    sent: u64,
    done: bool,
    /// Counts the readers there have been; only the newest reads.
    reader: u64,
    reading: bool,
    /// The reader is let go once it has all there is, to come back after this time.
    pause: Option<Duration>,
}

impl State {
    /// Messages that were sent give way to a new one of the given size, the oldest first.
    fn forget_sent(&mut self, size: usize) {
        while self.over(size) && self.kept.front().is_some_and(|(number, _)| *number <= self.sent) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, gone)) = self.kept.pop_front() {
            self.bytes -= gone.len();
        }
    }

    fn over(&self, size: usize) -> bool {
        self.kept.len() >= KEPT || self.bytes + size > KEPT_BYTES
    }

    /// Whether what waits leaves no room. Where nothing waits, there is room for a message of any size.
    fn is_full(&self, size: usize) -> bool {
        !self.kept.is_empty() && self.over(size)
    }

    /// Notes that a message is sent. Returns how many before it were lost: they had numbers too.
    fn sent(&mut self, number: u64) -> u64 {
        let lost = number.saturating_sub(self.sent + 1);
        self.sent = number;
        if lost > 0
            && let Some(lost) = LOST.tell(lost)
        {
            tracing::warn!(lost, "messages were lost to clients that read too slowly or came back too late");
        }
        lost
    }

    /// Adds a message; what is beyond the bounds then was waiting for nobody.
    fn add(&mut self, message: Bytes) {
        while self.is_full(message.len()) {
            self.forget_oldest();
        }
        self.bytes += message.len();
        let number = self.next;
        self.next += 1;
        self.kept.push_back((number, message));
    }
}

impl Outlet {
    /// An empty stream.
    #[must_use]
    pub fn new(number: u64, primed: bool) -> Arc<Self> {
        let state = State {
            kept: VecDeque::new(),
            bytes: 0,
            next: 1,
            sent: 0,
            done: false,
            reader: 0,
            reading: false,
            pause: None,
        };
        Arc::new(Self { number, primed, state: Mutex::new(state), wake: Notify::new(), room: Notify::new() })
    }

    /// Its number within the session.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the last message has been added and read.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        let state = self.state.lock();
        state.done && state.sent + 1 >= state.next
    }

    /// Adds a message at once. Beyond the bounds those that were sent give way; then, while somebody reads, the new one
    /// is lost, for answers may be waiting before it; while nobody reads, the oldest.
    pub fn push(&self, message: Bytes) {
        let mut state = self.state.lock();
        state.forget_sent(message.len());
        if state.is_full(message.len()) && state.reading {
            state.next += 1;
            return;
        }
        state.add(message);
        drop(state);
        self.wake.notify_one();
    }

    /// Adds a message, first waiting for a client that reads slowly: nothing that is still to be sent gives way to it.
    /// One that does not read at all is not waited for.
    pub async fn offer(&self, message: Bytes) {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.state.lock();
                if state.done {
                    return;
                }
                state.forget_sent(message.len());
                if !state.reading || !state.is_full(message.len()) {
                    state.add(message);
                    break;
                }
            }
            room.await;
        }
        self.wake.notify_one();
    }

    /// Lets the client go for a while, as its server does (SEP-1699). Revisions before 2025-11-25 do not know of that, and
    /// keep their stream.
    pub fn pause(&self, retry: Duration) {
        let mut state = self.state.lock();
        if self.primed && state.reading {
            state.pause = Some(retry);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Says that no message will be added.
    pub fn finish(&self) {
        self.state.lock().done = true;
        self.wake.notify_one();
        self.room.notify_waiters();
    }

    /// Whether a message of this number was ever added; 0 stands for the beginning.
    #[must_use]
    pub fn issued(&self, number: u64) -> bool {
        number < self.state.lock().next
    }

    /// Starts reading after the given message, which must have been issued, ending any earlier reader. Chunks are complete
    /// server-sent events; a comment before one says how many messages are missing.
    pub fn read(self: &Arc<Self>, after: Option<u64>) -> impl Stream<Item = Bytes> + Send + 'static + use<> {
        let reader = {
            let mut state = self.state.lock();
            state.reader += 1;
            state.pause = None;
            state.reading = true;
            if let Some(after) = after {
                state.sent = after;
            }
            state.reader
        };
        self.wake.notify_waiters();
        // Also a stream that is taken up again begins with an event by which it can be taken up once more.
        let prime = self.primed.then(|| after.unwrap_or_default());
        let reading = Reading { outlet: self.clone(), reader, prime, parted: false };
        stream::unfold(reading, |mut reading| async move {
            let chunk = reading.next().await?;
            Some((chunk, reading))
        })
    }

    /// Waits for the next message as it is, for transports without events. One reader at a time.
    pub async fn take(&self) -> Option<Bytes> {
        loop {
            let wake = self.wake.notified();
            {
                let mut state = self.state.lock();
                if let Some((number, message)) = state.kept.pop_front() {
                    state.bytes -= message.len();
                    state.sent(number);
                    drop(state);
                    self.room.notify_waiters();
                    return Some(message);
                }
                if state.done {
                    return None;
                }
            }
            wake.await;
        }
    }

    /// Whether somebody is reading.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.state.lock().reading
    }

    /// Marks it as read by somebody, so that writers wait for room.
    pub fn held(&self) {
        self.state.lock().reading = true;
    }

    fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.number)
    }

    /// The stream and message that an event id names.
    #[must_use]
    pub fn parse_event_id(id: &str) -> Option<(u64, u64)> {
        let (stream, number) = id.split_once('-')?;
        Some((stream.parse().ok()?, number.parse().ok()?))
    }
}

struct Reading {
    outlet: Arc<Outlet>,
    reader: u64,
    /// The number of the empty event that is still to be sent.
    prime: Option<u64>,
    /// It has been told when to come back.
    parted: bool,
}

enum Step {
    Part(Duration),
    Send(Bytes),
    Wait,
    End,
}

impl Reading {
    async fn next(&mut self) -> Option<Bytes> {
        let outlet = self.outlet.clone();
        if let Some(number) = self.prime.take() {
            let mut prime = Vec::new();
            encode(&outlet.event_id(number), b"", &mut prime);
            return Some(prime.into());
        }
        loop {
            let wake = outlet.wake.notified();
            match self.step() {
                Step::Send(chunk) => return Some(chunk),
                Step::Part(retry) => {
                    self.parted = true;
                    return Some(format!("retry: {}\n\n", retry.as_millis()).into());
                }
                Step::End => return None,
                Step::Wait => {}
            }
            if timeout(KEEP_ALIVE, wake).await.is_err() {
                return Some(COMMENT);
            }
        }
    }

    fn step(&self) -> Step {
        let mut state = self.outlet.state.lock();
        if state.reader != self.reader {
            return Step::End;
        }
        let sent = state.sent;
        // What is kept is in rising order, and nearly always only its last part is unsent.
        let first = state.kept.partition_point(|(number, _)| *number <= sent);
        let Some((number, message)) = state.kept.get(first) else {
            return match state.pause.take() {
                _ if self.parted || state.done => Step::End,
                Some(retry) => Step::Part(retry),
                None => Step::Wait,
            };
        };
        let (number, message) = (*number, message.clone());
        let lost = state.sent(number);
        drop(state);
        let mut chunk = if lost > 0 { format!(": {lost} messages were lost\n\n").into_bytes() } else { Vec::new() };
        encode(&self.outlet.event_id(number), &message, &mut chunk);
        self.outlet.room.notify_waiters();
        Step::Send(chunk.into())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.outlet.state.lock();
        if state.reader == self.reader {
            state.reading = false;
        }
        drop(state);
        self.outlet.room.notify_waiters();
    }
}

/// Adds one server-sent event.
fn encode(id: &str, data: &[u8], out: &mut Vec<u8>) {
    out.reserve(data.len() + id.len() + 32);
    wire::sse::encode(Some(id), (!data.is_empty()).then_some("message"), data, out);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_util::StreamExt;

    use super::*;

    fn text(chunk: &Bytes) -> String {
        String::from_utf8(chunk.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_stream_is_resumed_where_it_was() {
        let outlet = Outlet::new(3, true);
        outlet.push(Bytes::from_static(b"{\"a\":1}"));
        outlet.push(Bytes::from_static(b"{\"b\":2}"));
        {
            let mut first = Box::pin(outlet.read(None));
            assert!(text(&first.next().await.unwrap()).contains("id: 3-0"));
            assert!(text(&first.next().await.unwrap()).contains("{\"a\":1}"));
        }
        outlet.push(Bytes::from_static(b"{\"c\":3}"));
        outlet.finish();
        let (stream, after) = Outlet::parse_event_id("3-1").unwrap();
        assert_eq!(stream, 3);
        let rest: Vec<_> = outlet.read(Some(after)).collect().await;
        assert_eq!(rest.len(), 3);
        assert!(text(&rest[0]).contains("id: 3-1") && !text(&rest[0]).contains('{'), "it can be resumed once more");
        assert!(text(&rest[1]).contains("id: 3-2") && text(&rest[1]).contains("{\"b\":2}"));
        assert!(text(&rest[2]).contains("{\"c\":3}"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_let_go_is_told_when_to_come_back_and_finds_the_rest() {
        let outlet = Outlet::new(4, true);
        let mut reading = Box::pin(outlet.read(None));
        assert!(text(&reading.next().await.unwrap()).contains("id: 4-0"));
        outlet.pause(Duration::from_millis(100));
        assert_eq!(text(&reading.next().await.unwrap()), "retry: 100\n\n");
        assert!(reading.next().await.is_none());
        drop(reading);
        outlet.push(Bytes::from_static(b"{\"a\":1}"));
        outlet.finish();
        let rest: Vec<_> = outlet.read(Some(0)).collect().await;
        assert!(text(&rest[1]).contains("{\"a\":1}"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_too_late_is_told_what_is_missing() {
        let outlet = Outlet::new(0, false);
        for n in 1..=KEPT + 10 {
            outlet.push(Bytes::from(n.to_string()));
        }
        assert!(outlet.issued(0) && outlet.issued(KEPT as u64 + 10) && !outlet.issued(KEPT as u64 + 11));
        let mut reading = Box::pin(outlet.read(Some(3)));
        let first = text(&reading.next().await.unwrap());
        assert!(first.starts_with(": 7 messages were lost\n\n") && first.contains("id: 0-11\n"), "{first}");
        let second = text(&reading.next().await.unwrap());
        assert!(second.contains("id: 0-12\n") && !second.contains("lost"), "{second}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_too_slowly_is_told_what_is_missing() {
        let outlet = Outlet::new(0, false);
        let mut reading = Box::pin(outlet.read(None));
        for n in 1..=KEPT + 5 {
            outlet.push(Bytes::from(n.to_string()));
        }
        for _ in 0..KEPT {
            assert!(!text(&reading.next().await.unwrap()).contains("lost"));
        }
        outlet.push(Bytes::from_static(b"after"));
        assert!(text(&reading.next().await.unwrap()).starts_with(": 5 messages were lost\n\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_newest_reader_reads() {
        let outlet = Outlet::new(0, false);
        let mut old = Box::pin(outlet.read(None));
        let mut new = Box::pin(outlet.read(None));
        outlet.push(Bytes::from_static(b"{}"));
        assert!(new.next().await.is_some());
        assert!(old.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_reads_is_bounded() {
        let outlet = Outlet::new(0, false);
        for _ in 0..10_000 {
            outlet.offer(Bytes::from(vec![b'x'; 1000])).await;
        }
        assert!(outlet.state.lock().kept.len() <= KEPT);
        assert!(outlet.state.lock().bytes <= KEPT_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_to_a_reader_that_is_slow() {
        let outlet = Outlet::new(0, false);
        outlet.held();
        let writer = outlet.clone();
        let writing = tokio::spawn(async move {
            for n in 0..40u32 {
                let size = if n % 2 == 0 { 50 } else { 900_000 };
                writer.offer(Bytes::from(vec![b'x'; size])).await;
            }
            writer.finish();
        });
        let mut taken = 0;
        while outlet.take().await.is_some() {
            taken += 1;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        writing.await.unwrap();
        assert_eq!(taken, 40);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments() {
        let outlet = Outlet::new(0, false);
        let mut reading = Box::pin(outlet.read(None));
        assert_eq!(reading.next().await.unwrap(), COMMENT);
    }
}

//! What a server writes to stderr: the last lines, within bounds, for whoever asks.
//!
//! Never makes a server wait: what does not fit pushes out what is older. Never interprets a line; escape codes for
//! terminals are still in it.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::Notify,
};

/// Most lines kept.
const LINES: usize = 2000;

/// Most bytes kept, the cost of keeping each line included.
const BYTES: usize = 512 << 10;

/// Longest line kept, in bytes. What is longer ends with [`CUT`].
const LINE: usize = 8 << 10;

/// What a kept line costs beside its text, in bytes, so that many empty lines are bounded too.
const OVERHEAD: usize = 64;

/// Read at once, in bytes.
const CHUNK: usize = 16 << 10;

/// The end of a line that was longer than what is kept of it.
pub const CUT: &str = " [... line cut]";

/// One line that a server wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, counted from 1 since Hostler's start, over all instances that share the ring.
    pub number: u64,
    /// When it arrived.
    pub at: SystemTime,
    /// Its text without the line's end; what was not UTF-8 is replaced.
    pub text: Arc<str>,
}

/// The last lines of a server's stderr: at most 2000 of them, at most 512 KiB, none longer than 8 KiB.
///
/// Belongs to a server, not to a process: it outlives restarts.
#[derive(Debug, Default)]
pub struct StderrRing {
    kept: Mutex<Kept>,
    grown: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    total: u64,
}

impl StderrRing {
    /// An empty ring.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one line, for what Hostler itself has to say between a server's lines.
    pub fn push(&self, line: &str) {
        self.push_all([render(line.as_bytes(), false)]);
    }

    /// The last `n` lines, oldest first.
    #[must_use]
    pub fn tail(&self, n: usize) -> Vec<Line> {
        let kept = self.kept.lock();
        kept.lines.range(kept.lines.len().saturating_sub(n)..).cloned().collect()
    }

    /// The lines after the one with this number, oldest first. A first number greater than `number` + 1 shows that
    /// lines between were pushed out.
    #[must_use]
    pub fn since(&self, number: u64) -> Vec<Line> {
        let kept = self.kept.lock();
        let first = kept.lines.partition_point(|line| line.number <= number);
        kept.lines.range(first..).cloned().collect()
    }

    /// Waits until there are lines after the one with this number, and returns them. May be cancelled.
    pub async fn follow(&self, number: u64) -> Vec<Line> {
        loop {
            // Enrolled before looking, so that a line that comes in between is not missed.
            let grown = self.grown.notified();
            let lines = self.since(number);
            if !lines.is_empty() {
                return lines;
            }
            grown.await;
        }
    }

    /// Lines ever written, kept or not; also the number of the last one.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.kept.lock().total
    }

    /// Reads a server's stderr to its end.
    pub(super) async fn drain(&self, mut from: impl AsyncRead + Unpin) {
        let mut chunk = vec![0; CHUNK];
        let mut splitter = Splitter::default();
        loop {
            match from.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(n) => self.push_all(splitter.split(&chunk[..n])),
            }
        }
        self.push_all(splitter.rest());
    }

    fn push_all(&self, texts: impl IntoIterator<Item = Arc<str>>) {
        let at = SystemTime::now();
        let mut kept = self.kept.lock();
        let before = kept.total;
        for text in texts {
            kept.total += 1;
            kept.bytes += text.len() + OVERHEAD;
            let number = kept.total;
            kept.lines.push_back(Line { number, at, text });
            while kept.lines.len() > LINES || kept.bytes > BYTES {
                let Some(oldest) = kept.lines.pop_front() else { break };
                kept.bytes -= oldest.text.len() + OVERHEAD;
            }
        }
        let grew = kept.total > before;
        drop(kept);
        if grew {
            self.grown.notify_waiters();
        }
    }
}

/// Cuts a stream into lines, holding at most one line's beginning.
#[derive(Default)]
struct Splitter {
    begun: Vec<u8>,
    /// More of the begun line was dropped.
    cut: bool,
}

impl Splitter {
    /// The lines that end in this chunk.
    fn split(&mut self, chunk: &[u8]) -> Vec<Arc<str>> {
        let mut lines = Vec::new();
        let mut pieces = chunk.split(|byte| *byte == b'\n');
        // What follows the last line's end is never a whole line.
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            if self.begun.is_empty() && !self.cut {
                lines.push(render(piece, false));
            } else {
                self.begin(piece);
                lines.extend(self.finish());
            }
        }
        self.begin(last);
        lines
    }

    /// A last line without an end.
    fn rest(&mut self) -> Option<Arc<str>> {
        (!self.begun.is_empty()).then(|| self.finish()).flatten()
    }

    fn begin(&mut self, piece: &[u8]) {
        // One byte more than is kept, so that a carriage return at the end does not count as cut.
        let room = (LINE + 1).saturating_sub(self.begun.len());
        self.cut |= piece.len() > room;
        self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn finish(&mut self) -> Option<Arc<str>> {
        let text = render(&self.begun, std::mem::take(&mut self.cut));
        self.begun.clear();
        Some(text)
    }
}

/// A line as it is kept: valid UTF-8, no longer than [`LINE`], the mark included.
fn render(line: &[u8], cut: bool) -> Arc<str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8_lossy(&line[..line.len().min(LINE + 1)]);
    if !cut && text.len() <= LINE {
        return Arc::from(text);
    }
    let end = text.floor_char_boundary(LINE - CUT.len());
    Arc::from(format!("{}{CUT}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ring: &StderrRing) -> Vec<String> {
        ring.tail(usize::MAX).iter().map(|line| line.text.to_string()).collect()
    }

    #[tokio::test]
    async fn lines_are_the_same_however_they_arrive() {
        let stream = b"one\r\n\ntwo \xff\xc3\xa4\nthree";
        for size in 1..stream.len() {
            let ring = StderrRing::new();
            let mut splitter = Splitter::default();
            for chunk in stream.chunks(size) {
                ring.push_all(splitter.split(chunk));
            }
            ring.push_all(splitter.rest());
            assert_eq!(texts(&ring), ["one", "", "two \u{fffd}ä", "three"], "in chunks of {size}");
        }
    }

    #[tokio::test]
    async fn a_long_line_is_cut_and_marked_and_the_next_is_whole() {
        let ring = StderrRing::new();
        let long = "ä".repeat(20_000);
        let exact = "x".repeat(LINE);
        ring.drain(format!("{long}\n{exact}\r\nnext\n{exact}y").as_bytes()).await;
        let texts = texts(&ring);
        assert_eq!(texts.len(), 4);
        assert!(texts[0].len() <= LINE && texts[0].ends_with(CUT) && texts[0].starts_with("ää"));
        assert_eq!((&texts[1], texts[2].as_str()), (&exact, "next"));
        assert!(texts[3].ends_with(CUT));
    }

    #[test]
    fn the_ring_is_bounded_by_lines_and_by_bytes() {
        let ring = StderrRing::new();
        for _ in 0..5000 {
            ring.push("");
        }
        assert_eq!((ring.tail(usize::MAX).len(), ring.total()), (LINES, 5000));
        let wide = "x".repeat(LINE);
        for _ in 0..200 {
            ring.push(&wide);
        }
        let held: usize = ring.tail(usize::MAX).iter().map(|line| line.text.len() + OVERHEAD).sum();
        assert!(held <= BYTES && held > BYTES - 2 * LINE, "{held} bytes");
        assert_eq!(ring.tail(1)[0].number, 5200);
    }

    #[test]
    fn a_reader_sees_what_is_new_and_that_something_is_missing() {
        let ring = StderrRing::new();
        for n in 1..=3000 {
            ring.push(&n.to_string());
        }
        assert_eq!(ring.since(2998).iter().map(|l| &*l.text).collect::<Vec<_>>(), ["2999", "3000"]);
        assert_eq!(ring.since(5)[0].number, 1001);
        assert!(ring.since(3000).is_empty() && ring.since(u64::MAX).is_empty());
        assert_eq!(ring.tail(2)[0].number, 2999);
    }

    #[tokio::test]
    async fn a_follower_is_woken_by_a_new_line() {
        let ring = Arc::new(StderrRing::new());
        ring.push("old");
        let follower = tokio::spawn({
            let ring = ring.clone();
            async move { ring.follow(1).await }
        });
        tokio::task::yield_now().await;
        ring.push("new");
        let lines = follower.await.unwrap_or_default();
        assert_eq!(lines.iter().map(|l| (l.number, &*l.text)).collect::<Vec<_>>(), [(2, "new")]);
    }
}

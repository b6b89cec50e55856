//! Newline-delimited messages, read within a bound. Never looks into a line.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// Read from the stream at once, in bytes.
const CHUNK: usize = 64 << 10;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes without the line's end; never blank.
    Text(Bytes),
    /// It was longer than allowed and has been passed over.
    TooLong,
}

/// Reads lines. Blank ones are passed over; the last one need not end with a line feed.
pub struct Lines<R> {
    from: BufReader<R>,
    /// Longest line, in bytes.
    limit: usize,
    begun: BytesMut,
    too_long: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes each.
    pub fn new(from: R, limit: usize) -> Self {
        Self { from: BufReader::with_capacity(CHUNK, from), limit, begun: BytesMut::new(), too_long: false }
    }

    /// The next line; nothing at the end. May be cancelled without loss.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let chunk = self.from.fill_buf().await?;
            let end = memchr::memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if self.begun.len() + part.len() > self.limit {
                self.too_long = true;
                self.begun = BytesMut::new();
            } else if !self.too_long {
                self.begun.extend_from_slice(part);
            }
            let at_end = chunk.is_empty();
            let used = part.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_none() && !at_end {
                continue;
            }
            let line = std::mem::take(&mut self.begun).freeze();
            if std::mem::take(&mut self.too_long) {
                return Ok(Some(Line::TooLong));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Line::Text(line)));
            }
            if at_end {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    async fn all(text: &[u8], limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(text, limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    fn text(line: &'static str) -> Line {
        Line::Text(Bytes::from_static(line.as_bytes()))
    }

    #[tokio::test]
    async fn lines_come_one_by_one_and_blank_ones_not_at_all() {
        assert_eq!(all(b"{}\n\n \r\n[1]\r\nlast", 10).await, [text("{}"), text("[1]\r"), text("last")]);
        assert_eq!(all(b"", 10).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over_and_told() {
        assert_eq!(all(b"12345\n123456\n1\n", 5).await, [text("12345"), Line::TooLong, text("1")]);
        let long = vec![b'x'; 3 * CHUNK];
        assert_eq!(all(&long, CHUNK).await, [Line::TooLong]);
    }

    #[tokio::test]
    async fn a_line_longer_than_a_chunk_comes_whole() {
        let long = vec![b'x'; 3 * CHUNK];
        assert_eq!(all(&long, 3 * CHUNK).await, [Line::Text(long.into())]);
    }
}

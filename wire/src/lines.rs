//! The stdio framing: one JSON-RPC message a line ("stdio", transports, of every revision). Never looks into a line, and
//! never does I/O: bytes are read into its room by whoever owns the stream.

use bytes::{Buf, Bytes, BytesMut};

use crate::Fault;

/// A stream of bytes on its way to lines. Holds at most one line within the bound, and what was read behind it.
#[derive(Debug)]
pub struct Lines {
    buffer: BytesMut,
    /// Bytes at the start in which no line ends.
    searched: usize,
    bound: usize,
}

impl Lines {
    /// Lines of at most `bound` bytes, their ends not counted.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, bound }
    }

    /// Where the next bytes of the stream are to be appended, with room for at least so many. To be called when `next` has
    /// returned `None`.
    pub fn room(&mut self, bytes: usize) -> &mut BytesMut {
        self.buffer.reserve(bytes);
        &mut self.buffer
    }

    /// The next whole line without its line feed; `None` when more bytes are needed. A carriage return before the line
    /// feed stays: in JSON it is white space. What a stream ends with, should it not end with a line feed, is no line.
    ///
    /// # Errors
    /// `TooLarge` when a line is longer than the bound; the stream is of no use after it.
    // Not an iterator: after `None` there is more to come.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let end = memchr::memchr(b'\n', &self.buffer[self.searched..]).map(|at| self.searched + at);
        self.searched = end.unwrap_or(self.buffer.len());
        if self.searched > self.bound {
            return Err(Fault::TooLarge);
        }
        if end.is_none() {
            return Ok(None);
        }
        let line = self.buffer.split_to(self.searched).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// The lines of a stream given in chunks, and whether it was refused.
    fn cut<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, bound: usize) -> (Vec<Bytes>, bool) {
        let mut lines = Lines::new(bound);
        let mut found = Vec::new();
        for chunk in chunks {
            lines.room(chunk.len()).extend_from_slice(chunk);
            loop {
                match lines.next() {
                    Ok(Some(line)) => found.push(line),
                    Ok(None) => break,
                    Err(_) => return (found, true),
                }
            }
        }
        (found, false)
    }

    #[test]
    fn a_line_ends_with_its_line_feed_and_not_with_the_stream() {
        let (lines, refused) = cut([&b"{}\r\n\n{\"a\""[..], b":1}\n{\"b\""], 16);
        assert_eq!(lines, [&b"{}\r"[..], b"", b"{\"a\":1}"]);
        assert!(!refused);
    }

    #[test]
    fn a_line_beyond_the_bound_is_refused_before_it_ends() {
        assert_eq!(cut([&b"1234\n"[..]], 4), (vec![Bytes::from_static(b"1234")], false));
        assert_eq!(cut([&b"1234\n12345\n"[..]], 4), (vec![Bytes::from_static(b"1234")], true));
        assert_eq!(cut([&b"12"[..], b"345"], 4), (vec![], true));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(stream in prop::collection::vec(prop::sample::select(&b"\n\r{a"[..]), 0..60), size in 1..9usize) {
            let whole = cut([&stream[..]], 12);
            prop_assert_eq!(&cut(stream.chunks(size), 12), &whole);
            let mut naive: Vec<_> = stream.split(|byte| *byte == b'\n').collect();
            naive.pop();
            let within = naive.iter().take_while(|line| line.len() <= 12).count();
            prop_assert_eq!(whole.0, &naive[..within]);
        }
    }
}

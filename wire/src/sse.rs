//! Server-sent events (WHATWG HTML, section 9.2), as Streamable HTTP and HTTP+SSE use them.
//!
//! Never interprets the data. Unlike a browser, the decoder also delivers an event without data that has an id or a
//! `retry`, because resuming a stream needs them; an event that has only a name is dropped.

use bytes::{Bytes, BytesMut};

/// The byte order mark, which may begin a stream.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The data; several `data` lines are joined by line feeds. Empty when there was none.
    pub data: Bytes,
    /// The id, when this event has one; an empty one resets the last id.
    pub id: Option<Bytes>,
    /// The event's name; `None` means `message`.
    pub name: Option<Bytes>,
    /// Milliseconds to wait before connecting again.
    pub retry: Option<u64>,
}

/// An event has more bytes than allowed. The decoder is of no use after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {limit} bytes")]
pub struct TooLarge {
    /// Bytes that an event may have.
    pub limit: usize,
}

/// The data of the event that is being read.
#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Joined(BytesMut),
}

/// Decodes a stream of events, chunk by chunk. Holds at most one chunk and one event within the limit.
///
/// An event whose data lies on one line within one chunk is a slice of that chunk.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// What is left of the chunk.
    chunk: Bytes,
    /// The beginning of a line whose end was not in the chunks before.
    partial: BytesMut,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// The first line is still to come; it may begin with a byte order mark.
    first: bool,
    /// Bytes of the lines that make up the event so far.
    size: usize,
    data: Data,
    event: Event,
    too_large: bool,
}

impl Decoder {
    /// A decoder for events of at most `limit` bytes, counted over their lines without line ends.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
            after_return: false,
            first: true,
            size: 0,
            data: Data::None,
            event: Event::default(),
            too_large: false,
        }
    }

    /// Takes the next chunk. To be called when `next` has returned `None`; earlier, the chunks are joined by copying.
    pub fn feed(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.chunk.len() + chunk.len());
        joined.extend_from_slice(&self.chunk);
        joined.extend_from_slice(&chunk);
        self.chunk = joined.freeze();
    }

    /// The next whole event; `None` when another chunk is needed.
    ///
    /// # Errors
    /// When an event, or a single line, is longer than the limit; from then on always.
    // Not an iterator: after `None` there is more to come.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Event>, TooLarge> {
        let too_large = TooLarge { limit: self.limit };
        if self.too_large {
            return Err(too_large);
        }
        while let Some(line) = self.line() {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else if self.size + line.len() > self.limit {
                self.too_large = true;
                return Err(too_large);
            } else {
                self.take(&line);
            }
        }
        if self.size + self.unfinished() > self.limit {
            self.too_large = true;
            return Err(too_large);
        }
        Ok(None)
    }

    /// Bytes of the unfinished line that count: a byte order mark is cut only from the finished first line.
    fn unfinished(&self) -> usize {
        let marked = self.first && (self.partial.starts_with(MARK) || MARK.starts_with(&self.partial));
        if marked { self.partial.len().saturating_sub(MARK.len()) } else { self.partial.len() }
    }

    /// The next whole line without its end. What is left of the chunk goes to `partial`.
    fn line(&mut self) -> Option<Bytes> {
        if self.after_return && !self.chunk.is_empty() {
            self.after_return = false;
            if self.chunk[0] == b'\n' {
                let _ = self.chunk.split_to(1);
            }
        }
        let Some(end) = memchr::memchr2(b'\n', b'\r', &self.chunk) else {
            // A line that is too long anyway need not be kept: `next` sees it by its length.
            let room = self.limit.saturating_add(MARK.len() + 1).saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&self.chunk[..self.chunk.len().min(room)]);
            self.chunk = Bytes::new();
            return None;
        };
        let mut line = self.chunk.split_to(end);
        self.after_return = self.chunk.split_to(1)[0] == b'\r';
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(&line);
            line = std::mem::take(&mut self.partial).freeze();
        }
        if std::mem::take(&mut self.first) && line.starts_with(MARK) {
            let _ = line.split_to(MARK.len());
        }
        Some(line)
    }

    /// Takes a line of an event.
    fn take(&mut self, line: &Bytes) {
        let colon = memchr::memchr(b':', line);
        let name = &line[..colon.unwrap_or(line.len())];
        let mut value = line.slice(colon.map_or(line.len(), |at| at + 1)..);
        if value.first() == Some(&b' ') {
            let _ = value.split_to(1);
        }
        match name {
            b"data" => self.join(value),
            b"event" => self.event.name = (!value.is_empty()).then_some(value),
            b"id" if memchr::memchr(0, &value).is_none() => self.event.id = Some(value),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.event.retry = std::str::from_utf8(&value).ok().and_then(|digits| digits.parse().ok());
            }
            // A comment, or a field that is not known: it is not kept, so it does not count.
            _ => return,
        }
        self.size += line.len();
    }

    fn join(&mut self, value: Bytes) {
        self.data = match std::mem::take(&mut self.data) {
            Data::None => Data::One(value),
            Data::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len() + 1 + value.len());
                joined.extend_from_slice(&first);
                Data::Joined(extended(joined, &value))
            }
            Data::Joined(joined) => Data::Joined(extended(joined, &value)),
        };
    }

    /// Ends the event; `None` when there is nothing to deliver.
    fn dispatch(&mut self) -> Option<Event> {
        self.size = 0;
        let mut event = std::mem::take(&mut self.event);
        event.data = match std::mem::take(&mut self.data) {
            Data::None if event.id.is_none() && event.retry.is_none() => return None,
            Data::None => Bytes::new(),
            Data::One(data) => data,
            Data::Joined(data) => data.freeze(),
        };
        Some(event)
    }
}

fn extended(mut joined: BytesMut, value: &[u8]) -> BytesMut {
    joined.extend_from_slice(b"\n");
    joined.extend_from_slice(value);
    joined
}

/// Appends one event. Each line break in the data (`\r\n`, `\n` or a lone `\r`) begins a new `data` line, so a reader
/// gets it as `\n`. Line breaks and NUL in id or name, which cannot be written, are left out.
pub fn encode(id: Option<&str>, event: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    out.reserve(data.len() + id.map_or(0, |id| id.len() + 5) + event.map_or(0, |event| event.len() + 8) + 8);
    head(id, event, out);
    let mut rest = data;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\ndata: ");
        rest = &rest[at + if rest[at..].starts_with(b"\r\n") { 2 } else { 1 }..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\n\n");
}

/// One event as pieces of which the data is not copied: a head, the data's own pieces, and the end. Data with line
/// breaks has to be rewritten and comes as one new piece.
#[must_use]
pub fn encode_pieces(id: Option<&str>, event: Option<&str>, data: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
    let mut pieces = vec![Bytes::new()];
    pieces.extend(data);
    if pieces.iter().any(|piece| memchr::memchr2(b'\n', b'\r', piece).is_some()) {
        let mut out = Vec::new();
        encode(id, event, &pieces.concat(), &mut out);
        return vec![out.into()];
    }
    let mut lead = Vec::with_capacity(64);
    head(id, event, &mut lead);
    pieces[0] = lead.into();
    pieces.push(Bytes::from_static(b"\n\n"));
    pieces
}

fn head(id: Option<&str>, event: Option<&str>, out: &mut Vec<u8>) {
    for (lead, value) in [("id: ", id), ("event: ", event)] {
        let Some(value) = value else { continue };
        out.extend_from_slice(lead.as_bytes());
        out.extend(value.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r' | 0)));
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
}

#[cfg(test)]
mod tests;

//! Streams of bytes cut into events and lines, whatever the chunks. Never looks into an event.

use bytes::Bytes;
use wire::{
    Lines, one_line,
    sse::{Decoder, Event, encode},
};

/// Bytes that an event or a line may have here: small, so that the bound is met often.
const BOUND: usize = 200;

/// The first byte is the length of a chunk, the rest a stream.
fn chunked(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((1, data), |(size, stream)| (usize::from(*size).max(1), stream))
}

/// A stream of events, in chunks and at once.
///
/// # Panics
/// When chunks make a difference, or an event that was written is not read again.
pub fn sse(data: &[u8]) {
    let (size, stream) = chunked(data);
    let (events, refused) = events(std::iter::once(stream));
    assert_eq!(self::events(stream.chunks(size)), (events.clone(), refused), "chunks of {size}");
    for event in events {
        again(&event);
    }
}

fn events<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, bool) {
    let mut decoder = Decoder::new(BOUND);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

/// An event that was read, written and read once more.
fn again(event: &Event) {
    let (Ok(id), Ok(name)) = (word(event.id.as_ref()), word(event.name.as_ref())) else { return };
    if name.is_some_and(|name| name.contains('\0')) {
        // Left out on purpose when it is written.
        return;
    }
    let mut stream = Vec::new();
    encode(id, name, &event.data, &mut stream);
    let mut decoder = Decoder::new(usize::MAX);
    decoder.feed(stream.into());
    let read = decoder.next().ok().flatten();
    assert_eq!(read, Some(Event { retry: None, ..event.clone() }), "an event written and read again");
}

fn word(bytes: Option<&Bytes>) -> Result<Option<&str>, std::str::Utf8Error> {
    bytes.map(|bytes| std::str::from_utf8(bytes)).transpose()
}

/// A stream of lines, in chunks and at once.
///
/// # Panics
/// When chunks make a difference, or a line is not what stands between two line feeds.
pub fn lines(data: &[u8]) {
    let (size, stream) = chunked(data);
    let (found, refused) = cut(std::iter::once(stream));
    assert_eq!(cut(stream.chunks(size)), (found.clone(), refused), "chunks of {size}");
    let mut naive: Vec<_> = stream.split(|byte| *byte == b'\n').collect();
    let rest = naive.pop().unwrap_or_default();
    let within = naive.iter().take_while(|line| line.len() <= BOUND).count();
    assert_eq!(found, naive[..within], "lines of a stream");
    assert_eq!(refused, within < naive.len() || rest.len() > BOUND, "refused or not");
    let single = one_line(Bytes::copy_from_slice(stream));
    assert!(single.len() == stream.len() && !single.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
}

fn cut<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Bytes>, bool) {
    let mut lines = Lines::new(BOUND);
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

//! Walks over raw JSON for cold paths: a field of an object, members, elements, the messages of a batch.
//!
//! Never fails on JSON that was validated before; on other bytes it ends early, without panic.

use std::borrow::Cow;

use crate::{
    Fault, Span,
    scan::{MAX_DEPTH, Scanner, Step},
    text,
};

/// The raw value of a top-level key of a validated JSON object. The first one, should the key stand twice.
///
/// `None` when there is none, or when the bytes are no object. Costs one pass up to the field.
#[must_use]
pub fn field<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut scan = opened(object, b'{')?;
    while let Some(found) = scan.key().ok()? {
        let value = scan.value().ok()?;
        let raw = found.span.of(object);
        let same = if found.plain { raw == key.as_bytes() } else { decoded(raw) == key };
        if same {
            return Some(value.span.of(object));
        }
    }
    None
}

/// The raw elements of a validated JSON array; none when the bytes are no array.
pub fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut scan = opened(array, b'[');
    std::iter::from_fn(move || {
        let element = scan.as_mut()?.element().ok().flatten();
        if element.is_none() {
            scan = None;
        }
        Some(element?.span.of(array))
    })
}

/// The members of a validated JSON object: decoded key, range of the value, range of the whole member from the key's
/// opening quote to the value's end. Ranges count from the start of `object`. None when the bytes are no object.
pub fn members(object: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Span, Span)> {
    let mut scan = opened(object, b'{');
    std::iter::from_fn(move || {
        let member = scan.as_mut().and_then(|scan| {
            let key = scan.key().ok().flatten()?;
            let value = scan.value().ok()?.span;
            Some((decoded(key.span.of(object)), value, Span { start: key.span.start - 1, end: value.end }))
        });
        if member.is_none() {
            scan = None;
        }
        member
    })
}

/// Whether the first byte that is not white space opens an array.
#[must_use]
pub fn is_batch(body: &[u8]) -> bool {
    body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'[')
}

/// The messages of a batch (revision 2025-03-26): the ranges of the elements of a top-level array, validated as JSON.
/// Each may have `depth` levels of nesting of its own.
///
/// # Errors
/// `Syntax`, `TooDeep` as `Envelope::parse`; `NotAMessage` for an empty batch or anything but an array; `TooLarge` for
/// more than `limit` messages.
pub fn batch(body: &[u8], depth: usize, limit: usize) -> Result<Vec<Span>, Fault> {
    let mut scan = Scanner::new(body, depth.min(MAX_DEPTH) + 1)?;
    let walked = messages(&mut scan, limit);
    let found = scan.outcome(walked)?;
    match found {
        None => Err(Fault::NotAMessage("not a batch")),
        Some(found) if found.is_empty() => Err(Fault::NotAMessage("an empty batch")),
        Some(found) => Ok(found),
    }
}

/// The elements of a whole body that is an array; `None` for another value.
fn messages(scan: &mut Scanner<'_>, limit: usize) -> Step<Option<Vec<Span>>> {
    if scan.peek() != b'[' {
        scan.value()?;
        scan.finish()?;
        return Ok(None);
    }
    scan.enter()?;
    let mut found = Vec::new();
    while let Some(element) = scan.element()? {
        if found.len() == limit {
            return scan.stop(Fault::TooLarge);
        }
        found.push(element.span);
    }
    scan.finish()?;
    Ok(Some(found))
}

/// A scanner inside the array or object that the bytes are.
fn opened(raw: &[u8], bracket: u8) -> Option<Scanner<'_>> {
    let mut scan = Scanner::new(raw, usize::MAX).ok()?;
    if scan.peek() != bracket {
        return None;
    }
    scan.enter().ok()?;
    Some(scan)
}

fn decoded(raw: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(raw).ok().and_then(text::contents).unwrap_or_default()
}

#[cfg(test)]
mod tests;

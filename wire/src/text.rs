//! JSON strings to text and back. Never guesses: what is no JSON string is `None`.

use std::borrow::Cow;

/// Decodes a raw JSON string with its quotes; borrowed when it has no escapes. Unpaired surrogates become U+FFFD.
///
/// `None` for anything but one well-formed JSON string without white space around it.
#[must_use]
pub fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    contents(std::str::from_utf8(inner).ok()?)
}

/// Decodes the contents of a JSON string, without quotes.
pub(crate) fn contents(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.bytes().any(|b| b == b'\\' || b == b'"' || b < 0x20) {
        return Some(Cow::Borrowed(inner));
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.bytes().position(|b| b == b'\\' || b == b'"' || b < 0x20) {
        out.push_str(&rest[..at]);
        rest = rest[at..].strip_prefix('\\')?;
        let escaped = rest.chars().next()?;
        rest = &rest[escaped.len_utf8()..];
        out.push(match escaped {
            '"' | '\\' | '/' => escaped,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unicode(&mut rest)?,
            _ => return None,
        });
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character whose four digits begin `rest`, together with the second half of a surrogate pair.
fn unicode(rest: &mut &str) -> Option<char> {
    let first = four_digits(rest)?;
    *rest = &rest[4..];
    if (0xD800..0xDC00).contains(&first)
        && let Some(second) = rest.strip_prefix("\\u").and_then(four_digits)
        && (0xDC00..0xE000).contains(&second)
    {
        *rest = &rest[6..];
        return char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00));
    }
    Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn four_digits(rest: &str) -> Option<u32> {
    let digits = rest.get(..4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// A JSON string literal, with its quotes. Has no line breaks whatever the text.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(must_escape) {
        out.push_str(&rest[..at]);
        let byte = rest.as_bytes()[at];
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push(if byte < 0x10 { '0' } else { '1' });
                out.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
    out
}

fn must_escape(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// Appends a JSON string literal, with its quotes.
pub fn write_quoted(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(must_escape) {
        out.extend_from_slice(quote(text).as_bytes());
        return;
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests;

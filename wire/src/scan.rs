//! The JSON scanner: walks over a body once, checks it against RFC 8259 and says where things are.
//!
//! Never recurses, never allocates, never builds values. Text outside strings is ASCII by the grammar, so UTF-8 needs
//! checking only when a byte above 0x7f was met inside a string.

use crate::{Fault, Span, nesting, skip};

/// Levels of nesting that can be allowed at most; a greater limit means this one.
pub const MAX_DEPTH: usize = 512;

// One level more than a message may have: the array of a batch.
const _: () = assert!(MAX_DEPTH < nesting::CAPACITY);

/// What kind of value was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string; `plain` when it has no escapes.
    String { plain: bool },
    /// A number without fraction and exponent.
    Integer,
    /// A number with a fraction or an exponent.
    Fraction,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value that was passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// The key of a member: contents without quotes, as written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) span: Span,
    pub(crate) plain: bool,
}

/// A position in a body, and what of it is open.
pub(crate) struct Scanner<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) at: usize,
    /// Levels that are open, entered ones and those inside a value being passed.
    pub(crate) open: usize,
    pub(crate) limit: usize,
    /// The innermost entered level has had no member yet.
    fresh: bool,
    /// A byte above 0x7f was met in a string.
    beyond_ascii: bool,
    /// Why the scan stopped.
    fault: Option<Fault>,
}

/// The scan has stopped; the scanner keeps why. Of no size, so that results stay in registers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped;

pub(crate) type Step<T> = Result<T, Stopped>;

impl<'a> Scanner<'a> {
    /// At the start of a body.
    pub(crate) fn new(body: &'a [u8], limit: usize) -> Result<Self, Fault> {
        if body.len() > u32::MAX as usize {
            return Err(Fault::TooLarge);
        }
        Ok(Self {
            body,
            at: 0,
            open: 0,
            limit: limit.min(nesting::CAPACITY),
            fresh: false,
            beyond_ascii: false,
            fault: None,
        })
    }

    /// The first position at or after `at` that is not white space, and the byte there: zero, which no token begins with,
    /// at the end.
    #[inline]
    pub(crate) fn token(&self, mut at: usize) -> (usize, u8) {
        loop {
            match self.body.get(at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => at += 1,
                Some(&byte) => return (at, byte),
                None => return (at, 0),
            }
        }
    }

    /// Passes white space and shows the next byte.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        let (at, byte) = self.token(self.at);
        self.at = at;
        byte
    }

    /// Stops for a fault.
    #[cold]
    pub(crate) fn stop<T>(&mut self, fault: Fault) -> Step<T> {
        self.fault.get_or_insert(fault);
        Err(Stopped)
    }

    /// Stops for bytes that are no JSON.
    #[cold]
    fn syntax<T>(&mut self, at: usize, what: &'static str) -> Step<T> {
        self.stop(Fault::Syntax { at, what })
    }

    /// Stops for anything but what was expected at a place.
    #[cold]
    pub(crate) fn unexpected<T>(&mut self, at: usize, what: &'static str) -> Step<T> {
        self.syntax(at, if at < self.body.len() { what } else { "the body ends too early" })
    }

    /// What a whole walk came to: its result, or the fault that it stopped for.
    pub(crate) fn outcome<T>(self, step: Step<T>) -> Result<T, Fault> {
        // A walk that stopped has left its fault; the other one stands in for it.
        step.map_err(|Stopped| self.fault.unwrap_or(Fault::TooLarge))
    }

    /// Counts a level that opens at `at`.
    #[inline]
    pub(crate) fn deeper(&mut self, at: usize) -> Step<()> {
        if self.open >= self.limit {
            return self.stop(Fault::TooDeep { at, limit: self.limit });
        }
        self.open += 1;
        Ok(())
    }

    /// Enters the array or object that begins at the current byte; its members are then walked with `key` or `element`.
    #[inline]
    pub(crate) fn enter(&mut self) -> Step<()> {
        self.deeper(self.at)?;
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// Leaves the entered array or object, whose end is the current byte.
    #[inline]
    fn leave(&mut self) {
        self.at += 1;
        self.open -= 1;
    }

    /// The next key of the entered object, the position being left before its value; `None` after the closing brace.
    #[inline]
    pub(crate) fn key(&mut self) -> Step<Option<Key>> {
        let first = std::mem::take(&mut self.fresh);
        let (mut at, mut byte) = self.token(self.at);
        if byte == b'}' {
            self.at = at;
            self.leave();
            return Ok(None);
        }
        if !first {
            if byte != b',' {
                return self.unexpected(at, "expected `,` or `}`");
            }
            (at, byte) = self.token(at + 1);
        }
        if byte != b'"' {
            return self.unexpected(at, "expected a key");
        }
        let (end, plain) = self.string(at)?;
        self.at = self.colon(end)?;
        Ok(Some(Key { span: Span::new(at + 1, end - 1), plain }))
    }

    /// The next element of the entered array; `None` after the closing bracket.
    #[inline]
    pub(crate) fn element(&mut self) -> Step<Option<Value>> {
        let first = std::mem::take(&mut self.fresh);
        match self.peek() {
            b']' => {
                self.leave();
                return Ok(None);
            }
            b',' if !first => self.at += 1,
            _ if first => {}
            _ => return self.unexpected(self.at, "expected `,` or `]`"),
        }
        self.value().map(Some)
    }

    /// The position after the colon that comes next.
    #[inline]
    pub(crate) fn colon(&mut self, at: usize) -> Step<usize> {
        let (at, byte) = self.token(at);
        if byte == b':' { Ok(at + 1) } else { self.unexpected(at, "expected `:`") }
    }

    /// Passes one value of any kind.
    #[inline]
    pub(crate) fn value(&mut self) -> Step<Value> {
        let (start, first) = self.token(self.at);
        let (end, kind) = match first {
            b'{' => (self.container(start)?, Kind::Object),
            b'[' => (self.container(start)?, Kind::Array),
            _ => self.scalar(start, first)?,
        };
        self.at = end;
        Ok(Value { span: Span::new(start, end), kind })
    }

    /// The end of the value at `at` that begins with the given byte and is neither array nor object; and its kind.
    #[inline]
    pub(crate) fn scalar(&mut self, at: usize, first: u8) -> Step<(usize, Kind)> {
        match first {
            b'"' => self.string(at).map(|(end, plain)| (end, Kind::String { plain })),
            b'-' | b'0'..=b'9' => self.number(at),
            b't' => self.literal(at, b"true", Kind::Bool),
            b'f' => self.literal(at, b"false", Kind::Bool),
            b'n' => self.literal(at, b"null", Kind::Null),
            _ => self.unexpected(at, "expected a value"),
        }
    }

    #[inline]
    fn literal(&mut self, at: usize, word: &'static [u8], kind: Kind) -> Step<(usize, Kind)> {
        if self.body[at..].starts_with(word) {
            return Ok((at + word.len(), kind));
        }
        self.unexpected(at, "expected `true`, `false` or `null`")
    }

    /// The end of the string whose opening quote is at `at`, and whether it has no escapes.
    #[inline]
    pub(crate) fn string(&mut self, at: usize) -> Step<(usize, bool)> {
        match skip::short(self.body, at + 1) {
            Some(found) if self.body[found.end] == b'"' => {
                self.beyond_ascii |= found.beyond_ascii;
                Ok((found.end + 1, true))
            }
            _ => self.long_string(at + 1),
        }
    }

    #[inline(never)]
    fn long_string(&mut self, mut at: usize) -> Step<(usize, bool)> {
        let mut plain = true;
        loop {
            let found = skip::plain(self.body, at);
            self.beyond_ascii |= found.beyond_ascii;
            at = found.end;
            match self.body.get(at) {
                Some(b'"') => return Ok((at + 1, plain)),
                Some(b'\\') => at = self.escape(at)?,
                Some(_) => return self.syntax(at, "a control character in a string"),
                None => return self.syntax(at, "the body ends within a string"),
            }
            plain = false;
        }
    }

    /// The position after the escape whose backslash is at `at`. Whether surrogates pair up is not part of the grammar
    /// (RFC 8259, section 8.2).
    #[inline]
    fn escape(&mut self, at: usize) -> Step<usize> {
        match self.body.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.body.get(at + 2..at + 6) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => self.syntax(at, "`\\u` without four hexadecimal digits"),
            },
            _ => self.syntax(at, "an unknown escape"),
        }
    }

    /// The position after the digits at `at`, of which there must be one.
    #[inline]
    fn digits(&mut self, start: usize) -> Step<usize> {
        let mut at = start;
        while self.body.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at > start { Ok(at) } else { self.unexpected(at, "expected a digit") }
    }

    #[inline]
    fn number(&mut self, at: usize) -> Step<(usize, Kind)> {
        let body = self.body;
        let start = at + usize::from(body[at] == b'-');
        let end = self.digits(start)?;
        if body[start] == b'0' && end > start + 1 {
            return self.syntax(start, "a number with a leading zero");
        }
        match body.get(end) {
            Some(b'.' | b'e' | b'E') => self.fraction(end),
            _ => Ok((end, Kind::Integer)),
        }
    }

    /// The end of a number whose integer part ends at `at`.
    fn fraction(&mut self, mut at: usize) -> Step<(usize, Kind)> {
        if self.body[at] == b'.' {
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = self.body.get(at) {
            let signed = matches!(self.body.get(at + 1), Some(b'+' | b'-'));
            at = self.digits(at + 1 + usize::from(signed))?;
        }
        Ok((at, Kind::Fraction))
    }

    /// Checks that nothing but white space follows, and the encoding of what was passed.
    pub(crate) fn finish(&mut self) -> Step<()> {
        if self.peek() != 0 || self.at < self.body.len() {
            return self.unexpected(self.at, "something follows the message");
        }
        if self.beyond_ascii
            && let Err(error) = std::str::from_utf8(self.body)
        {
            return self.syntax(error.valid_up_to(), "not UTF-8");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

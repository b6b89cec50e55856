//! The fast ways over bulk: plain text within strings, and whole arrays and objects.
//!
//! Never interprets what it passes.

use crate::{
    nesting::Nesting,
    scan::{Scanner, Step},
};

/// Bytes looked at together.
#[cfg(target_arch = "x86_64")]
const BLOCK: usize = 16;
#[cfg(not(target_arch = "x86_64"))]
const BLOCK: usize = 8;

/// What a block holds.
struct Look {
    /// Bytes before the first one that stops plain text in a string (quote, backslash, control character).
    plain: Option<usize>,
    /// Any byte of the block is above 0x7f, also after the stop.
    beyond_ascii: bool,
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn look(block: &[u8; BLOCK]) -> Look {
    let (stops, high) = crate::vector::stops(block);
    Look { plain: (stops != 0).then_some(stops.trailing_zeros() as usize), beyond_ascii: high != 0 }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn look(block: &[u8; BLOCK]) -> Look {
    let (plain, beyond_ascii) = look_at_word(*block);
    Look { plain, beyond_ascii }
}

/// With the well-known tricks for finding a byte in a word ("Bit Twiddling Hacks"). The first byte is the lowest, and only
/// the lowest hit is sure: a borrow may make false ones above it.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn look_at_word(block: [u8; 8]) -> (Option<usize>, bool) {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(block);
    let below = |word: u64, least: u64| word.wrapping_sub(LOW * least) & !word;
    let quote = below(word ^ (LOW * u64::from(b'"')), 1);
    let backslash = below(word ^ (LOW * u64::from(b'\\')), 1);
    let stops = (quote | backslash | below(word, 0x20)) & HIGH;
    ((stops != 0).then_some(stops.trailing_zeros() as usize / 8), word & HIGH != 0)
}

/// Where plain text ends.
pub(crate) struct Plain {
    /// The position of the first quote, backslash or control character, or the end of the body.
    pub(crate) end: usize,
    /// A byte above 0x7f was passed, or perhaps follows closely.
    pub(crate) beyond_ascii: bool,
}

/// Plain text that ends within the block at `at`, as that of most keys and names; `None` when it does not.
#[inline]
pub(crate) fn short(body: &[u8], at: usize) -> Option<Plain> {
    let found = look(body.get(at..)?.first_chunk()?);
    Some(Plain { end: at + found.plain?, beyond_ascii: found.beyond_ascii })
}

/// Plain text from `at` on.
#[inline]
pub(crate) fn plain(body: &[u8], mut at: usize) -> Plain {
    let mut beyond_ascii = false;
    while let Some(block) = body.get(at..).and_then(|rest| rest.first_chunk()) {
        let found = look(block);
        beyond_ascii |= found.beyond_ascii;
        // A branch, not an addition: the next block must not wait for what this one says.
        if let Some(plain) = found.plain {
            return Plain { end: at + plain, beyond_ascii };
        }
        at += BLOCK;
    }
    while let Some(&byte) = body.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        beyond_ascii |= byte > 0x7f;
        at += 1;
    }
    Plain { end: at, beyond_ascii }
}

impl Scanner<'_> {
    /// The end of the array or object that begins at `at`, all that is in it being checked.
    pub(crate) fn container(&mut self, at: usize) -> Step<usize> {
        let mut nesting = Nesting::new();
        let mut place = at;
        loop {
            // Before a value.
            let (at, first) = self.token(place);
            place = match first {
                b'{' | b'[' => {
                    self.deeper(at)?;
                    let object = first == b'{';
                    let (inner, next) = self.token(at + 1);
                    // The closing brackets of ASCII stand two after the opening ones.
                    if next != first + 2 {
                        nesting.push(object);
                        place = if object { self.inner_key(inner, next)? } else { inner };
                        continue;
                    }
                    self.open -= 1;
                    inner + 1
                }
                _ => self.scalar(at, first)?.0,
            };
            // After a value.
            match self.ascend(place, &mut nesting)? {
                Next::Value(at) => place = at,
                Next::End(at) => return Ok(at),
            }
        }
    }

    /// Leaves all levels that end after the value that ends at `place`.
    #[inline]
    fn ascend(&mut self, mut place: usize, nesting: &mut Nesting) -> Step<Next> {
        while !nesting.is_empty() {
            let (at, byte) = self.token(place);
            match (byte, nesting.in_object()) {
                (b',', true) => {
                    let (at, byte) = self.token(at + 1);
                    return self.inner_key(at, byte).map(Next::Value);
                }
                (b',', false) => return Ok(Next::Value(at + 1)),
                (b'}', true) | (b']', false) => {
                    self.open -= 1;
                    nesting.pop();
                    place = at + 1;
                }
                (_, true) => return self.unexpected(at, "expected `,` or `}`"),
                (_, false) => return self.unexpected(at, "expected `,` or `]`"),
            }
        }
        Ok(Next::End(place))
    }

    /// The position after a key and its colon.
    #[inline]
    fn inner_key(&mut self, at: usize, byte: u8) -> Step<usize> {
        if byte != b'"' {
            return self.unexpected(at, "expected a key");
        }
        let (end, _) = self.string(at)?;
        self.colon(end)
    }
}

/// What comes after a value inside an array or object.
enum Next {
    /// Another value, at this position or after white space.
    Value(usize),
    /// Nothing: the outermost level ended before this position.
    End(usize),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stops(byte: &u8) -> bool {
        matches!(byte, b'"' | b'\\' | 0..0x20)
    }

    #[test]
    fn every_byte_is_told_rightly_at_every_place_of_a_block() {
        for byte in 0..=255 {
            for place in 0..BLOCK {
                for around in [b'a', 0x7f, 0x80, 0xff, b' ', b'!', b'#', b'[', b']'] {
                    let mut block = [around; BLOCK];
                    block[place] = byte;
                    let found = look(&block);
                    assert_eq!(found.plain, block.iter().position(stops), "{byte} at {place} in {around}");
                    assert_eq!(found.beyond_ascii, !block.is_ascii());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn words_and_blocks_find_the_first_stop(bytes in prop::array::uniform16(prop_oneof![any::<u8>(), 0x1e..0x24u8, 0x5a..0x5eu8])) {
            let first = bytes.iter().position(stops);
            let mut block = [0; BLOCK];
            block.copy_from_slice(&bytes[..BLOCK]);
            prop_assert_eq!(look(&block).plain, first.filter(|at| *at < BLOCK));
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[..8]);
            prop_assert_eq!(look_at_word(word), (first.filter(|at| *at < 8), !word.is_ascii()));
        }

        #[test]
        fn plain_text_ends_at_the_first_stop(bytes in prop::collection::vec(prop_oneof![9 => 0x20..=255u8, 1 => any::<u8>()], 0..70), at in 0..70usize) {
            let at = at.min(bytes.len());
            let end = bytes[at..].iter().position(stops).map_or(bytes.len(), |distance| at + distance);
            let found = plain(&bytes, at);
            prop_assert_eq!(found.end, end);
            prop_assert!(found.beyond_ascii || bytes[at..end].is_ascii());
            if let Some(found) = short(&bytes, at) {
                prop_assert_eq!(found.end, end);
                prop_assert!(found.beyond_ascii || bytes[at..end].is_ascii());
            }
        }
    }
}

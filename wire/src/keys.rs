//! The keys that an object has had so far, to find the one that stands twice.
//!
//! Compares keys as decoded, so that `"\u0069d"` is `"id"`; unpaired surrogates all count as the same character. Never
//! allocates for plain keys in small objects.

use std::{borrow::Cow, collections::HashSet};

use crate::Span;

/// Keys kept in place; an object with more goes to a hash set, so that no object costs quadratic time.
const FEW: usize = 8;

/// Keys that an object may have at most where they are compared.
const MOST: usize = 1 << 16;

/// What became of a key that was added.
pub(crate) enum Added {
    /// It is the first of its kind.
    New,
    /// It was there already.
    Again,
    /// There are too many.
    TooMany,
}

pub(crate) struct Keys<'a> {
    body: &'a [u8],
    /// Plain keys, while there are few and all are plain.
    few: [Span; FEW],
    used: usize,
    /// The lengths that were there, as bits: keys of one object seldom have the same.
    lengths: u64,
    many: Option<HashSet<Cow<'a, [u8]>>>,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { body, few: [Span { start: 0, end: 0 }; FEW], used: 0, lengths: 0, many: None }
    }

    /// Adds a key without escapes, given by its place in the body.
    #[inline]
    pub(crate) fn add(&mut self, key: Span) -> Added {
        if self.many.is_some() || self.used == FEW {
            return self.add_to_many(Cow::Borrowed(key.of(self.body)));
        }
        let length = 1 << (key.len() % 64);
        let same = |other: &Span| other.len() == key.len() && other.of(self.body) == key.of(self.body);
        if self.lengths & length != 0 && self.few[..self.used].iter().any(same) {
            return Added::Again;
        }
        self.lengths |= length;
        self.few[self.used] = key;
        self.used += 1;
        Added::New
    }

    /// Adds any key, decoded.
    #[cold]
    pub(crate) fn add_to_many(&mut self, key: Cow<'a, [u8]>) -> Added {
        let few = self.few[..self.used].iter();
        let many = self.many.get_or_insert_with(|| few.map(|key| Cow::Borrowed(key.of(self.body))).collect());
        if many.len() >= MOST {
            return Added::TooMany;
        }
        if many.insert(key) { Added::New } else { Added::Again }
    }
}

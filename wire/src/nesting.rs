//! The bounded stack of open arrays and objects: one bit a level, so that skipping a value never recurses or allocates.

/// Words of the stack below the current one.
const WORDS: usize = 9;

/// Levels that fit.
pub(crate) const CAPACITY: usize = 64 * WORDS;

/// Which of array and object each open level is.
pub(crate) struct Nesting {
    /// The newest levels; the lowest bit is the innermost, set for an object.
    top: u64,
    /// Full words below.
    below: [u64; WORDS],
    open: usize,
}

impl Nesting {
    pub(crate) fn new() -> Self {
        Self { top: 0, below: [0; WORDS], open: 0 }
    }

    /// Opens a level. The caller keeps the number of levels within `CAPACITY`.
    #[inline]
    pub(crate) fn push(&mut self, object: bool) {
        if self.open.is_multiple_of(64)
            && let Some(word) = self.below.get_mut(self.open / 64)
        {
            *word = self.top;
        }
        self.top = self.top << 1 | u64::from(object);
        self.open += 1;
    }

    /// Closes the innermost level.
    #[inline]
    pub(crate) fn pop(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.top >>= 1;
        if self.open.is_multiple_of(64)
            && let Some(word) = self.below.get(self.open / 64)
        {
            self.top = *word;
        }
    }

    #[inline]
    pub(crate) fn in_object(&self) -> bool {
        self.top & 1 == 1
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.open == 0
    }
}

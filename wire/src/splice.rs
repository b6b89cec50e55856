//! Edits between slices of the same buffer: a body that differs in places, without copying what stays.
//!
//! Never looks at what it cuts; the ranges come from the envelope.

use bytes::{Bytes, BytesMut};

use crate::Span;

/// Edits kept in place; a message needs a new name, id, token and `_meta` at most.
const FEW: usize = 4;

#[derive(Clone, Debug)]
struct Edit {
    at: Span,
    with: Bytes,
}

/// A body and the edits to it. Nothing is copied but what is new.
#[derive(Clone, Debug)]
pub struct Splice {
    body: Bytes,
    edits: Edits,
}

/// Edits in rising order. Small numbers of them live in place.
#[derive(Clone, Debug)]
struct Edits {
    few: [Option<Edit>; FEW],
    used: usize,
    /// All of them, once they are more than a few.
    many: Vec<Edit>,
}

impl Edits {
    fn get(&self, index: usize) -> Option<&Edit> {
        if self.many.is_empty() { self.few.get(index)?.as_ref() } else { self.many.get(index) }
    }

    fn insert(&mut self, index: usize, edit: Edit) {
        if self.used < FEW {
            self.few[self.used] = Some(edit);
            self.few[index..=self.used].rotate_right(1);
        } else {
            if self.used == FEW {
                self.many.extend(self.few.iter_mut().filter_map(Option::take));
            }
            self.many.insert(index, edit);
        }
        self.used += 1;
    }
}

impl Splice {
    /// A body without edits.
    #[must_use]
    pub fn new(body: Bytes) -> Self {
        Self { body, edits: Edits { few: [const { None }; FEW], used: 0, many: Vec::new() } }
    }

    /// Puts other bytes in the place of a range. An empty range inserts; several insertions at one place stand in the
    /// order of the calls, before a replacement that begins there. Calls may come in any order.
    ///
    /// Ranges must lie in the body and not overlap (checked in debug builds); otherwise what is cut is cut once, and
    /// what lies outside is taken as the end.
    pub fn replace(&mut self, at: Span, with: impl Into<Bytes>) {
        let mut index = self.edits.used;
        while let Some(before) = index.checked_sub(1).and_then(|i| self.edits.get(i))
            && (before.at.start, before.at.end) > (at.start, at.end)
        {
            index -= 1;
        }
        debug_assert!(at.start <= at.end && at.end as usize <= self.body.len(), "an edit outside the body");
        debug_assert!(
            index.checked_sub(1).and_then(|i| self.edits.get(i)).is_none_or(|before| before.at.end <= at.start)
                && self.edits.get(index).is_none_or(|after| at.end <= after.at.start),
            "edits overlap"
        );
        self.edits.insert(index, Edit { at, with: with.into() });
    }

    /// The body as it was, without the edits.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether there are no edits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.used == 0
    }

    /// Length of the result, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut length = 0;
        let mut done = 0;
        for index in 0..self.edits.used {
            let Some(edit) = self.edits.get(index) else { break };
            length += edit.with.len() + self.kept(&mut done, edit).len();
        }
        length + self.body.len() - done
    }

    /// The unchanged bytes before an edit; moves `done` behind it.
    fn kept(&self, done: &mut usize, edit: &Edit) -> std::ops::Range<usize> {
        let start = *done;
        let end = (edit.at.start as usize).clamp(start, self.body.len());
        *done = (edit.at.end as usize).clamp(end, self.body.len());
        start..end
    }

    /// The result, piece by piece; unchanged parts share the body.
    #[must_use]
    pub fn into_pieces(self) -> Pieces {
        Pieces { left: self.len(), splice: self, index: 0, done: 0, new: None }
    }

    /// The result in one piece; without edits the body itself.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.is_empty() {
            return self.body;
        }
        let mut out = BytesMut::with_capacity(self.len());
        for piece in self.into_pieces() {
            out.extend_from_slice(&piece);
        }
        out.freeze()
    }
}

/// The pieces of a spliced body, in order; none is empty.
#[derive(Clone, Debug)]
pub struct Pieces {
    splice: Splice,
    index: usize,
    /// How far the body has been handed out or cut.
    done: usize,
    /// New bytes that follow the unchanged ones just handed out.
    new: Option<Bytes>,
    left: usize,
}

impl Pieces {
    /// Bytes still to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether all has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    fn advance(&mut self) -> Option<Bytes> {
        if let Some(new) = self.new.take() {
            return Some(new);
        }
        if let Some(edit) = self.splice.edits.get(self.index) {
            let kept = self.splice.kept(&mut self.done, edit);
            self.new = Some(edit.with.clone());
            self.index += 1;
            return Some(self.splice.body.slice(kept));
        }
        if self.done >= self.splice.body.len() {
            return None;
        }
        let rest = self.splice.body.slice(self.done..);
        self.done = self.splice.body.len();
        Some(rest)
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = std::iter::from_fn(|| self.advance()).find(|piece| !piece.is_empty())?;
        self.left -= piece.len();
        Some(piece)
    }
}

impl From<Bytes> for Pieces {
    fn from(body: Bytes) -> Self {
        Splice::new(body).into_pieces()
    }
}

/// For the stdio framing: a message, or a part of one, on one line. Line feeds and carriage returns become spaces, which
/// changes nothing in valid JSON, where they are white space only. Bytes without them are returned as they are.
#[must_use]
pub fn one_line(body: Bytes) -> Bytes {
    let Some(first) = memchr::memchr2(b'\n', b'\r', &body) else { return body };
    let mut line = BytesMut::from(body);
    for byte in &mut line[first..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    line.freeze()
}

#[cfg(test)]
mod tests;

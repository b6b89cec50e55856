//! Small objects written from raw parts. Never checks the parts.

use crate::write_quoted;

/// An object being written.
pub(super) struct Composer(Vec<u8>);

impl Composer {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(256))
    }

    /// Adds a member; the value is raw JSON.
    pub(super) fn member(&mut self, key: &str, json: impl AsRef<[u8]>) -> &mut Self {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        write_quoted(key, &mut self.0);
        self.0.push(b':');
        self.0.extend_from_slice(json.as_ref());
        self
    }

    /// The object.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.0);
        if out.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        out
    }
}

/// An array of strings.
pub(super) fn strings(all: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let mut out = vec![b'['];
    for (index, text) in all.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_quoted(text.as_ref(), &mut out);
    }
    out.push(b']');
    out
}

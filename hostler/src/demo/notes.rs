//! The demo server's notes: a small key-value store that tells of its changes. Never grows beyond its bounds.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::broadcast;

/// Notes kept at once.
pub(super) const NOTES: usize = 256;
/// Longest key, in characters.
pub(super) const KEY: usize = 64;
/// Longest value, in bytes.
pub(super) const VALUE: usize = 16 << 10;
/// Changes that a reader may be behind before it is told only that it missed some.
const BEHIND: usize = 256;

/// A note came, went, or has another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: String,
    /// The list of keys is another one.
    pub(super) list: bool,
}

/// The notes.
pub(super) struct Notes {
    kept: Mutex<BTreeMap<String, String>>,
    changes: broadcast::Sender<Change>,
}

impl Default for Notes {
    fn default() -> Self {
        Self { kept: Mutex::default(), changes: broadcast::Sender::new(BEHIND) }
    }
}

impl Notes {
    /// What changes from now on.
    pub(super) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Keeps a value under a key and tells whether the key is new.
    ///
    /// # Errors
    /// Why it is not kept, as a sentence.
    pub(super) fn remember(&self, key: &str, value: &str) -> Result<bool, String> {
        check_key(key)?;
        if value.len() > VALUE {
            return Err(format!("the value has {} bytes; {VALUE} is the most that is kept", value.len()));
        }
        let mut kept = self.kept.lock();
        let new = !kept.contains_key(key);
        if new && kept.len() >= NOTES {
            return Err(format!("there are {NOTES} notes and no room for more: forget one first"));
        }
        let before = kept.insert(key.to_owned(), value.to_owned());
        drop(kept);
        if before.as_deref() != Some(value) {
            self.tell(key, new);
        }
        Ok(new)
    }

    /// The value under a key.
    pub(super) fn recall(&self, key: &str) -> Option<String> {
        self.kept.lock().get(key).cloned()
    }

    /// Drops a note and tells whether there was one.
    pub(super) fn forget(&self, key: &str) -> bool {
        let gone = self.kept.lock().remove(key).is_some();
        if gone {
            self.tell(key, true);
        }
        gone
    }

    /// All keys with the lengths of their values in bytes, sorted.
    pub(super) fn list(&self) -> Vec<(String, usize)> {
        self.kept.lock().iter().map(|(key, value)| (key.clone(), value.len())).collect()
    }

    fn tell(&self, key: &str, list: bool) {
        // Fails only when nobody listens.
        let _ = self.changes.send(Change { key: key.to_owned(), list });
    }
}

/// Keys must fit into a URI as they are.
fn check_key(key: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if key.is_empty() || key.len() > KEY || !key.chars().all(allowed) {
        return Err(format!("a key is 1 to {KEY} letters, digits, `_`, `-` and `.`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn notes_are_bounded_in_every_direction() {
        let notes = Notes::default();
        for n in 0..NOTES {
            assert_eq!(notes.remember(&format!("k{n}"), "v"), Ok(true));
        }
        assert!(notes.remember("one-more", "v").unwrap_err().contains("forget one first"));
        assert_eq!(notes.remember("k0", "other"), Ok(false));
        assert!(notes.remember("k0", &"x".repeat(VALUE + 1)).is_err());
        for key in ["", "a b", "a/b", "ä", &"k".repeat(KEY + 1)] {
            assert!(notes.remember(key, "v").is_err(), "{key}");
        }
        assert_eq!(notes.list().len(), NOTES);
    }

    #[test]
    fn only_what_changes_is_told() {
        let notes = Notes::default();
        let mut changes = notes.changes();
        notes.remember("a", "1").unwrap();
        notes.remember("a", "1").unwrap();
        notes.remember("a", "2").unwrap();
        assert!(notes.forget("a"));
        assert!(!notes.forget("a"));
        let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| change.list).collect();
        assert_eq!(told, [true, false, true]);
    }
}

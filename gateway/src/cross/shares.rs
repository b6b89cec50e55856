//! Who holds how many places, and since when: so that a caller who leaves calls behind crowds out itself first.
//!
//! Never decides who gives way.

use std::collections::VecDeque;

use foldhash::HashMap;

use super::seal::Digest;

/// The places of all callers.
#[derive(Default)]
pub struct Shares {
    /// What each holds, the oldest first, with its turn.
    held: HashMap<Digest, VecDeque<(u64, String)>>,
    next: u64,
}

impl Shares {
    /// How many places a caller holds.
    #[must_use]
    pub fn of(&self, caller: &Digest) -> usize {
        self.held.get(caller).map_or(0, VecDeque::len)
    }

    /// The caller with the most places; among equals the one that has held one longest.
    #[must_use]
    pub fn greediest(&self) -> Option<Digest> {
        let since = |held: &VecDeque<(u64, String)>| std::cmp::Reverse(held.front().map(|(turn, _)| *turn));
        self.held.iter().max_by_key(|(_, held)| (held.len(), since(held))).map(|(caller, _)| *caller)
    }

    /// The place that a caller has held longest.
    #[must_use]
    pub fn oldest(&self, caller: &Digest) -> Option<String> {
        self.held.get(caller)?.front().map(|(_, place)| place.clone())
    }

    /// Gives a caller a place.
    pub fn add(&mut self, caller: Digest, place: String) {
        self.held.entry(caller).or_default().push_back((self.next, place));
        self.next += 1;
    }

    /// Takes it back.
    pub fn remove(&mut self, caller: &Digest, place: &str) {
        let Some(held) = self.held.get_mut(caller) else { return };
        held.retain(|(_, other)| other != place);
        if held.is_empty() {
            self.held.remove(caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greediest_is_found_and_its_oldest_place() {
        let (one, two) = ([1; 32], [2; 32]);
        let mut shares = Shares::default();
        assert_eq!(shares.greediest(), None);
        for (caller, place) in [(two, "a"), (one, "b"), (one, "c")] {
            shares.add(caller, place.into());
        }
        assert_eq!((shares.of(&one), shares.of(&two)), (2, 1));
        assert_eq!(shares.greediest(), Some(one));
        assert_eq!(shares.oldest(&one).as_deref(), Some("b"));
        shares.remove(&one, "b");
        assert_eq!(shares.greediest(), Some(two), "among equals the one that has waited longest");
        shares.remove(&two, "a");
        assert_eq!((shares.of(&two), shares.oldest(&two)), (0, None));
        assert_eq!(shares.held.len(), 1, "who holds nothing is forgotten");
    }
}

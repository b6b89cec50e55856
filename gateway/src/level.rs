//! Levels of log messages as ranks in rising order of severity, so that one fits into an atomic; the words are
//! `wire::Level`'s.

use wire::Level;

/// No level was set: the server decides what it sends.
pub const UNSET: u8 = 0;

/// The rank of a level.
#[must_use]
pub fn of(level: Level) -> u8 {
    level as u8 + 1
}

/// The level of a rank; `None` for [`UNSET`].
#[must_use]
pub fn level(rank: u8) -> Option<Level> {
    Level::ALL.get(usize::from(rank).checked_sub(1)?).copied()
}

/// Whether a message of this level (a raw JSON string) is wanted by somebody who set the given rank.
#[must_use]
pub fn wanted(set: u8, raw: Option<&[u8]>) -> bool {
    level(set).is_none_or(|level| level.wants(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_levels_are_held_back() {
        let warning = of(Level::Warning);
        assert!(wanted(warning, Some(b"\"error\"")));
        assert!(!wanted(warning, Some(b"\"info\"")));
        assert!(wanted(UNSET, Some(b"\"debug\"")));
        assert!(wanted(warning, Some(b"\"unheard-of\"")));
        assert!(Level::ALL.into_iter().all(|word| level(of(word)) == Some(word)));
    }
}

//! Levels of log messages, in rising order of severity (RFC 5424, as the logging utility of every revision lists them).

/// No level was set: the server decides what it sends.
pub const UNSET: u8 = 0;

/// The rank of a level given as a raw JSON string; `None` for a word that is no level.
#[must_use]
pub fn rank(raw: &[u8]) -> Option<u8> {
    let rank = match raw {
        b"\"debug\"" => 1,
        b"\"info\"" => 2,
        b"\"notice\"" => 3,
        b"\"warning\"" => 4,
        b"\"error\"" => 5,
        b"\"critical\"" => 6,
        b"\"alert\"" => 7,
        b"\"emergency\"" => 8,
        _ => return None,
    };
    Some(rank)
}

/// The word of a rank; `None` for [`UNSET`].
#[must_use]
pub fn word(rank: u8) -> Option<&'static str> {
    const WORDS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    WORDS.get(usize::from(rank).checked_sub(1)?).copied()
}

/// Whether a message of this level is wanted by somebody who set the given rank.
#[must_use]
pub fn wanted(set: u8, raw: Option<&[u8]>) -> bool {
    set == UNSET || raw.and_then(rank).is_none_or(|rank| rank >= set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_levels_are_held_back() {
        let warning = rank(b"\"warning\"").unwrap_or_default();
        assert!(wanted(warning, Some(b"\"error\"")));
        assert!(!wanted(warning, Some(b"\"info\"")));
        assert!(wanted(UNSET, Some(b"\"debug\"")));
        assert!(wanted(warning, Some(b"\"unheard-of\"")));
        assert_eq!(rank(b"\"loud\""), None);
    }
}

//! Severities of log messages: the eight words that the logging utility of every revision takes from RFC 5424.
//!
//! Never decides what happens to a message; it only tells severities apart.

use crate::text;

/// How severe a log message is; graver ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `notice`
    Notice,
    /// `warning`
    Warning,
    /// `error`
    Error,
    /// `critical`
    Critical,
    /// `alert`
    Alert,
    /// `emergency`
    Emergency,
}

impl Level {
    /// All of them, the mildest first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The word as it stands in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The level that a raw JSON string names; `None` for anything else.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let word = text(raw)?;
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }

    /// Whether somebody who asked for this level wants a message of the given one (a raw JSON string). A word that is no
    /// level is wanted: it cannot be told to be mild.
    #[must_use]
    pub fn wants(self, raw: Option<&[u8]>) -> bool {
        raw.and_then(Self::parse).is_none_or(|level| level >= self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graver_messages_are_wanted_and_milder_ones_are_not() {
        assert!(Level::ALL.is_sorted());
        assert!(Level::Warning.wants(Some(b"\"error\"")) && Level::Warning.wants(Some(b"\"warn\\u0069ng\"")));
        assert!(!Level::Warning.wants(Some(b"\"notice\"")));
        assert!(Level::Emergency.wants(Some(b"\"unheard-of\"")) && Level::Emergency.wants(None));
        for level in Level::ALL {
            assert_eq!(Level::parse(format!("\"{}\"", level.as_str()).as_bytes()), Some(level));
        }
        assert_eq!(Level::parse(b"\"loud\""), None);
        assert_eq!(Level::parse(b"3"), None);
    }
}

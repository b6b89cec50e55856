//! Server names: one rule, checked once, so that everything built from a name (tool names, URI schemes, paths) is safe.

use std::{fmt, sync::Arc};

/// Longest server name, in bytes. Leaves room for a tool's own name within the 128 that the specification allows.
pub const MAX_SERVER_NAME: usize = 48;

/// The name of a configured server: a letter, then letters, digits, `-` or `_`; no `__`, no `_` at the end.
///
/// The rule keeps `<server>__<tool>` splittable and `<server>+<uri>` a valid URI scheme. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(Arc<str>);

impl ServerName {
    /// Checks a name against the rule.
    ///
    /// # Errors
    /// Says which part of the rule is broken.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        let bytes = name.as_bytes();
        let Some(first) = bytes.first() else { return Err("a server name may not be empty") };
        if bytes.len() > MAX_SERVER_NAME {
            return Err("a server name may have at most 48 characters");
        }
        if !first.is_ascii_alphabetic() {
            return Err("a server name begins with a letter");
        }
        if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_') {
            return Err("a server name has only letters, digits, `-` and `_`");
        }
        if name.contains("__") || name.ends_with('_') {
            return Err("a server name has no `__` and does not end with `_` (they separate it from a tool's name)");
        }
        Ok(Self(name.into()))
    }

    /// The nearest name that the rule allows, for names that come from other programs' files.
    #[must_use]
    pub fn nearest(name: &str) -> Self {
        let mut out = String::with_capacity(name.len());
        for c in name.chars() {
            let c = if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
            if !(out.ends_with(['-', '_']) && matches!(c, '-' | '_')) {
                out.push(c);
            }
        }
        let kept = out.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        let kept = if kept.is_empty() { format!("server-{out}") } else { kept.to_owned() };
        let kept = kept[..kept.len().min(MAX_SERVER_NAME)].trim_end_matches(['-', '_']);
        Self(kept.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl std::borrow::Borrow<str> for ServerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_enforced() {
        for good in ["a", "everything", "my-server_2", "A9"] {
            assert!(ServerName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "9a", "-a", "a b", "a__b", "a_", "ä", &"x".repeat(49)] {
            assert!(ServerName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_nearest_name_obeys_the_rule() {
        for any in ["My Server!", "__x__y__", "9", "", "@scope/pkg", "日本", &"y_".repeat(60)] {
            let near = ServerName::nearest(any);
            assert_eq!(ServerName::new(near.as_str()).as_ref(), Ok(&near), "{any} became {near}");
        }
        assert_eq!(ServerName::nearest("My Server!").as_str(), "My-Server");
    }
}

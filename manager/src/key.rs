//! The path of a value in a document, as it is shown: `servers.git.args[0]`.
//!
//! Never parsed back from its text.

use std::fmt;

/// A path from the root of a document to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Key(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Name(String),
    Index(usize),
}

impl Key {
    /// The path of the whole document.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The path of a value in the mapping at this path.
    pub(crate) fn name(&self, name: &str) -> Self {
        self.with(Part::Name(name.to_owned()))
    }

    /// The path of a value some levels below this one, as `garde` spells it: names between dots.
    pub(crate) fn below(&self, path: &str) -> Self {
        path.split('.').filter(|part| !part.is_empty()).fold(self.clone(), |key, part| key.name(part))
    }

    /// The path of an element of the sequence at this path.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Part::Index(index))
    }

    /// The last part of the path, when it is a name.
    pub(crate) fn last_name(&self) -> Option<&str> {
        match self.0.last() {
            Some(Part::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether this path leads to the other or to something around it.
    pub(crate) fn encloses(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    fn with(&self, part: Part) -> Self {
        let mut parts = self.0.clone();
        parts.push(part);
        Self(parts)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            match part {
                Part::Index(index) => write!(f, "[{index}]")?,
                Part::Name(name) if plain(name) => {
                    let dot = if at == 0 { "" } else { "." };
                    write!(f, "{dot}{name}")?;
                }
                Part::Name(name) => write!(f, "[{name:?}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a name can stand between dots without being misread.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_names_with_dots_in_brackets() {
        let key = Key::root().name("virtual").name("v").name("rename").name("a.b").index(2);
        assert_eq!(key.to_string(), r#"virtual.v.rename["a.b"][2]"#);
        assert!(Key::root().name("virtual").encloses(&key));
        assert!(!key.encloses(&Key::root()));
        assert_eq!(Key::root().name("a").below("b.c"), Key::root().name("a").name("b").name("c"));
    }
}

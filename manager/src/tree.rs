//! A YAML document as a tree whose every value knows its place.
//!
//! Never decides what a value means: scalars stay the text that stands in the file.

use std::{fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Location, Spanned, UserMessageFormatter};

use crate::problem::Problem;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Counted from 1; 0 when unknown.
    pub line: usize,
    /// In characters, counted from 1; 0 when unknown.
    pub column: usize,
    /// The offset of the value's first byte in the text.
    pub byte: usize,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, a number or a truth value, as it was written (quotes and escapes undone).
    Scalar(String),
    Sequence(Vec<Node>),
    /// Keys in the order of the file.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub place: Place,
    pub name: String,
}

impl Node {
    /// The value of a key.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Content::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The value without its places, for comparing. Numbers and truth values stay text.
    pub(crate) fn plain(&self) -> serde_json::Value {
        match &self.value {
            Content::Null => serde_json::Value::Null,
            Content::Scalar(text) => text.as_str().into(),
            Content::Sequence(items) => items.iter().map(Self::plain).collect(),
            Content::Mapping(entries) => entries
                .iter()
                .map(|(key, node)| (key.name.clone(), node.plain()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Deepest nesting that is followed. A configuration needs less than ten levels, and each costs stack.
const DEEPEST: usize = 24;

/// Reads a document. An empty one is `Null`.
///
/// # Errors
/// The first place where the text is not YAML, or repeats a key.
pub(crate) fn parse(text: &str, file: Option<&Path>) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEEPEST },
        strict_booleans: true,
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(raw_node(raw, text)),
        Err(error) => Err(problem(&error, text, file)),
    }
}

/// A value as the deserializer hands it over: scalars that are not text have only their place.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value: its spelling is taken from the file.
    Spelled,
    Sequence(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn raw_node(raw: Spanned<Raw>, text: &str) -> Node {
    let value = match raw.value {
        Raw::Null => Content::Null,
        Raw::Text(text) => Content::Scalar(text),
        Raw::Spelled => Content::Scalar(spelling(raw.defined, text).to_owned()),
        Raw::Sequence(items) => Content::Sequence(items.into_iter().map(|item| raw_node(item, text)).collect()),
        Raw::Mapping(entries) => Content::Mapping(
            entries
                .into_iter()
                .map(|(key, node)| (Key { place: place(key.defined), name: key.value }, raw_node(node, text)))
                .collect(),
        ),
    };
    Node { place: place(raw.defined), value }
}

fn place(location: Location) -> Place {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let byte = location.span().byte_offset().map_or(usize::MAX, number);
    Place { line: number(location.line()), column: number(location.column()), byte }
}

/// What stands in the file at a place.
fn spelling(location: Location, text: &str) -> &str {
    let span = location.span();
    let range = || {
        let start = usize::try_from(span.byte_offset()?).ok()?;
        text.get(start..start.checked_add(usize::try_from(span.byte_len()?).ok()?)?)
    };
    range().unwrap_or_default().trim()
}

fn problem(error: &Error, text: &str, file: Option<&Path>) -> Problem {
    let place = error.location().map(place).unwrap_or_default();
    let whole = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    // The place is told in front, so it is cut from the end.
    let message = whole.split(" at line ").next().unwrap_or(&whole).trim_end_matches([',', ':']);
    let problem = Problem::error(file.map(Path::to_owned), format!("this is not YAML: {message}"));
    let line = place.line.checked_sub(1).and_then(|before| text.lines().nth(before)).unwrap_or_default();
    let remedy = line.contains("${").then(|| "between `{}` or `[]`, `${...}` must stand in quotes".to_owned());
    Problem { line: place.line, column: place.column, remedy, ..problem }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Spelled)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(node: &Node, path: &[&str]) -> Node {
        path.iter().fold(node.clone(), |node, name| node.get(name).unwrap().clone())
    }

    #[test]
    fn every_value_knows_its_place_and_keeps_its_spelling() {
        let text = "a: 1\nb:\n  é: [1.10, 0x1F, yes, \"2\"]\n  d: {e: true, f: ~}\n  g: # c\n";
        let node = parse(text, None).unwrap();
        let place = |path: &[&str]| {
            let place = at(&node, path).place;
            (place.line, place.column)
        };
        assert_eq!(place(&["a"]), (1, 4));
        assert_eq!(place(&["b"]), (3, 3));
        assert_eq!(place(&["b", "d", "e"]), (4, 10));
        let Content::Sequence(items) = at(&node, &["b", "é"]).value else { panic!("not a sequence") };
        let spelled: Vec<_> = items.iter().map(Node::plain).collect();
        assert_eq!(spelled, ["1.10", "0x1F", "yes", "2"]);
        assert_eq!(&text[items[1].place.byte..][..4], "0x1F");
        assert_eq!(at(&node, &["b", "d", "f"]).value, Content::Null);
        assert_eq!(at(&node, &["b", "g"]).value, Content::Null);
        assert_eq!(node.entries()[1].1.entries()[2].0.place.line, 5);
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let node = parse("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: *x\n", None).unwrap();
        assert_eq!(at(&node, &["y"]).plain(), serde_json::json!({"a": "1", "b": "3"}));
        assert_eq!(at(&node, &["z"]).plain(), serde_json::json!({"a": "1", "b": "2"}));
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_place() {
        for (text, told) in [
            ("a: 1\na: 2\n", "f:2:1: this is not YAML: duplicate mapping key"),
            ("a: [1, 2\nb: 3\n", "f:2:"),
            ("a: *nobody\n", "f:1:4: this is not YAML: "),
            ("a: 1\n---\nb: 2\n", "f:"),
            ("a:\n\t- 1\n", "f:2:"),
            (
                "a: {b: ${C}}\n",
                "f:1:9: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'; \
                 between `{}` or `[]`, `${...}` must stand in quotes",
            ),
        ] {
            let problem = parse(text, Some(Path::new("f"))).unwrap_err().to_string();
            assert!(problem.starts_with(told), "{text}: {problem}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_rather_than_followed() {
        for depth in [10, 25, 70, 250, 300, 5000] {
            let block: String = (0..depth).map(|indent| format!("{}a:\n", " ".repeat(indent))).collect();
            let mixed = format!("{block}{}{}{}", " ".repeat(depth), "[".repeat(depth), "]".repeat(depth));
            for text in
                ["[".repeat(depth) + &"]".repeat(depth), "{a: ".repeat(depth) + &"}".repeat(depth), block, mixed]
            {
                let read = parse(&text, None).is_ok();
                assert_eq!(read, depth < 20, "{depth}");
            }
        }
    }

    #[test]
    fn a_document_may_be_empty_or_a_single_value() {
        for text in ["", "# only a comment\n", "---\n", "~"] {
            assert_eq!(parse(text, None).unwrap().value, Content::Null, "{text:?}");
        }
        assert_eq!(parse("just text", None).unwrap().value, Content::Scalar("just text".into()));
    }
}

//! One member put into an object of a JSON text, without touching the rest of the text.
//!
//! Every change is read back and compared; one that would change anything else is refused.

use serde_json::{Map, Value};

use crate::jsonc::{Document, Object};

/// A member to put into the object under a key of the root.
pub(super) struct Edit<'a> {
    /// The key of the object.
    pub key: &'a str,
    /// The name of the member.
    pub name: &'a str,
    pub entry: &'a Value,
    /// Take out the object's other members.
    pub replace: bool,
}

/// A new file with nothing but the entry.
pub(super) fn fresh(key: &str, name: &str, entry: &Value) -> String {
    let whole: Value = Map::from_iter([(key.to_owned(), one(name, entry))]).into();
    format!("{whole:#}\n")
}

fn one(name: &str, entry: &Value) -> Value {
    Map::from_iter([(name.to_owned(), entry.clone())]).into()
}

impl Edit<'_> {
    /// The new text; none when there is no place for the entry.
    pub(super) fn apply(&self, text: &str, document: &Document) -> Option<String> {
        let root = document.object(&[])?;
        let layout = Layout::of(text, &root);
        let new = match root.members.iter().rfind(|member| member.name == self.key) {
            None => layout.insert(text, &root, 1, self.key, &one(self.name, self.entry)),
            Some(member) => {
                let servers = document.object(&[self.key])?;
                if self.replace {
                    let only = layout.pretty(&one(self.name, self.entry), 1);
                    splice(text, member.value.clone(), &only)
                } else if let Some(own) = servers.members.iter().rfind(|member| member.name == self.name) {
                    splice(text, own.value.clone(), &layout.pretty(self.entry, 2))
                } else {
                    layout.insert(text, &servers, 2, self.name, self.entry)
                }
            }
        };
        let expected = self.expected(&document.value)?;
        (Document::parse(&new).ok()?.value == expected).then_some(new)
    }

    fn expected(&self, before: &Value) -> Option<Value> {
        let mut whole = before.as_object()?.clone();
        let mut servers = match whole.get(self.key) {
            None => Map::new(),
            Some(servers) => servers.as_object()?.clone(),
        };
        if self.replace {
            servers.clear();
        }
        servers.insert(self.name.to_owned(), self.entry.clone());
        whole.insert(self.key.to_owned(), servers.into());
        Some(whole.into())
    }
}

fn splice(text: &str, range: std::ops::Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

/// How the text is laid out.
struct Layout {
    /// One step of indentation; empty when everything stands on one line.
    step: String,
    line_end: &'static str,
}

impl Layout {
    fn of(text: &str, root: &Object) -> Self {
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let step = match root.members.first() {
            Some(first) => {
                let line = text[root.span.start + 1..first.start].rsplit_once('\n');
                line.map_or(String::new(), |(_, step)| step.chars().take_while(|c| matches!(c, ' ' | '\t')).collect())
            }
            None => "  ".to_owned(),
        };
        Self { step, line_end }
    }

    /// The text with a new last member in an object, whose members stand at a depth.
    fn insert(&self, text: &str, object: &Object, depth: usize, name: &str, value: &Value) -> String {
        let member = format!("{}: {}", Value::from(name), self.pretty(value, depth));
        let start = self.line(depth);
        match object.members.last() {
            Some(last) => splice(text, last.value.end..last.value.end, &format!(",{start}{member}")),
            None => {
                // What stands between the braces may be a comment, and stays.
                let inside = object.span.start + 1..object.span.end - 1;
                let end = if text[inside.clone()].contains('\n') { String::new() } else { self.line(depth - 1) };
                let rest = text[inside.clone()].trim_end_matches([' ', '\t']);
                let keep = if rest.trim().is_empty() && !rest.contains('\n') { "" } else { &text[inside.clone()] };
                splice(text, inside, &format!("{start}{member}{keep}{end}"))
            }
        }
    }

    /// The beginning of a line at a depth; a space where everything stands on one line.
    fn line(&self, depth: usize) -> String {
        if self.step.is_empty() { " ".to_owned() } else { format!("{}{}", self.line_end, self.step.repeat(depth)) }
    }

    /// A value in the text's own layout, whose first line stands at a depth.
    fn pretty(&self, value: &Value, depth: usize) -> String {
        if self.step.is_empty() {
            return value.to_string();
        }
        let inner = |parts: Vec<String>, open: char, close: char| {
            let start = self.line(depth + 1);
            let parts: Vec<_> = parts.into_iter().map(|part| format!("{start}{part}")).collect();
            if parts.is_empty() {
                format!("{open}{close}")
            } else {
                format!("{open}{}{}{close}", parts.join(","), self.line(depth))
            }
        };
        match value {
            Value::Object(fields) => {
                let member = |(name, value): (&String, &Value)| {
                    format!("{}: {}", Value::from(name.as_str()), self.pretty(value, depth + 1))
                };
                inner(fields.iter().map(member).collect(), '{', '}')
            }
            Value::Array(items) => inner(items.iter().map(|item| self.pretty(item, depth + 1)).collect(), '[', ']'),
            other => other.to_string(),
        }
    }
}

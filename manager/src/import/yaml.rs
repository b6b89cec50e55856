//! New servers in the text of a configuration file: inserted, so that comments and formatting of the rest stay.
//!
//! Every insertion is read back and compared; one that would change anything else is refused.

use serde_json::{Map, Value};

use crate::tree::{self, Content, Node};

/// A server to insert.
pub(super) struct Entry {
    pub name: String,
    pub definition: Map<String, Value>,
}

/// The keys that servers may stand under, the preferred one first.
const BLOCKS: [&str; 2] = ["servers", "mcpServers"];

/// The text with the entries in it; none when there is no safe place for them.
pub(super) fn insert(text: &str, entries: &[Entry]) -> Option<String> {
    let root = tree::parse(text, None).ok()?;
    let new = with_entries(text, &root, entries)?;
    let read_back = tree::parse(&new, None).ok()?;
    (read_back.plain() == expected(&root, entries)).then_some(new)
}

/// The servers as they would be written, to be inserted by hand.
pub(super) fn block(entries: &[Entry]) -> String {
    format!("{}:\n{}", BLOCKS[0], lines(entries, 2))
}

fn with_entries(text: &str, root: &Node, entries: &[Entry]) -> Option<String> {
    let found = BLOCKS.iter().find_map(|name| root.entries().iter().find(|(key, _)| key.name == *name));
    match (&root.value, found) {
        (Content::Null, _) => Some(appended(text, entries)),
        (Content::Mapping(_), Some((key, node))) => match &node.value {
            Content::Mapping(children) if is_flow(text, node) => {
                let flow: String = entries.iter().map(|entry| format!("{}, ", flow(entry))).collect();
                let flow = if children.is_empty() { flow.trim_end_matches([',', ' ']) } else { &flow };
                Some(splice(text, node.place.byte + 1, flow))
            }
            Content::Mapping(children) => {
                let indent = children.first()?.0.place.column - 1;
                let line = end_of_block(text, root, key);
                Some(insert_lines(text, line, &lines(entries, indent)))
            }
            Content::Null => {
                let end = behind_colon(text, key)?;
                let rest = text[end..].lines().next().unwrap_or_default();
                // `~` or `null` would have to go; only a comment may stay.
                let free = rest.trim().is_empty() || rest.trim().starts_with('#');
                free.then(|| insert_lines(text, key.place.line, &lines(entries, key.place.column + 1)))
            }
            _ => None,
        },
        (Content::Mapping(_), None) if is_flow(text, root) => {
            let flows: Vec<_> = entries.iter().map(flow).collect();
            let comma = if root.entries().is_empty() { "" } else { ", " };
            Some(splice(text, root.place.byte + 1, &format!("\"{}\": {{{}}}{comma}", BLOCKS[0], flows.join(", "))))
        }
        (Content::Mapping(_), None) => Some(appended(text, entries)),
        _ => None,
    }
}

/// What the document says once the entries are in it.
fn expected(root: &Node, entries: &[Entry]) -> Value {
    let mut whole = match root.plain() {
        Value::Object(whole) => whole,
        _ => Map::new(),
    };
    let name = BLOCKS.into_iter().find(|name| whole.contains_key(*name)).unwrap_or(BLOCKS[0]);
    let mut servers = match whole.get(name) {
        Some(Value::Object(servers)) => servers.clone(),
        _ => Map::new(),
    };
    servers.extend(entries.iter().map(|entry| (entry.name.clone(), as_text(&entry.definition.clone().into()))));
    whole.insert(name.into(), servers.into());
    whole.into()
}

/// A value whose scalars are all text, as a tree has them.
fn as_text(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), as_text(v))).collect::<Map<_, _>>().into(),
        Value::Array(items) => items.iter().map(as_text).collect(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

fn is_flow(text: &str, node: &Node) -> bool {
    text.as_bytes().get(node.place.byte) == Some(&b'{')
}

fn splice(text: &str, at: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..at], &text[at..])
}

/// The offset behind the colon of a key without a value.
fn behind_colon(text: &str, key: &tree::Key) -> Option<usize> {
    let from = text.get(key.place.byte..)?;
    Some(key.place.byte + from.find(':')? + 1)
}

/// The number of the last line of a block, not counting what belongs to the next key: blank lines, and comments that
/// are not indented.
fn end_of_block(text: &str, root: &Node, block: &tree::Key) -> usize {
    let next = root.entries().iter().map(|(key, _)| key.place.line).filter(|line| *line > block.place.line).min();
    let all: Vec<&str> = text.lines().collect();
    let mut line = next.map_or(all.len(), |next| next - 1);
    let column = block.place.column - 1;
    while line > block.place.line {
        let text = all.get(line - 1).copied().unwrap_or_default();
        let indent = text.len() - text.trim_start().len();
        let outside =
            text.trim().is_empty() || indent <= column && (text.trim_start().starts_with('#') || text == "...");
        if !outside {
            break;
        }
        line -= 1;
    }
    line
}

/// Inserts whole lines behind a line.
fn insert_lines(text: &str, line: usize, new: &str) -> String {
    let at: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let (before, after) = text.split_at(at);
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    spelled_like(text, format!("{before}{gap}{new}{after}"))
}

/// The servers as a new block at the end.
fn appended(text: &str, entries: &[Entry]) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    spelled_like(text, format!("{text}{gap}{}", block(entries)))
}

/// With the line ends of the text that was there.
fn spelled_like(old: &str, new: String) -> String {
    if old.contains("\r\n") { new.replace("\r\n", "\n").replace('\n', "\r\n") } else { new }
}

/// Entries as lines of a block.
fn lines(entries: &[Entry], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut out = String::new();
    for entry in entries {
        out += &format!("{pad}{}:\n", plain_or_quoted(&entry.name));
        for (key, value) in &entry.definition {
            match value {
                Value::Object(values) => {
                    out += &format!("{pad}  {key}:\n");
                    for (name, value) in values {
                        out += &format!("{pad}    {}: {}\n", plain_or_quoted(name), scalar(value));
                    }
                }
                Value::Array(items) => {
                    let items: Vec<_> = items.iter().map(scalar).collect();
                    out += &format!("{pad}  {key}: [{}]\n", items.join(", "));
                }
                other => out += &format!("{pad}  {key}: {}\n", scalar(other)),
            }
        }
    }
    out
}

/// An entry for a flow mapping: JSON is YAML.
fn flow(entry: &Entry) -> String {
    let value = match &entry.definition {
        fields if fields.is_empty() => "{}".to_owned(),
        fields => json(&Value::from(fields.clone())),
    };
    format!("{}: {value}", quoted(&entry.name))
}

fn json(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{}: {}", quoted(name), json(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text),
        other => other.to_string(),
    }
}

/// Words that YAML takes for something else than text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A text as people would write it: without quotes where it cannot be taken for anything else.
fn plain_or_quoted(text: &str) -> String {
    let start = text.trim_start_matches('-');
    let begins = start.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        || text.starts_with("~/")
        || text.starts_with("./")
        || text.starts_with("../");
    let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./@~-".contains(&b));
    if begins && rest && !text.starts_with("---") && !WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in double quotes, in a spelling that YAML and JSON share.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            // Neither printable nor safe from being taken for a line end.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out += &format!("\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests;

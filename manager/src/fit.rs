//! Fits a document to the schema: unknown keys, wrong types, references to variables, all told at once with places.
//!
//! What does not fit is left out of the result, so that the rest can still be checked. Never shows the value of
//! anything that the schema calls `writeOnly`, nor one that came from a variable or a file.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use serde_json::{Map, Value};

use crate::{
    Problem, Severity,
    interpolate::Interpolation,
    key::Key,
    near,
    tree::{Content, Node, Place},
    units::{self, Period, Size},
};

/// What is known of a value besides the value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spot {
    /// Where its key stands, or the value itself in a sequence.
    pub key: Place,
    /// Where the value stands.
    pub value: Place,
    /// The value as it may be shown: as written in the file, without what variables hold; none for secrets.
    pub shown: Option<String>,
    /// A text that was written down whole, without any reference.
    pub literal: bool,
}

/// The spots of all values.
pub(crate) type Spots = HashMap<Key, Spot>;

/// The walk over a document.
pub(crate) struct Fit<'a> {
    schema: &'a Value,
    file: Option<&'a Path>,
    pub interpolation: Interpolation<'a>,
    pub problems: Vec<Problem>,
    pub spots: Spots,
    /// What was left out because it does not fit.
    pub bad: HashSet<Key>,
    /// Whether an unset variable is forgiven here, because the value will not be used.
    forgiving: bool,
}

impl<'a> Fit<'a> {
    pub(crate) fn new(schema: &'a Value, file: Option<&'a Path>, interpolation: Interpolation<'a>) -> Self {
        Self {
            schema,
            file,
            interpolation,
            problems: Vec::new(),
            spots: Spots::new(),
            bad: HashSet::new(),
            forgiving: false,
        }
    }

    /// The whole document as a value that the types behind the schema accept.
    pub(crate) fn document(&mut self, node: &Node) -> Value {
        self.spots.insert(Key::root(), Spot { key: node.place, value: node.place, ..Spot::default() });
        let fitted = self.value(self.schema, node, &Key::root());
        fitted.unwrap_or_else(|| Map::new().into())
    }

    fn value(&mut self, schema: &'a Value, node: &Node, key: &Key) -> Option<Value> {
        let (schema, unit) = self.resolve(schema);
        let secret = schema["writeOnly"] == true;
        match &node.value {
            Content::Null if accepts(schema, "object") => Some(Map::new().into()),
            Content::Null if accepts(schema, "array") => Some(Vec::<Value>::new().into()),
            Content::Mapping(entries) if accepts(schema, "object") => Some(self.mapping(schema, entries, key, secret)),
            Content::Sequence(items) if accepts(schema, "array") => Some(self.sequence(schema, items, key)),
            Content::Scalar(text) if !accepts(schema, "object") && !accepts(schema, "array") => {
                let text = self.text(text, key)?;
                self.scalar(schema, unit, text, key)
            }
            found => {
                let message = format!("expected {}, found {}", expected(schema, unit), name(found));
                let remedy = match found {
                    Content::Null => Some("write `\"\"` where an empty text is meant"),
                    Content::Scalar(_) if accepts(schema, "array") => Some("put it in brackets: `[...]`"),
                    _ => None,
                };
                self.refuse(key, message, remedy.map(str::to_owned));
                None
            }
        }
    }

    fn mapping(&mut self, schema: &'a Value, entries: &[(crate::tree::Key, Node)], at: &Key, secret: bool) -> Value {
        let properties = schema["properties"].as_object();
        let others = Some(&schema["additionalProperties"]).filter(|others| others.is_object());
        let mut out = Map::new();
        for (name, node) in entries {
            let key = at.name(&name.name);
            let schema = properties.and_then(|known| known.get(&name.name)).or(others);
            let secret = secret || schema.is_none_or(|schema| schema["writeOnly"] == true);
            let shown = shown(node).filter(|_| !secret);
            self.spots.insert(key.clone(), Spot { key: name.place, value: node.place, shown, literal: false });
            let Some(schema) = schema else {
                self.unknown(&key, &name.name, properties);
                continue;
            };
            // A key without a value is a key that is not there; in a free mapping it is there and empty.
            if node.value == Content::Null && others.is_none() {
                continue;
            }
            let outer = self.forgiving;
            self.forgiving |= node.get("enabled").is_some_and(|node| node.value == Content::Scalar("false".into()));
            if let Some(value) = self.value(schema, node, &key) {
                out.insert(name.name.clone(), value);
            }
            self.forgiving = outer;
        }
        out.into()
    }

    fn sequence(&mut self, schema: &'a Value, items: &[Node], at: &Key) -> Value {
        let mut out = Vec::with_capacity(items.len());
        for (index, node) in items.iter().enumerate() {
            let key = at.index(index);
            let spot = Spot { key: node.place, value: node.place, shown: shown(node), literal: false };
            self.spots.insert(key.clone(), spot);
            out.extend(self.value(&schema["items"], node, &key));
        }
        out.into()
    }

    /// A scalar's text with its references replaced.
    fn text(&mut self, text: &str, key: &Key) -> Option<String> {
        match self.interpolation.replace(text) {
            Ok(Some(replaced)) => {
                let place = self.spots.get(key).map(|spot| spot.value).unwrap_or_default();
                for name in std::mem::take(&mut self.interpolation.empty) {
                    let remedy = format!("set it, or write `${{{name}:-}}` if that is meant");
                    self.report(place, key, format!("the variable `{name}` is set but empty"), Some(remedy));
                    self.soften();
                }
                Some(replaced)
            }
            Ok(None) => {
                if let Some(spot) = self.spots.get_mut(key) {
                    spot.literal = true;
                }
                Some(text.to_owned())
            }
            Err(faults) => {
                let forgiven = self.forgiving && faults.iter().all(|fault| fault.unset);
                for fault in faults {
                    self.refuse(key, fault.message, Some(fault.remedy));
                    if forgiven {
                        self.soften();
                    }
                }
                // The text itself stands in, so that the rest of a server that is off can be checked.
                forgiven.then(|| text.to_owned())
            }
        }
    }

    fn scalar(&mut self, schema: &Value, unit: Option<Unit>, text: String, key: &Key) -> Option<Value> {
        let (message, remedy) = match unit {
            Some(Unit::Duration) if Period::parse(&text).is_some() => return Some(text.into()),
            Some(Unit::Duration) => ("is not a duration".to_owned(), units::PERIOD_REMEDY.to_owned()),
            Some(Unit::Size) if Size::parse(&text).is_some() => return Some(text.into()),
            Some(Unit::Size) => ("is not a size".to_owned(), units::SIZE_REMEDY.to_owned()),
            None if accepts(schema, "boolean") => match text.as_str() {
                "true" => return Some(true.into()),
                "false" => return Some(false.into()),
                _ => ("is not a truth value".to_owned(), "write `true` or `false`".to_owned()),
            },
            None if accepts(schema, "integer") => match text.parse::<u64>() {
                Ok(number) => return Some(number.into()),
                Err(_) => ("is not a whole number".to_owned(), "write digits alone".to_owned()),
            },
            None => match schema["enum"].as_array() {
                Some(words) if !words.iter().any(|word| *word == text) => {
                    let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
                    // What a variable holds is shown to nobody, not even as a guess at what was meant.
                    let literal = self.spots.get(key).is_some_and(|spot| spot.literal);
                    let near = near::remedy(if literal { &text } else { "" }, words.iter().copied());
                    ("is not known here".to_owned(), near.unwrap_or_default())
                }
                _ => return Some(text.into()),
            },
        };
        let value = self.spots.get(key).and_then(|spot| spot.shown.as_ref());
        let value = value.map_or_else(|| "the value".to_owned(), |text| format!("`{text}`"));
        self.refuse(key, format!("{value} {message}"), Some(remedy));
        None
    }

    /// Makes a warning of what was reported last.
    fn soften(&mut self) {
        if let Some(problem) = self.problems.last_mut() {
            problem.severity = Severity::Warning;
        }
    }

    /// Reports a value that is left out.
    fn refuse(&mut self, key: &Key, message: String, remedy: Option<String>) {
        let place = self.spots.get(key).map(|spot| spot.value).unwrap_or_default();
        self.bad.insert(key.clone());
        self.report(place, key, message, remedy);
    }

    fn unknown(&mut self, key: &Key, name: &str, known: Option<&Map<String, Value>>) {
        let place = self.spots.get(key).map(|spot| spot.key).unwrap_or_default();
        let known = known.into_iter().flat_map(Map::keys).map(String::as_str);
        let remedy = foreign(name).map(str::to_owned).or_else(|| near::remedy(name, known));
        self.bad.insert(key.clone());
        self.report(place, key, format!("unknown key `{name}`"), remedy);
    }

    fn report(&mut self, place: Place, key: &Key, message: String, remedy: Option<String>) {
        self.problems.push(Problem {
            line: place.line,
            column: place.column,
            key: key.to_string(),
            remedy,
            ..Problem::error(self.file.map(Path::to_owned), message)
        });
    }

    /// The schema behind references and behind the possibility of being absent, and its unit when it has one.
    fn resolve(&self, mut schema: &'a Value) -> (&'a Value, Option<Unit>) {
        let mut unit = None;
        loop {
            if let Some(reference) = schema["$ref"].as_str() {
                unit = match reference {
                    "#/$defs/Duration" => Some(Unit::Duration),
                    "#/$defs/Size" => Some(Unit::Size),
                    _ => None,
                };
                schema = self.schema.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
            } else if let Some(present) =
                schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null"))
            {
                schema = present;
            } else {
                return (schema, unit);
            }
        }
    }
}

/// Units that the types read themselves.
#[derive(Clone, Copy)]
enum Unit {
    Duration,
    Size,
}

/// Whether a schema accepts values of a type.
fn accepts(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == name,
        Value::Array(many) => many.iter().any(|one| one == name),
        _ => false,
    }
}

/// What a schema accepts, in words.
fn expected(schema: &Value, unit: Option<Unit>) -> &'static str {
    match unit {
        Some(Unit::Duration) => "a duration such as `30s`",
        Some(Unit::Size) => "a size such as `64MiB`",
        None if accepts(schema, "object") => "a mapping",
        None if accepts(schema, "array") => "a list",
        None if accepts(schema, "boolean") => "`true` or `false`",
        None if accepts(schema, "integer") => "a whole number",
        None => "text",
    }
}

/// What a value is, in words.
fn name(content: &Content) -> &'static str {
    match content {
        Content::Null => "nothing",
        Content::Scalar(_) => "a single value",
        Content::Sequence(_) => "a list",
        Content::Mapping(_) => "a mapping",
    }
}

/// Longest part of a value that a message repeats, in characters.
const LONGEST_SHOWN: usize = 80;

/// A scalar as it stands in the file, shortened.
fn shown(node: &Node) -> Option<String> {
    let Content::Scalar(text) = &node.value else { return None };
    let mut shown: String = text.chars().take(LONGEST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Some(shown)
}

/// What to write instead of keys that other programs' files have.
fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "disabled" => "write `enabled: false`",
        "serverUrl" | "httpUrl" => "write `url`",
        "timeout" => "write `call_timeout`, with a unit: `120s`",
        "alwaysAllow" | "autoApprove" => "remove it: approval is the client's business; `virtual` can hide tools",
        "envFile" | "env_file" => "name the variables under `env`, for example `TOKEN: ${TOKEN}`",
        "port" | "host" | "address" => "write `listen: 127.0.0.1:7400`",
        _ => return None,
    })
}

//! Imported servers beside those that the configuration file has already.
//!
//! Importing twice adds nothing. Never changes or removes a server that is there.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    Problem,
    build::sounds_secret,
    disk,
    import::{
        Imported,
        yaml::{self, Entry},
    },
    tree,
};

/// What the configuration file would become. Nothing is written before [`Merged::write`].
pub struct Merged {
    /// The configuration file.
    pub file: PathBuf,
    /// Its whole new text.
    pub text: String,
    /// The names of the servers that are new in it.
    pub added: Vec<String>,
    /// The names of the servers that it has already.
    pub skipped: Vec<String>,
    /// Whether the new text holds secrets that stand in the clear.
    pub literal_secrets: bool,
    /// Whether the file is new.
    pub fresh: bool,
}

/// Puts imported servers into the text of a configuration file, which need not exist.
///
/// # Errors
/// The file cannot be read, is not YAML, or has a form into which nothing can be inserted safely; what to insert by
/// hand is then part of the remedy.
pub fn merge(imported: &Imported, file: &Path) -> Result<Merged, Problem> {
    let problem = |message: String| Problem::error(Some(file.to_owned()), message);
    let before = disk::read(file).map_err(|error| problem(format!("cannot be read: {}", error.kind())))?;
    let fresh = before.is_none();
    let text = before.unwrap_or_default();
    let root = tree::parse(&text, Some(file))?;
    let mut known = existing(&root.plain());
    let (mut entries, mut skipped, mut literal_secrets) = (Vec::new(), Vec::new(), false);
    for server in &imported.servers {
        match place(&known, server.name.as_str(), &server.definition) {
            Err(same) => skipped.push(same),
            Ok(name) => {
                literal_secrets |= has_literal_secrets(&server.definition);
                known.push((name.clone(), server.definition.clone()));
                entries.push(Entry { name, definition: server.definition.clone() });
            }
        }
    }
    let added: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    // What several files have is told once.
    let mut told = HashSet::new();
    skipped.retain(|name| !added.contains(name) && told.insert(name.clone()));
    let text = if entries.is_empty() {
        text
    } else {
        yaml::insert(&text, &entries).ok_or_else(|| {
            problem("there is no safe place for new servers in this file".into())
                .with_remedy(format!("insert them by hand:\n{}", yaml::block(&entries)))
        })?
    };
    Ok(Merged { file: file.to_owned(), text, added, skipped, literal_secrets, fresh })
}

impl Merged {
    /// Writes the new text. A new file with secrets in it is readable for its owner alone.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn write(&self) -> Result<(), Problem> {
        if self.added.is_empty() {
            return Ok(());
        }
        let mode = if self.literal_secrets { 0o600 } else { 0o644 };
        disk::replace(&self.file, &self.text, mode)
            .map_err(|error| Problem::error(Some(self.file.clone()), format!("cannot be written: {}", error.kind())))
    }
}

/// The servers that a document has.
fn existing(root: &Value) -> Vec<(String, Map<String, Value>)> {
    let blocks = [&root["servers"], &root["mcpServers"]];
    let servers = blocks.into_iter().filter_map(Value::as_object).flatten();
    servers.map(|(name, value)| (name.clone(), value.as_object().cloned().unwrap_or_default())).collect()
}

/// The name under which a server is new, or the name under which it is there already.
fn place(
    known: &[(String, Map<String, Value>)],
    name: &str,
    definition: &Map<String, Value>,
) -> Result<String, String> {
    let mut candidate = name.to_owned();
    let mut number = 1_usize;
    loop {
        let Some((_, there)) = known.iter().find(|(known, _)| *known == candidate) else { return Ok(candidate) };
        if same(there, definition) {
            return Err(candidate);
        }
        number += 1;
        let suffix = format!("-{number}");
        let room = ground::name::MAX_SERVER_NAME - suffix.len();
        let stem = &name[..name.len().min(room)];
        candidate = format!("{}{suffix}", stem.trim_end_matches(['-', '_']));
    }
}

/// Whether two definitions start or reach the same server. Settings that people make in Hostler's file do not count,
/// nor that a secret was moved out of it.
fn same(there: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    ["command", "args", "cwd", "url"].iter().all(|key| {
        let empty = |value: &&Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
        there.get(*key).filter(empty) == new.get(*key).filter(empty)
    }) && ["env", "headers"].iter().all(|key| {
        let (there, new) = (there.get(*key).and_then(Value::as_object), new.get(*key).and_then(Value::as_object));
        let value = |map: Option<&Map<String, Value>>, name: &str| map.and_then(|map| map.get(name)).cloned();
        let names: HashSet<_> = [there, new].into_iter().flatten().flat_map(Map::keys).collect();
        names.into_iter().all(|name| match (value(there, name), value(new, name)) {
            (Some(there), Some(new)) => there == new || there.as_str().is_some_and(|text| text.contains("${")),
            _ => false,
        })
    })
}

fn has_literal_secrets(definition: &Map<String, Value>) -> bool {
    let values = ["env", "headers"].into_iter().filter_map(|block| definition.get(block)?.as_object()).flatten();
    let mut secrets =
        values.filter(|(name, value)| sounds_secret(name) && !value.as_str().unwrap_or("").contains("${"));
    secrets.next().is_some()
}

//! Hostler's one entry in a client's file, put in and taken out again.
//!
//! What is replaced is kept as a copy beside the file. Comments and formatting stay. Never starts or reaches a client.

mod splice;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::{Value, json};

use crate::{Client, Problem, disk, jsonc};

/// The name of the entry.
pub const ENTRY: &str = ground::PRODUCT;

/// What stands between a file's name and the time of its copy.
const COPY: &str = ".hostler-backup-";
/// The same for a text that was put aside by [`undo`].
const UNDONE: &str = ".hostler-undone-";

/// The entry to put into a client's file.
#[derive(Debug, Clone)]
pub struct Export {
    /// Whose file it is.
    pub client: Client,
    /// The file; it need not exist.
    pub file: PathBuf,
    /// The URL of Hostler's endpoint, for clients that speak HTTP.
    pub url: String,
    /// The program and its arguments that bridge to the endpoint, for clients that only start programs.
    pub program: (String, Vec<String>),
    /// Have the program started even by a client that speaks HTTP.
    pub stdio: bool,
    /// Take out all other servers.
    pub replace: bool,
}

/// What the file would become. Nothing is written before [`Exported::write`]. Has no `Debug`, because other entries of
/// the file may hold secrets.
pub struct Exported {
    /// The file.
    pub file: PathBuf,
    /// Its whole new text.
    pub text: String,
    /// The entry.
    pub entry: Value,
    /// The names of the servers that are taken out.
    pub removed: Vec<String>,
    /// Whether the new text differs from the old one.
    pub changed: bool,
    /// The text that was there; none when the file is new.
    before: Option<String>,
}

/// What [`undo`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Undone {
    /// The copy that was put back; it is gone now.
    pub copy: PathBuf,
    /// Where the text was put that was there, because it had been changed since the export.
    pub kept: Option<PathBuf>,
    /// The file did not exist before the export, so it was removed.
    pub removed: bool,
}

/// Puts the entry into the text of the client's file.
///
/// # Errors
/// The file cannot be read, is not JSON, or has something else where its servers should stand.
pub fn export(export: &Export) -> Result<Exported, Problem> {
    let before = read(&export.file)?;
    let entry = entry(export);
    let key = export.client.servers_key();
    let text = before.as_deref().filter(|text| !text.trim().is_empty());
    let (text, removed) = match text {
        None => (splice::fresh(key, ENTRY, &entry), Vec::new()),
        Some(text) => {
            let document = jsonc::Document::parse(text).map_err(|fault| Problem {
                line: fault.line,
                column: fault.column,
                ..problem(&export.file, "this is not JSON".into())
            })?;
            let edit = splice::Edit { key, name: ENTRY, entry: &entry, replace: export.replace };
            let new = edit.apply(text, &document).ok_or_else(|| {
                let message = format!("there is no place for an entry: `{key}` must be an object in an object");
                problem(&export.file, message).with_remedy("mend the file, or name another one")
            })?;
            (new, if export.replace { others(&document.value[key]) } else { Vec::new() })
        }
    };
    let changed = before.as_ref() != Some(&text);
    Ok(Exported { file: export.file.clone(), text, entry, removed, changed, before })
}

impl Exported {
    /// Writes the new text and keeps a copy of the old one. Returns the copy; none when nothing changes.
    ///
    /// # Errors
    /// The file was changed since it was read, or the file or the copy cannot be written; the file is then as it was.
    pub fn write(&self, now: SystemTime) -> Result<Option<PathBuf>, Problem> {
        if !self.changed {
            return Ok(None);
        }
        // Some clients write their file while they run.
        if read(&self.file)? != self.before {
            let message = "was changed by another program at the same moment";
            return Err(problem(&self.file, message.into()).with_remedy("try again, with the client stopped"));
        }
        let copy = keep(&self.file, self.before.as_deref().unwrap_or_default(), COPY, now)?;
        if let Err(error) = disk::replace(&self.file, &self.text, 0o600) {
            // A copy of what was not replaced would mislead `undo`.
            let _ = fs::remove_file(&copy);
            return Err(failed(&self.file, "written", &error));
        }
        Ok(Some(copy))
    }
}

/// Puts back what the last export replaced. What was changed since then is kept beside the file.
///
/// # Errors
/// There is no copy, or a file cannot be read or written.
pub fn undo(client: Client, file: &Path, now: SystemTime) -> Result<Undone, Problem> {
    let copy = newest_copy(file).map_err(|error| failed(file, "looked for", &error))?.ok_or_else(|| {
        problem(file, "there is nothing to undo".into()).with_remedy("no copy of an export lies beside this file")
    })?;
    let before = read(&copy)?.unwrap_or_default();
    let current = read(file)?;
    let untouched = current.as_deref().is_none_or(|current| is_export_of(client, &before, current));
    let kept = match current {
        Some(current) if !untouched => Some(keep(file, &current, UNDONE, now)?),
        _ => None,
    };
    // An empty copy stands for a file that was not there.
    let removed = before.is_empty();
    if removed {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(file, "removed", &error)),
            _ => {}
        }
    } else {
        disk::replace(file, &before, 0o600).map_err(|error| failed(file, "written", &error))?;
    }
    fs::remove_file(&copy).map_err(|error| failed(&copy, "removed", &error))?;
    Ok(Undone { copy, kept, removed })
}

/// Whether a text is exactly what an export makes of another one.
fn is_export_of(client: Client, before: &str, current: &str) -> bool {
    let Ok(document) = jsonc::Document::parse(current) else { return false };
    let key = client.servers_key();
    let entry = &document.value[key][ENTRY];
    if before.trim().is_empty() {
        return splice::fresh(key, ENTRY, entry) == current;
    }
    let Ok(document) = jsonc::Document::parse(before) else { return false };
    let with = |replace: bool| splice::Edit { key, name: ENTRY, entry, replace }.apply(before, &document);
    [false, true].into_iter().any(|replace| with(replace).as_deref() == Some(current))
}

/// The entry in the client's spelling.
fn entry(export: &Export) -> Value {
    let (command, args) = &export.program;
    match export.client {
        client if export.stdio || !client.speaks_http() => match client {
            Client::ClaudeCode | Client::VsCode => json!({"type": "stdio", "command": command, "args": args}),
            _ => json!({"command": command, "args": args}),
        },
        Client::Windsurf => json!({"serverUrl": export.url}),
        Client::Cursor => json!({"url": export.url}),
        _ => json!({"type": "http", "url": export.url}),
    }
}

fn others(servers: &Value) -> Vec<String> {
    servers.as_object().into_iter().flatten().map(|(name, _)| name.clone()).filter(|name| name != ENTRY).collect()
}

/// Writes a text beside a file, readable for its owner alone, under a name that has the time in it.
fn keep(file: &Path, text: &str, mark: &str, now: SystemTime) -> Result<PathBuf, Problem> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stamp = disk::stamp(now);
    let mut copy = file.with_file_name(format!("{name}{mark}{stamp}"));
    let mut number = 2_u32;
    while copy.exists() {
        copy = file.with_file_name(format!("{name}{mark}{stamp}-{number}"));
        number += 1;
    }
    disk::replace(&copy, text, 0o600).map_err(|error| failed(&copy, "written", &error))?;
    Ok(copy)
}

fn newest_copy(file: &Path) -> io::Result<Option<PathBuf>> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let start = format!("{}{COPY}", file.file_name().unwrap_or_default().to_string_lossy());
    let mut newest: Option<(usize, String)> = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stamp) = name.strip_prefix(&start) {
            // Several of one second have a number behind it.
            let (time, number) = stamp.split_once('-').unwrap_or((stamp, "1"));
            let key = (number.parse().unwrap_or(1), name.clone());
            let later = |other: &(usize, String)| {
                let other_time = other.1[start.len()..].split('-').next().unwrap_or_default();
                (time, key.0) > (other_time, other.0)
            };
            if newest.as_ref().is_none_or(later) {
                newest = Some(key);
            }
        }
    }
    Ok(newest.map(|(_, name)| folder.join(name)))
}

fn read(file: &Path) -> Result<Option<String>, Problem> {
    disk::read(file).map_err(|error| failed(file, "read", &error))
}

fn failed(file: &Path, what: &str, error: &io::Error) -> Problem {
    problem(file, format!("cannot be {what}: {}", error.kind()))
}

fn problem(file: &Path, message: String) -> Problem {
    Problem::error(Some(file.to_owned()), message)
}

#[cfg(test)]
mod tests;

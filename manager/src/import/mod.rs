//! Servers from the files that clients already have.
//!
//! Never runs what it finds, never takes Hostler's own entry, and never shows the value of a variable or a header.

mod entry;
mod merge;
mod yaml;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ground::ServerName;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Client, Problem, Surroundings, disk, jsonc};

pub use merge::{Merged, merge};

/// A file to import from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The program whose file it is.
    pub client: Client,
    /// The file.
    pub file: PathBuf,
    /// The folder of the project that the file belongs to, if it belongs to one.
    pub project: Option<PathBuf>,
}

/// What a file had to offer.
#[derive(Clone, Default)]
pub struct Imported {
    /// The servers, in the order of the file.
    pub servers: Vec<Server>,
    /// What could not be taken over as it was, and advice.
    pub notes: Vec<Note>,
}

/// A server that was found. Has no `Debug`, because its definition may hold secrets.
#[derive(Clone)]
pub struct Server {
    /// Its name in Hostler.
    pub name: ServerName,
    /// Its keys and values as they stand in `hostler.yaml`.
    pub definition: Map<String, Value>,
    /// The file that it was found in.
    pub file: PathBuf,
}

/// Something to know about what was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file.
    pub file: PathBuf,
    /// The server, by its name in the file.
    pub server: Option<String>,
    /// What to know.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(server) = &self.server {
            write!(f, "{server}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// The clients' files that exist here: the user's, and those of the project in the working directory.
#[must_use]
pub fn discover(surroundings: &Surroundings) -> Vec<Source> {
    let folder = surroundings.working_directory();
    let of_user = Client::ALL
        .into_iter()
        .flat_map(|client| client.user_files(surroundings).into_iter().map(move |file| (client, file, None)));
    let of_project = Client::ALL
        .into_iter()
        .filter_map(|client| Some((client, client.project_file(folder)?, Some(folder.to_owned()))));
    let mut sources: Vec<Source> = Vec::new();
    for (client, file, project) in of_user.chain(of_project) {
        // In the home folder, a user's file and a project's file are the same.
        if file.is_file() && sources.iter().all(|source| source.file != file) {
            sources.push(Source { client, file, project });
        }
    }
    sources
}

impl Source {
    /// A file that the user named. Whose it is shows in its path; one that belongs to nobody known is plain.
    #[must_use]
    pub fn of_file(file: &Path, surroundings: &Surroundings) -> Self {
        let whole = surroundings.working_directory().join(file);
        let of_user = |client: &Client| client.user_files(surroundings).contains(&whole);
        // A project's file lies in its folder, or in a hidden one in it.
        let folder = whole.ancestors().nth(1).map(|folder| match folder.file_name().and_then(|name| name.to_str()) {
            Some(name) if name.starts_with('.') => folder.parent().unwrap_or(folder),
            _ => folder,
        });
        let of_project =
            |client: &Client| folder.is_some_and(|folder| client.project_file(folder) == Some(whole.clone()));
        let (client, project) = match (Client::ALL.into_iter().find(of_user), Client::ALL.into_iter().find(of_project))
        {
            (Some(client), _) => (client, None),
            (None, Some(client)) => (client, folder.map(Path::to_owned)),
            (None, None) => (Client::Plain, folder.map(Path::to_owned)),
        };
        Self { client, file: file.to_owned(), project }
    }
}

/// Reads the servers of a file. `own` is the address that Hostler listens on: an entry that leads there is its own.
///
/// # Errors
/// The file cannot be read, or is not JSON (comments and trailing commas are overlooked).
pub fn import(source: &Source, own: SocketAddr) -> Result<Imported, Problem> {
    let problem = |message: String| Problem::error(Some(source.file.clone()), message);
    let text = match disk::read(&source.file) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(problem("there is no such file".into())),
        Err(error) => return Err(problem(format!("cannot be read: {}", error.kind()))),
    };
    let document = jsonc::Document::parse(&text).map_err(|fault| Problem {
        line: fault.line,
        column: fault.column,
        ..problem("this is not JSON".into())
    })?;
    let mut imported = Imported::default();
    let mut found = false;
    for (block, project) in blocks(&document.value, source) {
        found = true;
        for (name, value) in block {
            entry::Reading { source, project, own, imported: &mut imported }.entry(name, value);
        }
    }
    if let Some(inputs) = document.value["inputs"].as_array() {
        entry::describe_inputs(inputs, source, &mut imported);
    }
    if !found {
        imported.note(source, None, "there are no servers in this file");
    }
    Ok(imported)
}

/// The places in a file where servers may stand, each with the project that they belong to.
fn blocks<'v>(root: &'v Value, source: &'v Source) -> Vec<(&'v Map<String, Value>, Option<&'v Path>)> {
    let own = source.project.as_deref();
    let settings = &root["mcp"]["servers"];
    let mut blocks: Vec<_> = [&root["mcpServers"], &root["servers"], settings]
        .into_iter()
        .filter_map(|block| Some((block.as_object()?, own)))
        .collect();
    // Claude Code keeps servers of single projects in the user's file.
    for (folder, project) in root["projects"].as_object().into_iter().flatten() {
        blocks.extend(project["mcpServers"].as_object().map(|block| (block, Some(Path::new(folder.as_str())))));
    }
    blocks
}

impl Imported {
    fn note(&mut self, source: &Source, server: Option<&str>, text: impl Into<String>) {
        let note = Note { file: source.file.clone(), server: server.map(str::to_owned), text: text.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds what another file had to offer.
    pub fn extend(&mut self, other: Self) {
        self.servers.extend(other.servers);
        self.notes.extend(other.notes);
    }
}

#[cfg(test)]
mod tests;

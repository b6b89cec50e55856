//! `hostler schema`: the JSON Schema of the configuration, for editors.

use anyhow::Result;

use crate::{exit::Exit, term::Term};

/// Writes the schema.
pub fn run(term: Term) -> Result<Exit> {
    term.json(&manager::schema())?;
    Ok(Exit::Ok)
}

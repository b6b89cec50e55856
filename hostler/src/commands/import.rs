//! `hostler import`: the servers that clients have, added to the configuration file.
//!
//! Never changes a client's file, and never shows what a server's definition holds.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use manager::{
    Client, Surroundings,
    import::{Imported, Merged, Source, discover, import, merge},
};
use serde_json::json;

use crate::{
    cli::{Global, Import},
    exit::{Exit, Usage},
    term::{Cell, Paint, Term},
};

/// Takes the servers over, or shows which would be.
pub fn run(args: &Import, global: &Global, term: Term) -> Result<Exit> {
    let sources = sources(args)?;
    if sources.is_empty() && !term.json {
        term.note("There is no file of an MCP client here. Name one: hostler import FILE");
        return Ok(Exit::Ok);
    }
    let own = super::listening(global);
    let (mut imported, mut rows, mut failed) = (Imported::default(), Vec::new(), 0);
    for source in &sources {
        match import(source, own) {
            Ok(found) => {
                rows.push(row(source, found.servers.len()));
                imported.extend(found);
            }
            Err(problem) => {
                failed += 1;
                term.error(&problem.to_string());
            }
        }
    }
    let merged = merge(&imported, &target(global)?)?;
    if !args.dry_run && !merged.added.is_empty() {
        merged.write()?;
    }
    if term.json {
        term.json(&json!({
            "sources": sources,
            "file": merged.file,
            "added": merged.added,
            "already_there": merged.skipped,
            "written": !args.dry_run && !merged.added.is_empty(),
            "literal_secrets": merged.literal_secrets,
            "notes": imported.notes,
        }))?;
    } else {
        if !rows.is_empty() {
            term.table(&["CLIENT", "FILE", "SERVERS"], &rows)?;
        }
        for note in &imported.notes {
            term.line(&term.paint(Paint::Warn, &term.tame(&note.to_string())))?;
        }
        term.line("")?;
        show(&merged, args.dry_run, term)?;
    }
    Ok(if failed > 0 && failed == sources.len() { Exit::Failed } else { Exit::Ok })
}

fn sources(args: &Import) -> Result<Vec<Source>> {
    let surroundings = Surroundings::of_process();
    if !args.files.is_empty() {
        return Ok(args.files.iter().map(|file| Source::of_file(file, &surroundings)).collect());
    }
    let mut sources = discover(&surroundings);
    if let Some(from) = &args.from {
        let client: Client = from.parse().map_err(Usage)?;
        sources.retain(|source| source.client == client);
    }
    Ok(sources)
}

/// The file that servers are added to. Unlike for other commands, it need not exist.
fn target(global: &Global) -> Result<PathBuf> {
    if let Some(file) = &global.config {
        return Ok(file.clone());
    }
    Ok(manager::find(None).context("it is not clear where to add them")?.unwrap_or_else(manager::fresh_file))
}

fn row(source: &Source, servers: usize) -> Vec<Cell> {
    vec![Cell::plain(source.client.title()), Cell::plain(source.file.display()), Cell::plain(servers)]
}

fn show(merged: &Merged, dry_run: bool, term: Term) -> Result<()> {
    let file = merged.file.display();
    if !merged.skipped.is_empty() {
        term.line(&format!("Already in {file}: {}", merged.skipped.join(", ")))?;
    }
    if merged.added.is_empty() {
        term.line("There is nothing new to add.")?;
        return Ok(());
    }
    let added = merged.added.join(", ");
    if dry_run {
        term.line(&format!("Would be added to {file}: {added}"))?;
        return Ok(());
    }
    let what = if merged.fresh { "Made" } else { "Added to" };
    term.line(&term.paint(Paint::Good, &format!("{what} {file}: {added}")))?;
    if merged.literal_secrets {
        term.line(&format!(
            "{file} now holds secrets in the clear; ${{VARIABLE}} or ${{file:path}} keep them out of it."
        ))?;
    }
    term.line("Next: hostler doctor looks whether all is here that they need, hostler starts them.")?;
    Ok(())
}

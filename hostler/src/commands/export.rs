//! `hostler export`: Hostler's entry in a client's configuration, put in or taken out again.
//!
//! Never shows what else the client's file holds.

use std::{path::PathBuf, time::SystemTime};

use anyhow::{Context as _, Result};
use manager::{
    Client, Surroundings,
    export::{self, ENTRY, Exported},
};
use serde_json::json;

use crate::{
    cli::{Export, Global},
    client::endpoint,
    exit::{Exit, Usage},
    reach::Gateway,
    term::{Paint, Term},
};

/// Writes the entry, shows it, or takes it out.
pub fn run(args: &Export, global: &Global, term: Term) -> Result<Exit> {
    let client: Client = args.client.parse().map_err(Usage)?;
    let file = file(args, client)?;
    if args.undo {
        return undo(client, file, term);
    }
    let exported = export::export(&request(args, global, client, file)?)?;
    let copy = if args.dry_run { None } else { exported.write(SystemTime::now())? };
    if term.json {
        term.json(&json!({
            "client": client,
            "file": exported.file,
            "entry": exported.entry,
            "removed": exported.removed,
            "changed": exported.changed && !args.dry_run,
            "copy": copy,
        }))?;
        return Ok(Exit::Ok);
    }
    show(&exported, args.dry_run, term)?;
    if let Some(copy) = copy {
        term.line(&format!("What was there before is kept for --undo in {}", copy.display()))?;
        term.line(&format!(
            "Restart {} for it to take effect; hostler export {client} --undo takes it back.",
            client.title()
        ))?;
    }
    Ok(Exit::Ok)
}

fn file(args: &Export, client: Client) -> Result<PathBuf> {
    let surroundings = Surroundings::of_process();
    let file = match &args.file {
        Some(file) => return Ok(file.clone()),
        None if args.project => client.project_file(surroundings.working_directory()),
        None => client.user_file(&surroundings),
    };
    let of = if args.project { "has no file for projects" } else { "has no place of its own" };
    file.ok_or_else(|| Usage(format!("`{client}` {of}: name the file by --file")).into())
}

fn request(args: &Export, global: &Global, client: Client, file: PathBuf) -> Result<export::Export> {
    let gateway = Gateway::new(&super::address(global))?;
    let path = endpoint(None, args.view.as_deref(), "mcp")?;
    let program = std::env::current_exe().context("it is not known where this program lies")?;
    let mut arguments = vec!["connect".to_owned(), "--url".to_owned(), gateway.url()];
    if let Some(view) = &args.view {
        arguments.extend(["--view".to_owned(), view.clone()]);
    }
    Ok(export::Export {
        client,
        file,
        url: gateway.uri(&path)?.to_string(),
        program: (program.to_string_lossy().into_owned(), arguments),
        stdio: args.stdio,
        replace: args.replace,
    })
}

fn show(exported: &Exported, dry_run: bool, term: Term) -> Result<()> {
    let file = exported.file.display();
    let entry = serde_json::to_string(&exported.entry)?;
    let removed = exported.removed.join(", ");
    if !exported.changed {
        term.line(&format!("{file} has the entry already: \"{ENTRY}\": {entry}"))?;
    } else if dry_run {
        term.line(&format!("Would be put into {file}: \"{ENTRY}\": {entry}"))?;
        if !removed.is_empty() {
            term.line(&format!("Would be taken out: {removed}"))?;
        }
    } else {
        term.line(&term.paint(Paint::Good, &format!("Put into {file}: \"{ENTRY}\": {entry}")))?;
        if !removed.is_empty() {
            term.line(&format!("Taken out: {removed}"))?;
        }
    }
    Ok(())
}

fn undo(client: Client, file: PathBuf, term: Term) -> Result<Exit> {
    let undone = export::undo(client, &file, SystemTime::now())?;
    if term.json {
        let (copy, kept) = (undone.copy, undone.kept);
        term.json(&json!({ "client": client, "file": file, "copy": copy, "kept": kept, "removed": undone.removed }))?;
        return Ok(Exit::Ok);
    }
    if undone.removed {
        term.line(&format!("Removed {}: there was none before.", file.display()))?;
    } else {
        term.line(&format!("Put back {} as it was before.", file.display()))?;
    }
    if let Some(kept) = undone.kept {
        term.line(&format!("It had been changed since; that text is kept in {}", kept.display()))?;
    }
    Ok(Exit::Ok)
}

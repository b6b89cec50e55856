//! `hostler check`: whether the configuration would be accepted, and everything that is wrong with it.

use std::path::Path;

use anyhow::Result;
use manager::{Loaded, Problem, Severity};
use serde_json::json;

use crate::{
    cli::{Check, Global},
    exit::Exit,
    term::{Paint, Term},
};

/// Checks the file that `serve` would use, or another.
pub fn run(args: &Check, global: &Global, term: Term) -> Result<Exit> {
    let asked = args.file.as_deref().or(global.config.as_deref());
    let found = manager::find(asked).map_err(|problem| vec![problem]);
    let outcome = found.and_then(|file| manager::load(file.as_deref(), &super::builtins()));
    let (loaded, problems) = match &outcome {
        Ok(loaded) => (Some(loaded), loaded.warnings.as_slice()),
        Err(problems) => (None, problems.as_slice()),
    };
    if term.json {
        term.json(&json!({
            "file": loaded.and_then(|loaded| loaded.file.as_deref()).or(asked),
            "accepted": loaded.is_some(),
            "problems": problems,
            "servers": loaded.map(|loaded| loaded.plan.servers.len()),
        }))?;
    } else {
        show(problems, term)?;
        if let Some(loaded) = loaded {
            accepted(loaded, term)?;
        }
    }
    Ok(if loaded.is_some() { Exit::Ok } else { Exit::Usage })
}

/// Problems, a line each, as editors and build tools know them.
pub fn show(problems: &[Problem], term: Term) -> Result<()> {
    for problem in problems {
        let paint = if problem.severity == Severity::Error { Paint::Bad } else { Paint::Warn };
        term.line(&term.paint(paint, &problem.to_string()))?;
    }
    Ok(())
}

fn accepted(loaded: &Loaded, term: Term) -> Result<()> {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let servers = count(loaded.plan.servers.len(), "server");
    // The first view is everything together.
    let views = count(loaded.plan.views.len().saturating_sub(1), "virtual server");
    let text = match &loaded.file {
        Some(file) => format!("{}: accepted ({servers}, {views})", file.display()),
        None => format!("There is no configuration file; what runs without one is fine ({servers})."),
    };
    term.line(&term.paint(Paint::Good, &text))?;
    if !loaded.literal_secrets.is_empty() {
        let file = loaded.file.as_deref().unwrap_or(Path::new("the file")).display();
        term.line(&format!(
            "Secrets seem to stand in {file} itself; ${{VARIABLE}} or ${{file:path}} keep them out of it:"
        ))?;
        loaded.literal_secrets.iter().try_for_each(|key| term.line(&format!("  {key}")))?;
    }
    Ok(())
}

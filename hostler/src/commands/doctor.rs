//! `hostler doctor`: whether everything is here that the configured servers need, each finding with its remedy.

use anyhow::Result;
use manager::{Finding, Level, Surroundings};
use serde_json::json;

use crate::{
    cli::Global,
    exit::Exit,
    term::{Paint, Term},
};

/// Looks at everything and tells what was found.
pub async fn run(global: &Global, term: Term) -> Result<Exit> {
    let found = manager::find(global.config.as_deref()).map_err(|problem| vec![problem]);
    let (findings, accepted) = match found.and_then(|file| manager::load(file.as_deref(), &super::builtins())) {
        Ok(loaded) => (manager::doctor(&Surroundings::of_process(), &loaded).await, true),
        Err(problems) => (problems.iter().map(Finding::from).collect(), false),
    };
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if term.json {
        term.json(&json!({ "findings": findings, "errors": errors, "warnings": warnings }))?;
    } else {
        findings.iter().try_for_each(|finding| show(finding, term))?;
        term.line("")?;
        term.line(&verdict(errors, warnings))?;
    }
    Ok(match (accepted, errors) {
        (false, _) => Exit::Usage,
        (true, 0) => Exit::Ok,
        (true, _) => Exit::Failed,
    })
}

fn show(finding: &Finding, term: Term) -> Result<()> {
    let (word, paint) = match finding.level {
        Level::Ok => ("ok     ", Paint::Good),
        Level::Warning => ("warning", Paint::Warn),
        Level::Error => ("error  ", Paint::Bad),
    };
    let subject = term.paint(Paint::Bold, &finding.subject);
    term.line(&format!("{}  {subject}: {}", term.paint(paint, word), term.tame(&finding.what)))?;
    if let Some(remedy) = &finding.remedy {
        term.line(&format!("         {}", term.paint(Paint::Dim, &term.tame(remedy))))?;
    }
    Ok(())
}

fn verdict(errors: usize, warnings: usize) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("Nothing is in the way; {}.", count(warnings, "warning")),
        (errors, 0) => format!("{}.", count(errors, "error")),
        (errors, warnings) => format!("{}, {}.", count(errors, "error"), count(warnings, "warning")),
    }
}

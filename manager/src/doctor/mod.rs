//! Is everything here that the configured servers need?
//!
//! Never starts or reaches a server: it looks for programs, asks well-known runtimes for their version, and looks at the
//! listening port, folders, rights and limits of the machine. Shows no value of a variable or a header.

mod machine;
mod programs;
mod servers;

use std::fmt;

use serde::Serialize;

use crate::{Loaded, Problem, Severity, Surroundings};

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Ok,
    /// It works, but not as well as it might.
    Warning,
    /// Something will not work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is to be taken.
    pub level: Level,
    /// What was looked at, such as `server git` or `port`.
    pub subject: String,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject: subject.into(), what: what.into(), remedy: None }
    }

    fn warning(subject: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, subject: subject.into(), what: what.into(), remedy: Some(remedy.into()) }
    }

    fn error(subject: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Error, ..Self::warning(subject, what, remedy) }
    }
}

impl From<&Problem> for Finding {
    /// What is wrong with the configuration, as a finding.
    fn from(problem: &Problem) -> Self {
        let level = match problem.severity {
            Severity::Warning => Level::Warning,
            Severity::Error => Level::Error,
        };
        let told = Problem { severity: Severity::Error, remedy: None, ..problem.clone() };
        Self { level, subject: "configuration".into(), what: told.to_string(), remedy: problem.remedy.clone() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{level}: {}: {}", self.subject, self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Looks at everything that a configuration needs. Takes some seconds at most.
pub async fn doctor(surroundings: &Surroundings, loaded: &Loaded) -> Vec<Finding> {
    let mut findings = machine::configuration(surroundings, loaded);
    findings.extend(loaded.warnings.iter().map(Finding::from));
    let runtimes = programs::Runtimes::look(surroundings, &loaded.plan).await;
    findings.extend(runtimes.findings());
    for spec in &loaded.plan.servers {
        findings.extend(servers::server(surroundings, spec, &runtimes));
    }
    findings.push(machine::port(loaded.plan.listen.address).await);
    findings.push(machine::state_dir(&loaded.plan.state_dir));
    findings.extend(machine::open_files(&loaded.plan));
    findings.extend(machine::memory(&loaded.plan));
    findings
}

#[cfg(test)]
mod tests;

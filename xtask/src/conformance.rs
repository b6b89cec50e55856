//! `cargo xtask conformance`: the official conformance suites against the reference server, direct and through the
//! gateway, row by row.
//!
//! Never judges a row by whether it passes: it has to be the same on both ways. Writes below `target/conformance`
//! alone.

mod report;
mod rows;
mod stage;
mod suite;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::services::{self, Services};
use crate::shell;
use report::Report;
use rows::Rows;
use stage::{Place, Stage};
use suite::{Runner, SUITES, Suite};

/// How often a scenario that differs is run again, on both ways.
const AGAIN: usize = 2;

/// What a way has no part in, by place and scenario: a server on standard streams has no event stream to end early, nor
/// one for a lone answer of the modern era; the lists of a view are the gateway's own answers, in one piece.
const NOT_THERE: [(&str, &str); 3] = [
    ("stdio", "server-sse-polling"),
    ("stdio", "server-sse-multiple-streams"),
    ("federated", "server-sse-multiple-streams"),
];

/// What part of it is wanted.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    /// Suites of one era against a server of the other, which is told and is no failure.
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
        if let Some(place) =
            wish.place.as_deref().filter(|place| !Place::THROUGH.iter().any(|known| known.name == *place))
        {
            let known = Place::THROUGH.map(|place| place.name).join(", ");
            bail!("there is no place {place}: {known}");
        }
        Ok(wish)
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
    let programs = Programs { gateway: gateway.to_owned(), reference: services::built(root, "debug", "reference") };
    let mut report = Report::default();
    if wish.cross {
        for era in ["legacy", "modern"] {
            let suites: Vec<Suite> = SUITES.into_iter().filter(|suite| suite.era == Some(crossed(era))).collect();
            Comparison { runner: &runner, programs: &programs, folder: folder.join(era), wish }.run(
                &suites,
                era,
                &mut report,
            )?;
        }
    } else {
        let folder = folder.clone();
        Comparison { runner: &runner, programs: &programs, folder, wish }.run(&SUITES, "dual", &mut report)?;
    }
    std::fs::write(folder.join("differences.txt"), report.to_string()).context("writing differences.txt")?;
    if !report.is_same() {
        println!("\n{report}");
    }
    let line = report.last_line();
    if !report.is_same() && !wish.cross {
        bail!("{line}");
    }
    println!("{line}");
    Ok(())
}

fn crossed(era: &str) -> &'static str {
    if era == "legacy" { "modern" } else { "legacy" }
}

/// The programs under test.
pub struct Programs {
    gateway: PathBuf,
    reference: PathBuf,
}

/// One server, direct and on all wanted ways.
struct Comparison<'a> {
    runner: &'a Runner,
    programs: &'a Programs,
    folder: PathBuf,
    wish: &'a Wish,
}

impl Comparison<'_> {
    /// `era`: that of the server behind the gateway. What it is compared with is always the server of both eras.
    fn run(&self, suites: &[Suite], era: &str, report: &mut Report) -> Result<()> {
        let direct = Stage::open(self.programs, Place::DIRECT, "dual", &self.folder)?;
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
            let through = Stage::open(self.programs, place, era, &self.folder)?;
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
        differences.retain(|one| !NOT_THERE.contains(&(through.place.name, &*one.check.scenario)));
        let first = differences.len();
        // Crossed eras are told, not judged.
        let again = if self.wish.cross { 0 } else { AGAIN };
        for attempt in 1..=again {
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
            (_, count) if again == 0 => format!("{count} checks differ"),
            (_, count) => format!("{count} checks differ in each of {} runs", again + 1),
        };
        println!("{} {}: {}; {verdict}", through.place.name, suite.name, rows.summary());
        let settled = first - differences.len();
        report.add(through.place.name, suite.name, expected.count(), settled, differences);
        Ok(())
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
        assert_eq!(wish.scenarios().into_iter().collect::<Vec<_>>(), ["ping"]);
        assert!(Wish::parse(&["--place", "moon"]).unwrap_err().to_string().contains("stdio"));
        assert!(Wish::parse(&["--place"]).is_err() && Wish::parse(&["--fast"]).is_err());
        assert_eq!(Wish::default().places().count(), Place::THROUGH.len());
    }
}

//! What a run of a suite found: rows of scenario, check and status; and where two runs differ.
//!
//! Never leaves a row out: warnings, skipped checks and remarks count like the others, and so does how often each
//! stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The file that a suite leaves for each scenario.
const FILE: &str = "checks.json";
/// What the suites append to a scenario's folder: `-2026-11-21T15-38-00-000Z`.
const STAMP: usize = "-0000-00-00T00-00-00-000Z".len();
/// The status of a scenario that left no checks.
const NOTHING: &str = "did not run";
/// The status of a row that judges nothing.
const REMARK: &str = "INFO";

/// What is checked. Several rows may be of one check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    pub scenario: String,
    pub id: String,
    pub name: String,
}

/// All rows of a run.
#[derive(Debug, Default)]
pub struct Rows {
    /// The statuses in alphabetical order, each as often as it stands there.
    statuses: BTreeMap<Check, Vec<String>>,
    /// What was said about a check, if anything.
    messages: BTreeMap<Check, String>,
}

/// A check that does not have the same rows in both runs.
#[derive(Debug)]
pub struct Difference {
    pub check: Check,
    pub direct: Vec<String>,
    pub through: Vec<String>,
    /// What the suite said of it.
    pub message: String,
}

impl Rows {
    /// Reads what a suite left in a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut rows = Self::default();
        let entries = std::fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // The client side's folders bear no word before the scenario's name.
            let name = name.strip_prefix("server-").unwrap_or(&name);
            let scenario = name.len().checked_sub(STAMP).and_then(|length| name.get(..length));
            let Some(scenario) = scenario.filter(|_| entry.path().is_dir()) else { continue };
            match std::fs::read_to_string(entry.path().join(FILE)) {
                Ok(text) => rows.add(scenario, &serde_json::from_str(&text).with_context(|| format!("{name}/{FILE}"))?),
                Err(_) => rows.push(scenario, &serde_json::json!({ "id": scenario, "status": NOTHING })),
            }
        }
        if rows.statuses.is_empty() {
            bail!("no scenario left results in {}", folder.display());
        }
        rows.statuses.values_mut().for_each(|statuses| statuses.sort_unstable());
        Ok(rows)
    }

    fn add(&mut self, scenario: &str, checks: &Value) {
        for check in checks.as_array().into_iter().flatten() {
            self.push(scenario, check);
        }
    }

    fn push(&mut self, scenario: &str, row: &Value) {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let check = Check { scenario: scenario.to_owned(), id: text("id"), name: text("name") };
        let message = text("errorMessage");
        if !message.is_empty() {
            self.messages.insert(check.clone(), message);
        }
        self.statuses.entry(check).or_default().push(text("status"));
    }

    /// Without remarks, each check's statuses once.
    pub fn judged_once(mut self) -> Self {
        self.statuses.retain(|_, statuses| {
            statuses.retain(|status| status != REMARK);
            statuses.dedup();
            !statuses.is_empty()
        });
        self
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.statuses.values().map(Vec::len).sum()
    }

    /// `55 rows (8 INFO, 47 SUCCESS)`.
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for status in self.statuses.values().flatten() {
            *counts.entry(status).or_default() += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
        format!("{} rows ({})", self.count(), counts.join(", "))
    }

    /// The checks that have other rows in the other run, or none, or that only it has.
    pub fn differences(&self, through: &Self) -> Vec<Difference> {
        let checks: BTreeSet<&Check> = self.statuses.keys().chain(through.statuses.keys()).collect();
        let of = |rows: &Self, check: &Check| rows.statuses.get(check).cloned().unwrap_or_default();
        let differs = |check: &&Check| of(self, check) != of(through, check);
        let difference = |check: &Check| Difference {
            check: check.clone(),
            direct: of(self, check),
            through: of(through, check),
            message: through.messages.get(check).or_else(|| self.messages.get(check)).cloned().unwrap_or_default(),
        };
        checks.into_iter().filter(differs).map(difference).collect()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.name)
    }
}

/// `SUCCESS`, `2 FAILURE + SUCCESS`, `none`.
pub fn told(statuses: &[String]) -> String {
    let groups = statuses.chunk_by(|a, b| a == b).map(|group| match group {
        [one] => one.clone(),
        several => format!("{} {}", several.len(), several[0]),
    });
    let groups: Vec<String> = groups.collect();
    if groups.is_empty() { "none".into() } else { groups.join(" + ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn rows(scenarios: &[(&str, Value)]) -> Rows {
        let folder = tempfile::tempdir().unwrap();
        for (scenario, checks) in scenarios {
            let place = folder.path().join(format!("server-{scenario}-2026-11-21T15-38-00-000Z"));
            std::fs::create_dir(&place).unwrap();
            if !checks.is_null() {
                std::fs::write(place.join(FILE), checks.to_string()).unwrap();
            }
        }
        Rows::read(folder.path()).unwrap()
    }

    fn check(id: &str, status: &str) -> Value {
        json!({ "id": id, "name": "Name", "status": status, "errorMessage": if status == "WARNING" { "slow" } else { "" } })
    }

    fn differences(direct: Value, through: Value) -> Vec<String> {
        let (direct, through) = (rows(&[("ping", direct)]), rows(&[("ping", through)]));
        let line =
            |one: &Difference| format!("{}: {} / {} {}", one.check, told(&one.direct), told(&one.through), one.message);
        direct.differences(&through).iter().map(line).collect()
    }

    #[test]
    fn rows_that_stand_in_another_order_are_the_same() {
        let (a, b) = (check("a", "SUCCESS"), check("a", "INFO"));
        assert_eq!(differences(json!([a, b]), json!([b, a])), Vec::<String>::new());
    }

    #[test]
    fn a_warning_and_a_row_that_stands_there_once_more_are_differences() {
        let (good, bad) = (check("a", "SUCCESS"), check("a", "WARNING"));
        assert_eq!(
            differences(json!([good, good]), json!([good, bad])),
            ["a (Name): 2 SUCCESS / SUCCESS + WARNING slow"]
        );
        assert_eq!(differences(json!([good]), json!([good, good])), ["a (Name): SUCCESS / 2 SUCCESS "]);
    }

    #[test]
    fn a_check_that_one_run_alone_has_is_a_difference() {
        let (a, b) = (check("a", "SUCCESS"), check("b", "SKIPPED"));
        assert_eq!(differences(json!([a]), json!([b])), ["a (Name): SUCCESS / none ", "b (Name): none / SKIPPED "]);
    }

    #[test]
    fn judged_once_no_remark_counts_and_a_check_that_failed_once_still_does() {
        let checks = json!([
            check("a", "SUCCESS"),
            check("a", "FAILURE"),
            check("a", "SUCCESS"),
            check("b", "INFO"),
            check("c", "SKIPPED"),
        ]);
        assert_eq!(rows(&[("ping", checks)]).judged_once().summary(), "3 rows (1 FAILURE, 1 SKIPPED, 1 SUCCESS)");
    }

    #[test]
    fn a_scenario_that_left_nothing_is_a_row_and_an_empty_folder_is_an_error() {
        let rows = rows(&[("tools-list", Value::Null), ("ping", json!([check("a", "SUCCESS")]))]);
        assert_eq!(rows.summary(), "2 rows (1 SUCCESS, 1 did not run)");
        assert!(Rows::read(tempfile::tempdir().unwrap().path()).is_err());
    }
}

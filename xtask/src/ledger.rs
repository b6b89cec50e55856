//! The account of a run: what was done, how long it took, what could not be done and why.
//!
//! Never hides a step: what was skipped is told as plainly as what failed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step ended.
enum Outcome {
    Passed,
    Failed(String),
    /// It cannot run on this machine; a failure where everything is required.
    Skipped(String),
    /// It is not needed on every machine.
    LeftOut(String),
}

struct Row {
    name: String,
    outcome: Outcome,
    took: Duration,
}

/// The steps of a run, in order.
pub struct Ledger {
    rows: Vec<Row>,
    began: Instant,
}

impl Ledger {
    pub fn open() -> Self {
        Self { rows: Vec::new(), began: Instant::now() }
    }

    /// Announces a step, runs it and notes how it ended. The steps after a failure still run.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        println!("\n== {name}");
        let began = Instant::now();
        let outcome = match work() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                println!("{name}: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        self.rows.push(Row { name: name.to_owned(), outcome, took: began.elapsed() });
    }

    /// Notes a step that cannot run here.
    pub fn skip(&mut self, name: &str, why: &str) {
        self.note(name, Outcome::Skipped(why.to_owned()));
    }

    /// Notes a step that need not run here.
    pub fn leave_out(&mut self, name: &str, why: &str) {
        self.note(name, Outcome::LeftOut(why.to_owned()));
    }

    fn note(&mut self, name: &str, outcome: Outcome) {
        self.rows.push(Row { name: name.to_owned(), outcome, took: Duration::ZERO });
    }

    /// Prints the account, its last line a summary. Not a success when a step failed, or when one
    /// was skipped though everything is required.
    pub fn close(self, require_all: bool) -> ExitCode {
        let (lines, good) = self.account(require_all);
        println!("\n== what ran");
        for line in &lines {
            println!("{line}");
        }
        if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn account(&self, require_all: bool) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
        for Row { name, outcome, took } in &self.rows {
            let seconds = took.as_secs_f64();
            match outcome {
                Outcome::Passed => {
                    passed += 1;
                    lines.push(format!("passed:  {name} ({seconds:.1} s)"));
                }
                Outcome::Failed(why) => {
                    failed.push(name.as_str());
                    lines.push(format!("FAILED:  {name} ({seconds:.1} s): {why}"));
                }
                Outcome::Skipped(_) | Outcome::LeftOut(_) => {}
            }
        }
        for Row { name, outcome, .. } in &self.rows {
            match outcome {
                Outcome::Skipped(why) => {
                    skipped += 1;
                    lines.push(format!("skipped: {name}: {why}"));
                }
                Outcome::LeftOut(why) => lines.push(format!("skipped: {name}: {why} (not required)")),
                Outcome::Passed | Outcome::Failed(_) => {}
            }
        }
        let good = failed.is_empty() && !(require_all && skipped > 0);
        let verdict = if good { "all passed".to_owned() } else { verdict_of(&failed, skipped) };
        let took = self.began.elapsed().as_secs();
        lines.push(format!("{verdict}: {passed} passed, {} failed, {skipped} skipped, in {took} s", failed.len()));
        (lines, good)
    }
}

fn verdict_of(failed: &[&str], skipped: usize) -> String {
    if failed.is_empty() {
        format!("FAILED because {skipped} could not run")
    } else {
        format!("FAILED in {}", failed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use anyhow::bail;

    use super::*;

    fn account(ledger: &Ledger, require_all: bool) -> (String, bool) {
        let (lines, good) = ledger.account(require_all);
        (lines.join("\n"), good)
    }

    #[test]
    fn a_skipped_step_fails_a_run_only_where_everything_is_required() {
        let mut ledger = Ledger::open();
        ledger.step("format", || Ok(()));
        ledger.skip("e2e typescript", "node is not installed");
        ledger.leave_out("deny", "cargo-deny is not installed");

        let (text, good) = account(&ledger, false);
        assert!(good);
        assert!(text.contains("skipped: e2e typescript: node is not installed\n"), "{text}");
        assert!(text.ends_with("all passed: 1 passed, 0 failed, 1 skipped, in 0 s"), "{text}");

        let (text, good) = account(&ledger, true);
        assert!(!good);
        assert!(text.ends_with("FAILED because 1 could not run: 1 passed, 0 failed, 1 skipped, in 0 s"), "{text}");
    }

    #[test]
    fn a_failed_step_is_named_in_the_last_line_and_the_next_one_still_runs() {
        let mut ledger = Ledger::open();
        ledger.step("tidy", || bail!("2 findings"));
        ledger.step("floors", || Ok(()));

        let (text, good) = account(&ledger, false);
        assert!(!good);
        assert!(text.contains("FAILED:  tidy (0.0 s): 2 findings\n"), "{text}");
        assert!(text.ends_with("FAILED in tidy: 1 passed, 1 failed, 0 skipped, in 0 s"), "{text}");
    }
}

//! What was compared in all, and the table of what differs.
//!
//! Never tells the same difference twice: one that several suites found stands there once, with their names.

use std::collections::BTreeMap;
use std::fmt;

use super::rows::{Difference, told};

/// Characters of a message that are shown.
const MESSAGE: usize = 120;
const HEAD: [&str; COLUMNS] = ["way", "scenario", "check", "direct", "through", "suites"];
const COLUMNS: usize = 6;

/// What was compared so far.
#[derive(Default)]
pub struct Report {
    compared: usize,
    different: usize,
    settled: usize,
    /// Way, scenario, check, direct and through; the suites that found it, and what the last of them said.
    table: BTreeMap<[String; 5], (Vec<&'static str>, String)>,
}

impl Report {
    /// Adds a comparison. `compared`: the rows of the direct run; `settled`: the checks that differed once and were the
    /// same when they were run again.
    pub fn add(
        &mut self,
        way: &str,
        suite: &'static str,
        compared: usize,
        settled: usize,
        differences: Vec<Difference>,
    ) {
        self.compared += compared;
        self.settled += settled;
        self.different += differences.len();
        for Difference { check, direct, through, message } in differences {
            let scenario = check.scenario.clone();
            let row = [way.to_owned(), scenario, check.to_string(), told(&direct), told(&through)];
            let (suites, said) = self.table.entry(row).or_default();
            suites.push(suite);
            *said = message;
        }
    }

    /// Whether every row was the same.
    pub fn is_same(&self) -> bool {
        self.different == 0
    }

    /// `560 rows compared, 0 checks differ`.
    pub fn last_line(&self) -> String {
        let mut line = format!("{} rows compared, {} checks differ", self.compared, self.different);
        if self.settled > 0 {
            line += &format!("; {} more differed once and were the same when run again", self.settled);
        }
        line
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = (HEAD.map(str::to_owned), "");
        let rows = self.table.iter().map(|([way, scenario, check, direct, through], (suites, message))| {
            let cells = [way, scenario, check, direct, through].map(Clone::clone);
            let [way, scenario, check, direct, through] = cells;
            ([way, scenario, check, direct, through, suites.join(" ")], message.as_str())
        });
        let rows: Vec<([String; COLUMNS], &str)> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|(cells, _)| cells[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        for (cells, message) in &rows {
            for (cell, width) in cells.iter().zip(widths) {
                write!(f, "{cell:width$}  ")?;
            }
            let message: String = message.chars().take(MESSAGE).collect();
            writeln!(f, "{}", message.replace('\n', " "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Check;
    use super::*;

    fn difference() -> Difference {
        let check = Check { scenario: "ping".into(), id: "a".into(), name: "Answers".into() };
        let (direct, through) = (vec!["SUCCESS".into()], vec!["WARNING".into()]);
        Difference { check, direct, through, message: "slow".into() }
    }

    #[test]
    fn a_difference_that_several_suites_found_stands_there_once() {
        let mut report = Report::default();
        report.add("stdio", "old", 50, 0, vec![difference()]);
        report.add("stdio", "new", 60, 1, vec![difference()]);
        let table = report.to_string();
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 2, "{table}");
        let row = ["stdio", "ping", "a", "(Answers)", "SUCCESS", "WARNING", "old", "new", "slow"];
        assert_eq!(lines[1], row, "{table}");
        assert!(!report.is_same());
    }

    #[test]
    fn the_last_line_says_how_much_was_compared_and_what_settled() {
        let mut report = Report::default();
        report.add("http", "new", 560, 0, Vec::new());
        assert_eq!(report.last_line(), "560 rows compared, 0 checks differ");
        report.add("stdio", "new", 40, 2, Vec::new());
        let line = "600 rows compared, 0 checks differ; 2 more differed once and were the same when run again";
        assert_eq!(report.last_line(), line);
        assert!(report.is_same());
    }
}

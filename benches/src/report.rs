//! Medians over rounds, ratios to nginx, a table for people and JSON for programs.
//!
//! Only arithmetic and text: nothing is measured here.

use std::fmt::Write as _;

use serde_json::{Value, json};
use testkit::protocol::Era;

use crate::load::Measured;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The server itself.
    Direct,
    /// nginx before it.
    Nginx,
    /// Hostler before it, one server alone: names untouched.
    Hostler,
    /// Hostler before it, all servers behind one endpoint: names change.
    Federated,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who answers.
    pub who: Who,
    /// Which protocol is spoken.
    pub era: Era,
}

impl Row {
    /// All of them, in the order of the table.
    pub fn all() -> Vec<Self> {
        let who = [Who::Direct, Who::Nginx, Who::Hostler, Who::Federated];
        who.into_iter().flat_map(|who| [Era::Legacy, Era::Modern].map(|era| Self { who, era })).collect()
    }

    /// Such as `nginx legacy`.
    pub fn name(self) -> String {
        let who = match self.who {
            Who::Direct => "direct",
            Who::Nginx => "nginx",
            Who::Hostler => "hostler",
            Who::Federated => "federated",
        };
        let era = match self.era {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        };
        format!("{who} {era}")
    }
}

/// What one round of one row came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Requests answered in a second.
    pub rate: f64,
    /// Processor time of whoever answers, in microseconds for each request.
    pub cpu: f64,
    /// The same of the server behind it.
    pub upstream_cpu: f64,
    /// Latencies in milliseconds: p50, p99, p99.9.
    pub latency: [f64; 3],
    /// Resident memory of whoever answers, in MiB.
    pub memory: f64,
}

impl Figures {
    /// Of a round in which first whoever answers and then the server behind it was watched.
    pub fn of(measured: &Measured) -> Self {
        let requests = measured.requests.max(1) as f64;
        let cpu = |place: usize| measured.used.get(place).map_or(0.0, |used| used.cpu.as_secs_f64() * 1e6 / requests);
        let quantile = |q: f64| measured.latency.value_at_quantile(q) as f64 / 1e6;
        Self {
            rate: measured.requests as f64 / measured.elapsed.as_secs_f64(),
            cpu: cpu(0),
            upstream_cpu: cpu(1),
            latency: [0.5, 0.99, 0.999].map(quantile),
            memory: measured.used.first().map_or(0.0, |used| used.memory as f64 / f64::from(1 << 20)),
        }
    }

    /// The median of each figure for itself; zeros when there is no round.
    pub fn median(rounds: &[Self]) -> Self {
        let of = |pick: &dyn Fn(&Self) -> f64| median(rounds.iter().map(pick).collect());
        Self {
            rate: of(&|f| f.rate),
            cpu: of(&|f| f.cpu),
            upstream_cpu: of(&|f| f.upstream_cpu),
            latency: [0, 1, 2].map(|place| of(&|f| f.latency[place])),
            memory: of(&|f| f.memory),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A table that is being filled.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<(Row, Vec<Figures>)>,
}

impl Table {
    /// Adds a round of a row.
    pub fn add(&mut self, row: Row, figures: Figures) {
        match self.rows.iter_mut().find(|(known, _)| *known == row) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.rows.push((row, vec![figures])),
        }
    }

    /// The medians of a row, if it was measured.
    pub fn get(&self, row: Row) -> Option<Figures> {
        let (_, rounds) = self.rows.iter().find(|(known, _)| *known == row)?;
        Some(Figures::median(rounds))
    }

    /// The reference of a row: the other one that answers in the same era.
    fn beside(&self, row: Row, who: Who) -> Option<Figures> {
        self.get(Row { who, era: row.era })
    }

    /// For people, as Markdown. The two columns at the end compare with nginx and with the server alone.
    pub fn text(&self) -> String {
        let head = [
            "",
            "requests/s",
            "CPU µs/request",
            "× nginx",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "p99 added ms",
            "memory MiB",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for (row, rounds) in &self.rows {
            let figures = Figures::median(rounds);
            let ratio = self.beside(*row, Who::Nginx).filter(|nginx| nginx.cpu > 0.0);
            let ratio = ratio.map_or_else(|| "-".into(), |nginx| format!("{:.2}", figures.cpu / nginx.cpu));
            let added = self.beside(*row, Who::Direct).filter(|_| row.who != Who::Direct);
            let added =
                added.map_or_else(|| "-".into(), |direct| format!("{:.2}", figures.latency[1] - direct.latency[1]));
            let [p50, p99, p999] = figures.latency.map(|ms| format!("{ms:.2}"));
            let rate = thousands(figures.rate);
            let (cpu, memory) = (format!("{:.1}", figures.cpu), format!("{:.1}", figures.memory));
            lines.push(vec![row.name(), rate, cpu, ratio, p50, p99, p999, added, memory]);
        }
        markdown(&lines)
    }

    /// For programs: medians and every round.
    pub fn json(&self) -> Value {
        let figures = |f: &Figures| {
            json!({
                "requests_per_second": f.rate, "cpu_us": f.cpu, "upstream_cpu_us": f.upstream_cpu,
                "p50_ms": f.latency[0], "p99_ms": f.latency[1], "p999_ms": f.latency[2], "memory_mib": f.memory
            })
        };
        let rows = self.rows.iter().map(|(row, rounds)| {
            let median = Figures::median(rounds);
            let nginx = self.beside(*row, Who::Nginx).filter(|nginx| nginx.cpu > 0.0);
            json!({
                "row": row.name(),
                "median": figures(&median),
                "cpu_to_nginx": nginx.map(|nginx| median.cpu / nginx.cpu),
                "rounds": rounds.iter().map(figures).collect::<Vec<_>>()
            })
        });
        rows.collect()
    }
}

/// A whole number with its thousands apart.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Lines of cells as a table: the first is the head, the first column to the left, the others to the right.
fn markdown(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default().max(3);
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = width(column);
            let _ = match column {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
        if place == 0 {
            for column in 0..columns {
                let dashes = "-".repeat(width(column) - usize::from(column > 0));
                let _ = write!(text, "| {dashes}{} ", if column > 0 { ":" } else { "" });
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn figures(cpu: f64, p99: f64) -> Figures {
        Figures { rate: 29_000.4, cpu, upstream_cpu: 13.0, latency: [1.0, p99, 9.0], memory: 12.5 }
    }

    #[test]
    fn a_median_is_the_middle_one_or_between_the_two_middle_ones() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn rows_are_compared_with_nginx_and_the_server_in_their_own_era() {
        let mut table = Table::default();
        for row in Row::all() {
            let (cpu, p99) = match (row.who, row.era) {
                (Who::Direct, _) => (13.0, 2.0),
                (Who::Nginx, Era::Legacy) => (20.0, 2.5),
                (Who::Nginx, Era::Modern) => (40.0, 2.5),
                _ => (30.0, 3.0),
            };
            table.add(row, figures(cpu, p99));
        }
        let text = table.text();
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        assert!(line("hostler legacy").contains("  29,000 |"), "{text}");
        assert!(line("hostler legacy").contains("1.50 |"), "{text}");
        assert!(line("hostler modern").contains("0.75 |"), "{text}");
        assert!(line("hostler modern").contains("1.00 |"), "{text}");
        let widths: std::collections::HashSet<_> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 1, "{text}");
    }

    #[test]
    fn a_row_without_nginx_beside_it_has_no_ratio() {
        let mut table = Table::default();
        table.add(Row { who: Who::Direct, era: Era::Legacy }, figures(13.0, 2.0));
        assert_eq!(table.json()[0]["cpu_to_nginx"], Value::Null);
        assert!(table.text().contains(" - |"));
    }
}

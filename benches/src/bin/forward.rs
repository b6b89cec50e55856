//! `forward`: what forwarding one call costs - the server alone, nginx `proxy_pass`, and Hostler, side by side.
//!
//! The rows take turns over several rounds, so that a slow minute of the machine falls on all of them. Ends with a
//! failure when any answer was wrong: figures of wrong answers mean nothing.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use benches::{
    load::{self, Shape},
    machine::Machine,
    report::{Figures, Row, Table, Who},
    script::Script,
    stage::{self, Program},
};
use clap::Parser;
use serde_json::json;
use testkit::{Httpd, protocol::Era};

/// Measures the cost of a forwarded call.
#[derive(Parser)]
#[command(name = "forward")]
struct Options {
    /// Seconds counted in each round of each row.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds of load before counting.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Threads of the load; half of the cores when 0.
    #[arg(long, default_value_t = 0)]
    load_threads: usize,
    /// Rows, separated by commas: `direct`, `nginx`, `hostler`, `federated`, or one era of one, such as `nginx-legacy`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure once more at a fixed rate: so many requests in a second, or `half` of what nginx reached.
    #[arg(long)]
    rate: Option<String>,
    /// Print JSON in place of tables.
    #[arg(long)]
    json: bool,
}

/// What was started.
struct Stage {
    server: Httpd,
    nginx: Option<Program>,
    hostler: Option<Program>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "forward: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let mut rows = chosen(&options.only)?;
    let (nginx, hostler) = (nginx_path(), hostler_path());
    let machine = Machine::look(nginx.as_deref(), hostler.as_deref());
    say(&options, &machine.line());
    let server = Httpd::start(&["--mode", "dual"]);
    let mut stage = Stage { server, nginx: None, hostler: None };
    stage.set(&options, &mut rows, nginx.as_deref(), hostler.as_deref()).await?;

    let shape = Shape {
        connections: options.connections,
        threads: if options.load_threads > 0 { options.load_threads } else { (machine.cores / 2).max(1) },
        warm_up: Duration::from_secs_f64(options.warm_up),
        window: Duration::from_secs_f64(options.seconds),
        rate: None,
    };
    let closed = measure(&options, &stage, &rows, shape).await?;
    let rate = match options.rate.as_deref() {
        None => None,
        Some("half") => {
            let nginx = closed.get(Row { who: Who::Nginx, era: Era::Legacy });
            Some(nginx.context("`--rate half` needs the row `nginx-legacy`")?.rate / 2.0)
        }
        Some(rate) => Some(rate.parse().context("--rate")?),
    };
    let open = match rate {
        Some(rate) => Some(measure(&options, &stage, &rows, Shape { rate: Some(rate), ..shape }).await?),
        None => None,
    };
    print(&options, &machine, shape, &closed, rate.zip(open))
}

impl Stage {
    /// Starts what the rows need. A row whose program is missing is left out with a note.
    async fn set(
        &mut self,
        options: &Options,
        rows: &mut Vec<Row>,
        nginx: Option<&Path>,
        hostler: Option<&Path>,
    ) -> Result<()> {
        let upstream = stage::address(&self.server)?;
        let wanted = |rows: &[Row], who: &[Who]| rows.iter().any(|row| who.contains(&row.who));
        if wanted(rows, &[Who::Nginx]) {
            match nginx {
                Some(path) => self.nginx = Some(stage::nginx(path, upstream).await?),
                None => leave_out(options, rows, &[Who::Nginx], "nginx is not installed"),
            }
        }
        let both = [Who::Hostler, Who::Federated];
        if wanted(rows, &both) {
            match hostler {
                Some(path) => self.hostler = Some(stage::hostler(path, upstream).await?),
                None => leave_out(options, rows, &both, "hostler is not built: cargo build --profile dist -p hostler"),
            }
        }
        Ok(())
    }

    /// Where a row's load goes, and the processes that are watched for it.
    fn target(&self, row: Row) -> Result<(Script, Vec<u32>)> {
        let upstream = stage::address(&self.server)?;
        let through = |program: &Option<Program>| {
            program.as_ref().map(|program| (program.address, vec![program.pid(), self.server.pid()]))
        };
        let found = match row.who {
            Who::Direct => Some((upstream, vec![self.server.pid()])),
            Who::Nginx => through(&self.nginx),
            Who::Hostler | Who::Federated => through(&self.hostler),
        };
        let (address, watched) = found.context("the row's program was not started")?;
        let (path, tool) = match row.who {
            Who::Direct | Who::Nginx => ("/mcp", "echo"),
            Who::Hostler => ("/servers/echo/mcp", "echo"),
            Who::Federated => ("/mcp", "echo__echo"),
        };
        Ok((Script { address, path: path.into(), tool: tool.into(), era: row.era }, watched))
    }
}

async fn measure(options: &Options, stage: &Stage, rows: &[Row], shape: Shape) -> Result<Table> {
    let mut table = Table::default();
    for round in 1..=options.rounds {
        for row in rows {
            let (script, watched) = stage.target(*row)?;
            let measured = load::run(&script, shape, &watched).await.with_context(|| row.name())?;
            if measured.errors > 0 {
                let error = measured.error.unwrap_or_default();
                let complaint = stage.hostler.as_ref().map(Program::complaint).unwrap_or_default();
                bail!("{}: {} errors; the first: {error}\n{complaint}", row.name(), measured.errors);
            }
            let figures = Figures::of(&measured);
            say(
                options,
                &format!("round {round}: {:<17} {:>8.0} requests/s  {:>6.1} µs", row.name(), figures.rate, figures.cpu),
            );
            table.add(*row, figures);
        }
    }
    Ok(table)
}

fn print(options: &Options, machine: &Machine, shape: Shape, closed: &Table, open: Option<(f64, Table)>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if options.json {
        let report = json!({
            "machine": machine.json(),
            "connections": shape.connections, "load_threads": shape.threads,
            "seconds": options.seconds, "rounds": options.rounds,
            "closed_loop": closed.json(),
            "fixed_rate": open.map(|(rate, table)| json!({"requests_per_second": rate, "rows": table.json()}))
        });
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    let (rounds, seconds) = (options.rounds, options.seconds);
    writeln!(out, "\n{}", machine.line())?;
    writeln!(out, "{} connections, median of {rounds} rounds of {seconds} s\n\n{}", shape.connections, closed.text())?;
    if let Some((rate, table)) = open {
        writeln!(
            out,
            "At a fixed rate of {rate:.0} requests/s; latency counts from when a request was due\n\n{}",
            table.text()
        )?;
    }
    Ok(())
}

/// Progress goes to stderr: stdout is for the result.
fn say(options: &Options, line: &str) {
    if !options.json {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

fn leave_out(options: &Options, rows: &mut Vec<Row>, who: &[Who], why: &str) {
    say(options, &format!("left out: {why}"));
    rows.retain(|row| !who.contains(&row.who));
}

/// The rows that were asked for, or all.
fn chosen(only: &[String]) -> Result<Vec<Row>> {
    let all = Row::all();
    if only.is_empty() {
        return Ok(all);
    }
    let matches = |row: &Row, word: &str| {
        let name = row.name().replace(' ', "-");
        name == word || name.split('-').next() == Some(word)
    };
    if let Some(word) = only.iter().find(|word| !all.iter().any(|row| matches(row, word))) {
        let names: Vec<_> = all.iter().map(|row| row.name().replace(' ', "-")).collect();
        bail!("no row `{word}`; there are {}", names.join(", "));
    }
    Ok(all.into_iter().filter(|row| only.iter().any(|word| matches(row, word))).collect())
}

fn nginx_path() -> Option<PathBuf> {
    let named = std::env::var_os("HOSTLER_BENCH_NGINX").map(PathBuf::from);
    let usual = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| Command::new(path).arg("-v").output().is_ok())
}

/// The Hostler to measure: named by the environment, or built beside this program.
fn hostler_path() -> Option<PathBuf> {
    let named = ["HOSTLER_BENCH_BIN", "HOSTLER_BIN"].into_iter().find_map(std::env::var_os).map(PathBuf::from);
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("hostler"));
    named.or_else(beside).filter(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn rows_are_chosen_by_name_or_by_name_and_era() {
        let names = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|&word| word.to_owned()).collect();
            chosen(&only).map(|rows| rows.into_iter().map(Row::name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["direct", "nginx-legacy"]).unwrap(), ["direct legacy", "direct modern", "nginx legacy"]);
        assert_eq!(names(&[]).unwrap().len(), 8);
        assert!(names(&["apache"]).unwrap_err().to_string().contains("federated-modern"));
    }
}

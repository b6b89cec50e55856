//! `hostler status`: the servers of the running gateway, how they are and why.

use admin::{InstanceStatus, ServerStatus, State};
use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    api,
    cli::Status,
    exit::Exit,
    reach::{Gateway, segment},
    term::{Cell, Paint, Term},
};

#[derive(Deserialize)]
struct Servers {
    servers: Vec<ServerStatus>,
}

/// Shows all servers, or one.
pub async fn run(args: &Status, gateway: &Gateway, term: Term) -> Result<Exit> {
    let path = match &args.server {
        Some(name) => format!("/api/v1/servers/{}", segment(name)?),
        None => "/api/v1/servers".to_owned(),
    };
    // As it came, so that a newer gateway's fields are shown too.
    let answer: Value = api::read(gateway, &path).await?;
    if term.json {
        term.json(&answer)?;
    } else if args.server.is_some() {
        one(&serde_json::from_value(answer)?, term)?;
    } else {
        let Servers { servers } = serde_json::from_value(answer)?;
        all(&servers, term)?;
    }
    Ok(Exit::Ok)
}

fn all(servers: &[ServerStatus], term: Term) -> Result<()> {
    if servers.is_empty() {
        term.note("No servers are configured.");
        return Ok(());
    }
    let rows: Vec<_> = servers.iter().map(row).collect();
    let headings = ["NAME", "STATE", "KIND", "ERA", "TOOLS", "INSTANCES", "CALLS", "RESTARTS", "UPTIME"];
    term.table(&headings, &rows)?;
    for server in servers {
        if let Some(failure) = &server.failure {
            term.line("")?;
            let name = term.paint(Paint::Bold, &server.name);
            term.line(&format!("{name}: {}", term.tame(failure)))?;
        }
    }
    Ok(())
}

fn row(server: &ServerStatus) -> Vec<Cell> {
    let calls: u64 = server.instances.iter().map(|instance| instance.calls).sum();
    let uptime = server.instances.iter().map(|instance| instance.uptime_seconds).max();
    let restarts = if server.restarts > 0 { Paint::Warn } else { Paint::Plain };
    vec![
        Cell::new(&server.name, Paint::Bold),
        state(server.state),
        Cell::plain(&server.kind),
        Cell::plain(eras(&server.eras)),
        Cell::plain(server.tools),
        Cell::plain(server.instances.len()),
        Cell::plain(calls),
        Cell::new(server.restarts, restarts),
        Cell::plain(uptime.map_or_else(|| "-".to_owned(), duration)),
    ]
}

fn state(state: State) -> Cell {
    let paint = match state {
        State::Ready => Paint::Good,
        State::Failed => Paint::Bad,
        State::Starting => Paint::Warn,
        State::Stopped | State::Unknown => Paint::Dim,
    };
    Cell::new(state.word(), paint)
}

fn eras(eras: &[String]) -> String {
    if eras.is_empty() { "-".to_owned() } else { eras.join(",") }
}

fn one(server: &ServerStatus, term: Term) -> Result<()> {
    let rows = [
        vec![Cell::plain("state"), state(server.state)],
        vec![Cell::plain("kind"), Cell::plain(&server.kind)],
        vec![Cell::plain("target"), Cell::plain(&server.target)],
        vec![Cell::plain("era"), Cell::plain(eras(&server.eras))],
        vec![Cell::plain("tools"), Cell::plain(server.tools)],
        vec![Cell::plain("prompts"), Cell::plain(server.prompts)],
        vec![Cell::plain("resources"), Cell::plain(server.resources)],
        vec![Cell::plain("templates"), Cell::plain(server.templates)],
        vec![Cell::plain("restarts"), Cell::plain(server.restarts)],
        vec![Cell::plain("failure"), Cell::plain(server.failure.as_deref().unwrap_or("-"))],
    ];
    term.table(&[&server.name], &rows)?;
    if !server.instances.is_empty() {
        term.line("")?;
        let rows: Vec<_> = server.instances.iter().map(instance).collect();
        term.table(&["INSTANCE", "PID", "ERA", "REVISION", "SHARED BY", "CALLS", "IN FLIGHT", "UPTIME"], &rows)?;
    }
    Ok(())
}

fn instance(instance: &InstanceStatus) -> Vec<Cell> {
    vec![
        Cell::plain(instance.id),
        Cell::plain(instance.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())),
        Cell::plain(&instance.era),
        Cell::plain(instance.version.as_deref().unwrap_or("-")),
        Cell::plain(&instance.share),
        Cell::plain(instance.calls),
        Cell::plain(instance.in_flight),
        Cell::plain(duration(instance.uptime_seconds)),
    ]
}

/// Seconds in the two largest units that say something.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{minutes:02}m"),
        (days, hours, _) => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units() {
        let told = [0, 59, 60, 3599, 3600, 86_399, 86_400, 1_000_000].map(duration);
        assert_eq!(told, ["0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d00h", "11d13h"]);
    }
}

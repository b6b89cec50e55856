//! `hostler logs`: what a server wrote to its standard error, and what it writes on.

use admin::LogLine;
use anyhow::{Result, bail};
use serde::Deserialize;

use crate::{
    api,
    cli::Logs,
    clock::{Offset, rfc3339},
    exit::Exit,
    reach::{Gateway, segment},
    term::{Paint, Term},
};

#[derive(Deserialize)]
struct Lines {
    lines: Vec<LogLine>,
}

/// Shows the last lines, and with `--follow` all that come after them.
pub async fn run(args: &Logs, gateway: &Gateway, term: Term) -> Result<Exit> {
    let path = format!("/api/v1/servers/{}/logs?tail={}", segment(&args.server)?, args.tail);
    if !args.follow {
        let Lines { lines } = api::read(gateway, &path).await?;
        if lines.is_empty() && !term.json {
            term.note(&format!("`{}` has written nothing to its standard error.", args.server));
        }
        lines.iter().try_for_each(|line| show(line, term))?;
        return Ok(Exit::Ok);
    }
    let mut events = api::follow(gateway, &format!("{path}&follow=true")).await?;
    while let Some(event) = events.next().await? {
        show(&serde_json::from_slice(&event.data)?, term)?;
    }
    bail!("the gateway ended the stream: it is stopping, or `{}` was removed", args.server)
}

fn show(line: &LogLine, term: Term) -> Result<()> {
    if term.json {
        return Ok(term.json_line(line)?);
    }
    let time = rfc3339(i64::try_from(line.unix_ms).unwrap_or(i64::MAX), Offset::UTC);
    Ok(term.line(&format!("{} {}", term.paint(Paint::Dim, &time), term.tame(&line.text)))?)
}

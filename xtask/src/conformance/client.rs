//! The suite's client side: an official client at the suite's own servers, direct and with the gateway between them.
//!
//! Never compares remarks, how often a check stands there, or what went well beyond the direct run: the gateway asks a
//! server for more than its client does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::report::Report;
use super::rows::{Difference, Rows};
use super::stage::Stage;
use super::suite::Runner;
use super::{AGAIN, Programs, Wish};
use crate::shell;

/// The name of this way, beside those of [`super::stage::Place`].
pub const WAY: &str = "client";
/// The subcommand that the suite starts as its client.
pub const COMMAND: &str = "conformance-client";
/// The release of the suite whose client side is played.
const PACKAGE: &str = "conformance-0.2";
const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";
/// What is played, and at which revision.
const SCENARIOS: [(&str, &str); 11] = [
    ("initialize", LEGACY),
    ("tools_call", LEGACY),
    ("elicitation-sep1034-client-defaults", LEGACY),
    ("sse-retry", LEGACY),
    ("tools_call", MODERN),
    ("request-metadata", MODERN),
    ("sep-2322-client-request-state", MODERN),
    ("http-standard-headers", MODERN),
    ("http-custom-headers", MODERN),
    ("http-invalid-tool-headers", MODERN),
    ("json-schema-ref-no-deref", MODERN),
];

/// How long a client may play; then it is ended, and its gateway with it.
const PLAY: Duration = Duration::from_secs(60);
/// When the suite gives a client up: later, for what it ends leaves its gateway behind. Milliseconds.
const GIVEN_UP: &str = "100000";
/// How long the suite may take for one scenario.
const LIMIT: Duration = Duration::from_secs(120);

// What the suite hands on to the client that it starts.
const XTASK: &str = "HOSTLER_CONFORMANCE_XTASK";
const NODE: &str = "HOSTLER_CONFORMANCE_NODE";
const DRIVERS: &str = "HOSTLER_CONFORMANCE_DRIVERS";
const FOLDER: &str = "HOSTLER_CONFORMANCE_FOLDER";
/// The gateway's program; not set where the client is direct.
const GATEWAY: &str = "HOSTLER_CONFORMANCE_GATEWAY";

/// The clients of a run, and what they need.
pub struct Clients<'a> {
    pub runner: &'a Runner,
    pub programs: &'a Programs,
    pub folder: PathBuf,
    pub drivers: PathBuf,
}

impl Clients<'_> {
    /// Plays the wanted scenarios both ways. One that differs is played again, [`AGAIN`] times at most.
    pub fn compare(&self, wish: &Wish, report: &mut Report) -> Result<()> {
        for (scenario, revision) in SCENARIOS {
            if wish.scenario.as_deref().is_some_and(|wanted| wanted != scenario) {
                continue;
            }
            let mut rows = 0;
            let mut differences: Vec<Difference> = Vec::new();
            let mut first = 0;
            for attempt in 0..=AGAIN {
                let direct = self.play(scenario, revision, None, attempt)?;
                let through = self.play(scenario, revision, Some(&self.programs.gateway), attempt)?;
                differences = direct.differences(&through);
                differences.retain(|one| !is_more(one));
                if attempt == 0 {
                    (rows, first) = (direct.count(), differences.len());
                    println!("{WAY} {scenario} {revision}: {}; {first} checks differ", through.summary());
                }
                if differences.is_empty() {
                    break;
                }
            }
            let settled = first.saturating_sub(differences.len());
            report.add(WAY, revision, rows, settled, differences);
        }
        Ok(())
    }

    /// One scenario, played once.
    fn play(&self, scenario: &str, revision: &str, gateway: Option<&Path>, attempt: usize) -> Result<Rows> {
        let way = if gateway.is_some() { "through" } else { "direct" };
        let folder = self.folder.join(WAY).join(format!("{scenario}-{revision}-{way}-{attempt}"));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let log = File::create(folder.join("suite.log"))?;
        let mut command = self.runner.suite(PACKAGE);
        command.args(["client", "--scenario", scenario, "--spec-version", revision, "--timeout", GIVEN_UP]);
        // The suite cuts this at blanks and hands it to a shell.
        command.args(["--command", &format!("\"${XTASK}\" {COMMAND}"), "--output-dir"]).arg(&folder);
        command.current_dir(&folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.env(XTASK, &self.programs.xtask).env(NODE, self.runner.node()).env(DRIVERS, &self.drivers);
        command.env("HOSTLER_E2E_NODE", self.runner.home()).env(FOLDER, &folder);
        match gateway {
            Some(gateway) => command.env(GATEWAY, gateway),
            None => command.env_remove(GATEWAY),
        };
        if shell::within(&mut command, LIMIT)?.is_none() {
            println!("{WAY} {scenario}: ended after {} s", LIMIT.as_secs());
        }
        Ok(Rows::read(&folder).with_context(|| format!("{way} {scenario}"))?.judged_once())
    }
}

/// A check that only the gateway's own requests gave rise to, and that found nothing wrong.
fn is_more(one: &Difference) -> bool {
    one.direct.is_empty() && one.through.iter().all(|status| status == "SUCCESS")
}

/// What the suite starts: the client at its server's URL, or at a gateway before that.
pub fn play(url: &str) -> Result<ExitCode> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).with_context(|| format!("{name} is not set"));
    let (node, drivers, folder) = (variable(NODE)?, variable(DRIVERS)?, variable(FOLDER)?);
    let stage = variable(GATEWAY).ok().map(|gateway| Stage::before(&gateway, url, &folder)).transpose()?;
    let mut command = Command::new(node);
    command.arg("--import").arg(drivers.join("modules.mjs")).arg(drivers.join("conformance.mjs"));
    command.arg(stage.as_ref().map_or(url, |stage| &stage.url));
    match shell::within(&mut command, PLAY)? {
        Some(status) if status.success() => Ok(ExitCode::SUCCESS),
        Some(status) => bail!("the client ended with {status}"),
        None => bail!("the client had not finished after {} s", PLAY.as_secs()),
    }
}

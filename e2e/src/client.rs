//! The official clients: each run is one driver process that plays one scenario and prints what it saw.
//!
//! Never judges what was seen; see [`crate::claims`].

use std::{fmt, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{Server, installed, mark::Mark, mark::VARIABLE};

/// A driver that has not finished by then is ended.
const PATIENCE: Duration = Duration::from_secs(90);

/// An official client, and which eras it is told to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// TypeScript SDK 1.x: legacy.
    Ts1,
    /// TypeScript client 2.x as it comes: legacy.
    Ts2Legacy,
    /// TypeScript client 2.x that probes and falls back.
    Ts2Auto,
    /// TypeScript client 2.x pinned to 2026-07-28: probes, never falls back.
    Ts2Modern,
    /// Python SDK 2.x told to shake hands.
    PythonLegacy,
    /// Python SDK 2.x as it comes: probes and falls back.
    PythonAuto,
    /// Python SDK 2.x pinned to 2026-07-28: does not even probe.
    PythonModern,
}

impl Client {
    /// One of each client, told to shake hands.
    pub const FOR_LEGACY: [Self; 3] = [Self::Ts1, Self::Ts2Legacy, Self::PythonLegacy];
    /// One of each client that speaks modern to an endpoint which offers both eras: the pinned one and the one that probes.
    pub const FOR_MODERN: [Self; 2] = [Self::Ts2Modern, Self::PythonAuto];
    /// The other two, which differ from those at the handshake only.
    pub const FOR_MODERN_TOO: [Self; 2] = [Self::Ts2Auto, Self::PythonModern];
    /// One of each client that speaks legacy wherever it is.
    pub const ALWAYS_LEGACY: [Self; 2] = [Self::Ts1, Self::PythonLegacy];

    fn mode(self) -> &'static str {
        match self {
            Self::Ts1 | Self::Ts2Legacy | Self::PythonLegacy => "legacy",
            Self::Ts2Auto | Self::PythonAuto => "auto",
            Self::Ts2Modern | Self::PythonModern => "modern",
        }
    }

    /// Whether it is written in Python.
    #[must_use]
    pub fn is_python(self) -> bool {
        matches!(self, Self::PythonLegacy | Self::PythonAuto | Self::PythonModern)
    }

    fn driver(self) -> Command {
        if self.is_python() {
            let mut command = Command::new(installed::python());
            command.arg(installed::ours("drivers/python.py"));
            return command;
        }
        let script = if self == Self::Ts1 { "drivers/ts1.mjs" } else { "drivers/ts2.mjs" };
        let mut command = Command::new(installed::node());
        command.arg("--import").arg(installed::ours("drivers/modules.mjs")).arg(installed::ours(script));
        command.env("HOSTLER_E2E_NODE", installed::node_home());
        command
    }

    /// Plays a scenario to its end.
    ///
    /// # Panics
    /// When the driver itself fails: that is a fault of the tests, not of what they test.
    pub async fn run(self, place: &Place, scenario: &str, params: Value) -> Seen {
        self.start(place, scenario, params).finish().await
    }

    /// Starts a scenario that says when it is ready, so that the test can act meanwhile.
    ///
    /// # Panics
    /// When the driver cannot be started.
    #[must_use]
    pub fn start(self, place: &Place, scenario: &str, params: Value) -> Playing {
        let mut argument = place.argument.clone();
        argument["mode"] = self.mode().into();
        argument["scenario"] = scenario.into();
        argument["params"] = params;
        let mut command = self.driver();
        command.arg(argument.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("a driver starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let stdin = child.stdin.take();
        Playing { what: format!("{self:?} plays {scenario} at {place}"), child, lines, stdin }
    }
}

/// Where a client finds a server, and under which names that server's things appear there.
#[derive(Debug, Clone)]
pub struct Place {
    argument: Value,
}

impl Place {
    /// A Streamable HTTP endpoint.
    #[must_use]
    pub fn http(url: &str) -> Self {
        Self { argument: json!({ "transport": "http", "url": url }) }
    }

    /// An HTTP+SSE endpoint.
    #[must_use]
    pub fn sse(url: &str) -> Self {
        Self { argument: json!({ "transport": "sse", "url": url }) }
    }

    /// A WebSocket endpoint; `url` begins with `ws://`.
    #[must_use]
    pub fn ws(url: &str) -> Self {
        Self { argument: json!({ "transport": "ws", "url": url }) }
    }

    /// A program that the client starts; it bears `mark`.
    #[must_use]
    pub fn stdio(server: &Server, mark: &Mark) -> Self {
        let mut env = server.environment().clone();
        env.insert(VARIABLE.into(), mark.value().into());
        Self { argument: json!({ "transport": "stdio", "command": server.command(), "env": env }) }
    }

    /// The same place, where the things of `server` bear its name: federated.
    #[must_use]
    pub fn of(&self, server: &str) -> Self {
        let mut argument = self.argument.clone();
        argument["prefix"] = format!("{server}__").into();
        argument["uriPrefix"] = format!("{}+", server.replace('_', ".")).into();
        Self { argument }
    }

    /// The name under which a tool or prompt appears here.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.argument["prefix"].as_str().unwrap_or_default())
    }

    /// The URI under which a resource appears here.
    #[must_use]
    pub fn uri(&self, uri: &str) -> String {
        format!("{}{uri}", self.argument["uriPrefix"].as_str().unwrap_or_default())
    }

    /// Which transport it is.
    #[must_use]
    pub fn transport(&self) -> &str {
        self.argument["transport"].as_str().unwrap_or_default()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.argument.get("url").unwrap_or(&self.argument["command"]);
        write!(f, "{} {at}", self.transport())
    }
}

/// A driver at work.
#[derive(Debug)]
pub struct Playing {
    what: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: Option<ChildStdin>,
}

impl Playing {
    /// Waits until the scenario says that it is ready, and returns what it says.
    ///
    /// # Panics
    /// When it ends first, or takes too long.
    pub async fn ready(&mut self) -> Value {
        let line = self.line().await;
        if line["ready"] != Value::Bool(true) {
            panic!("{} was never ready: {line:#}", self.what);
        }
        line
    }

    /// Lets a scenario that holds go on.
    ///
    /// # Panics
    /// When it is gone.
    pub async fn go_on(&mut self) {
        self.stdin.as_mut().expect("still open").write_all(b"go on\n").await.expect("the driver listens");
    }

    /// Waits for the end and returns what was seen.
    ///
    /// # Panics
    /// When the driver fails or takes too long.
    pub async fn finish(mut self) -> Seen {
        let told = self.line().await;
        Seen { what: self.what, told }
    }

    async fn line(&mut self) -> Value {
        match timeout(PATIENCE, self.lines.next_line()).await {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}: {line}", self.what)),
            Ok(_) => {
                let mut complaint = String::new();
                if let Some(stderr) = self.child.stderr.as_mut() {
                    let _ = timeout(PATIENCE, stderr.read_to_string(&mut complaint)).await;
                }
                panic!("{}: the driver ended without a word:\n{complaint}", self.what)
            }
            Err(_) => panic!("{}: the driver did not finish within {PATIENCE:?}", self.what),
        }
    }
}

/// What a driver saw.
#[derive(Debug, Clone)]
pub struct Seen {
    what: String,
    told: Value,
}

impl Seen {
    /// What the scenario reports.
    ///
    /// # Panics
    /// When it could not be played to its end.
    #[must_use]
    pub fn observed(&self) -> &Value {
        assert!(self.told["ok"] == Value::Bool(true), "{}: {:#}", self.what, self.told["error"]);
        &self.told["observed"]
    }

    /// Why the scenario could not be played to its end, if it could not: `{type, code, message, data, status}`.
    #[must_use]
    pub fn error(&self) -> Option<&Value> {
        Some(&self.told["error"]).filter(|error| !error.is_null())
    }

    /// What the client complained of beside its results.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let all = self.told["errors"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The HTTP exchanges: `{verb, path, rpc, sent, status, got}`.
    #[must_use]
    pub fn http(&self) -> &[Value] {
        self.told["http"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Who saw what where, for the messages of failed tests.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

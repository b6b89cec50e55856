//! What the API shows, and the seam through which it is read.
//!
//! Never holds a secret: targets come without arguments, queries and values; log lines are the servers' own words.

use std::{collections::BTreeMap, pin::Pin};

use serde::{Deserialize, Serialize};

/// Lines that are still to be written.
pub type LogLines = Pin<Box<dyn Future<Output = Vec<LogLine>> + Send>>;

/// Where the API reads from. Every method answers at once, from memory.
pub trait View: Send + Sync + 'static {
    /// All servers, sorted by name.
    fn servers(&self) -> Vec<ServerStatus>;

    /// One server; nothing if there is none of this name.
    fn server(&self, name: &str) -> Option<ServerStatus> {
        self.servers().into_iter().find(|server| server.name == name)
    }

    /// The last lines, at most `tail`, that a server wrote to its standard error, oldest first.
    fn logs(&self, name: &str, tail: usize) -> Option<Vec<LogLine>>;

    /// The lines after the one with the number `after`, oldest first: resolves when there are any. May be dropped.
    fn logs_after(&self, name: &str, after: u64) -> Option<LogLines>;

    /// All metrics, in the OpenMetrics text format.
    fn metrics(&self) -> String;

    /// Whether new clients are welcome.
    fn ready(&self) -> Ready;
}

/// Whether new clients are welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// They are.
    pub ready: bool,
    /// Why not, or what is still to come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// A server's state in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being started, or about to be.
    Starting,
    /// At least one instance is open.
    Ready,
    /// Failed, and given time before it is started again.
    Failed,
    /// Being stopped, or stopped.
    Stopped,
    /// A state that this version does not know.
    #[serde(other)]
    Unknown,
}

impl State {
    /// The state as a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }

    /// How many servers are in which state, by the state's word.
    #[must_use]
    pub fn count(servers: &[ServerStatus]) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for server in servers {
            *counts.entry(server.state.word()).or_default() += 1;
        }
        counts
    }
}

/// What can be told of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its name.
    pub name: String,
    /// `process`, `http`, `sse` or `builtin`.
    pub kind: String,
    /// The program or URL, without arguments, values and queries that may be secret.
    pub target: String,
    /// Its state.
    pub state: State,
    /// The eras that it is known to speak: `modern`, `legacy`.
    #[serde(default)]
    pub eras: Vec<String>,
    /// How often its kept instance had to be started again.
    #[serde(default)]
    pub restarts: u64,
    /// Why it last failed, while that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Its open instances.
    #[serde(default)]
    pub instances: Vec<InstanceStatus>,
    /// Tools known.
    #[serde(default)]
    pub tools: usize,
    /// Prompts known.
    #[serde(default)]
    pub prompts: usize,
    /// Resources known.
    #[serde(default)]
    pub resources: usize,
    /// Resource templates known.
    #[serde(default)]
    pub templates: usize,
}

/// One open instance of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Identifies it while Hostler runs.
    pub id: u64,
    /// The process, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The era it speaks: `modern` or `legacy`.
    pub era: String,
    /// The revision settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who shares it: `modern` (all modern callers), `profile` (legacy sessions with equal capabilities) or `session`.
    pub share: String,
    /// Since its start, in whole seconds.
    pub uptime_seconds: u64,
    /// Calls made over it.
    pub calls: u64,
    /// Calls in flight.
    pub in_flight: usize,
}

/// One line that a server wrote to its standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its number, counted from 1 over all instances of the server; a gap shows that lines were pushed out.
    pub number: u64,
    /// When it arrived, in milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
    /// Its text, without the line's end. Escape codes for terminals may be in it.
    pub text: String,
}

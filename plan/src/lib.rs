//! The validated, immutable picture of what Hostler serves: both planes read it, neither changes it.
//!
//! Never reads a file, never holds what the configuration left unchecked.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use ground::ServerName;
use upstream::spec::Spec;

pub mod pattern;

pub use pattern::Pattern;

/// Everything that one generation of the configuration decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where clients connect.
    pub listen: Listen,
    /// Who may connect.
    pub guards: Guards,
    /// What other nodes share with this one. A change needs a restart of Hostler.
    pub cluster: Cluster,
    /// Bounds on clients.
    pub limits: Limits,
    /// The servers, sorted by name.
    pub servers: Vec<Arc<Spec>>,
    /// The federated selections: `/mcp` first, then one for each virtual server.
    pub views: Vec<Arc<View>>,
    /// How calls are logged.
    pub log: Log,
    /// Where remembered catalogs and the like lie.
    pub state_dir: PathBuf,
}

impl Plan {
    /// Files that may be open at once when clients and servers use all that they may, on so many cores.
    #[must_use]
    pub fn files(&self, cores: usize) -> u64 {
        let lanes = self.listen.threads.unwrap_or(cores).max(1) as u64;
        // Three streams and a socket for each process, connections to each server on HTTP, and a margin.
        lanes * self.limits.connections as u64 + self.servers.len() as u64 * 16 + 64
    }
}

/// Where clients connect. A change of these needs a restart of Hostler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address of the gateway.
    pub address: SocketAddr,
    /// Data-plane threads; one for each core when absent.
    pub threads: Option<usize>,
}

/// What nodes that serve the same clients must know of each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// The key that all nodes share; each makes its own when absent.
    pub key: Option<Secret>,
    /// The URL at which other nodes reach this one, without a slash at its end.
    pub advertise: Option<String>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Checks made before a request is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// Host names (without port) that requests may be addressed to; loopback names and the listening address always are.
    pub hosts: Vec<String>,
    /// Origins (scheme, host, port) that browsers' requests may come from; loopback origins always may.
    pub origins: Vec<String>,
    /// Any host is accepted: said in so many words by the configuration when listening beyond loopback.
    pub any_host: bool,
}

/// Bounds on what clients may send and hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body, in bytes.
    pub body: usize,
    /// Request bodies over 1 MiB that are held at once, all clients together, in bytes. At least `body`.
    pub held: usize,
    /// Deepest nesting of a JSON body.
    pub depth: usize,
    /// All header fields of a request together, in bytes.
    pub headers: usize,
    /// Connections on one data-plane thread.
    pub connections: usize,
    /// Client sessions.
    pub sessions: usize,
    /// A session that nobody used for this long is ended.
    pub session_idle: Duration,
    /// Calls in flight in one session.
    pub session_calls: usize,
    /// Calls of modern clients at legacy servers that wait for their callers' input, a quarter of them for one caller.
    pub suspended: usize,
    /// How long each of them waits.
    pub suspend: Duration,
    /// Messages in one batch (revision 2025-03-26).
    pub batch: usize,
    /// Entries on a page of a list.
    pub page: usize,
    /// From a connection's opening, or the end of its last answer, until a request's headers are in.
    pub header_timeout: Duration,
    /// From the end of the headers until the body is in.
    pub body_timeout: Duration,
    /// Bodies at least this large are compressed when the client accepts it, in bytes.
    pub compress: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 << 20,
            held: 512 << 20,
            depth: 128,
            headers: 64 << 10,
            connections: 16_384,
            sessions: 100_000,
            session_idle: Duration::from_secs(24 * 3600),
            session_calls: 256,
            suspended: 1000,
            suspend: Duration::from_secs(600),
            batch: 100,
            page: 500,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            compress: 1024,
        }
    }
}

/// A selection of what servers offer, served at one path under one set of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Empty for `/mcp`, else the name in `/v/{name}/mcp`.
    pub name: String,
    /// Names are exposed as `<server>__<name>` and URIs as `<server>+<uri>`; off, they stay as they are.
    pub prefix: bool,
    /// Told to clients at the handshake.
    pub instructions: Option<String>,
    /// What is taken from which server, in the order of the configuration.
    pub selections: Vec<Selection>,
}

/// What a view takes from one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The server.
    pub server: ServerName,
    /// Which of its tools.
    pub tools: Filter,
    /// Which of its prompts.
    pub prompts: Filter,
    /// Which of its resources and resource templates, by URI.
    pub resources: Filter,
    /// New names and descriptions for tools, by the server's own name of the tool.
    pub overrides: BTreeMap<String, Override>,
}

impl Selection {
    /// All that a server offers, unchanged.
    #[must_use]
    pub fn all_of(server: ServerName) -> Self {
        Self {
            server,
            tools: Filter::default(),
            prompts: Filter::default(),
            resources: Filter::default(),
            overrides: BTreeMap::new(),
        }
    }
}

/// A tool's new face.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// The exposed name, used as it is.
    pub name: Option<String>,
    /// The exposed description.
    pub description: Option<String>,
}

/// Names that are let through: those that match `allow` (all, when empty) and do not match `deny`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Patterns of which one must match, unless there are none.
    pub allow: Vec<Pattern>,
    /// Patterns of which none may match.
    pub deny: Vec<Pattern>,
}

impl Filter {
    /// Whether the filter lets a name through.
    #[must_use]
    pub fn lets(&self, name: &str) -> bool {
        (self.allow.is_empty() || self.allow.iter().any(|p| p.matches(name)))
            && !self.deny.iter().any(|p| p.matches(name))
    }
}

/// How calls are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter, such as `info` or `info,upstream=debug`.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
}

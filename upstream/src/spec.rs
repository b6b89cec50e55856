//! What a server is, as the control plane decided it: validated, immutable, compared to know what changed.
//!
//! Never read from a file here: `manager` makes these from the configuration.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use ground::ServerName;
use tokio::io::DuplexStream;

/// One server of the fleet. Two equal specs need no restart between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name, unique in the fleet.
    pub name: ServerName,
    /// How it is reached.
    pub origin: Origin,
    /// Who shares an instance.
    pub isolation: Isolation,
    /// Bounds on what it may take and hold.
    pub bounds: Bounds,
}

/// Where a server comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A child process that speaks MCP on its standard streams.
    Process(ProcessSpec),
    /// A server reached over HTTP.
    Remote(RemoteSpec),
    /// A server inside this program, speaking the stdio framing over an in-memory stream.
    Builtin(Builtin),
}

/// How to start a process.
#[derive(Clone, PartialEq, Eq)]
pub struct ProcessSpec {
    /// The program, as a path or a name looked up in `PATH`.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set for it, on top of the inherited ones that `inherit` names. Values may be secrets.
    pub env: BTreeMap<String, String>,
    /// Its working directory; Hostler's own when absent.
    pub cwd: Option<PathBuf>,
}

impl fmt::Debug for ProcessSpec {
    /// Environment values may be secrets, so only their names are shown; arguments may hold one, so they are veiled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.keys().collect();
        f.debug_struct("ProcessSpec")
            .field("command", &self.command)
            .field("args", &veiled(&self.args))
            .field("env", &names)
            .field("cwd", &self.cwd)
            .finish()
    }
}

/// How to reach a server over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteSpec {
    /// The URL of its MCP endpoint (or of its SSE endpoint for the deprecated transport).
    pub url: http::Uri,
    /// Headers added to each request. Values may be secrets.
    pub headers: BTreeMap<String, String>,
    /// Which transport it speaks.
    pub transport: RemoteTransport,
}

impl fmt::Debug for RemoteSpec {
    /// Header values may be secrets, so only their names are shown; the URL's query may be one, so it is veiled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        let whole = self.url.to_string();
        let url = whole.split('?').next().unwrap_or_default();
        f.debug_struct("RemoteSpec")
            .field("url", &url)
            .field("query", &self.url.query().map(veiled))
            .field("headers", &names)
            .field("transport", &self.transport)
            .finish()
    }
}

/// Stands for what may be a secret: the same for the same value, and of no use to whoever reads it.
fn veiled(value: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    format!("#{:016x}", hasher.finish())
}

/// The HTTP transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoteTransport {
    /// Streamable HTTP first, then HTTP+SSE, as the specification's backward compatibility section says.
    #[default]
    Auto,
    /// Streamable HTTP only.
    Streamable,
    /// HTTP+SSE (revision 2024-11-05) only.
    Sse,
}

/// A server inside this program: a name and the function that starts a fresh copy of it.
#[derive(Clone)]
pub struct Builtin {
    /// The name by which the configuration calls it.
    pub name: &'static str,
    /// Starts a copy and returns its end of the stream (newline-delimited JSON-RPC).
    pub start: Arc<dyn Fn() -> DuplexStream + Send + Sync>,
}

impl PartialEq for Builtin {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builtin({})", self.name)
    }
}

/// Who shares an instance of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// All sessions that declare the same capabilities share one instance.
    #[default]
    Shared,
    /// Every client session has an instance of its own.
    Session,
}

/// Bounds on what a server may take and hold. All finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// From the start of an instance until it has answered its handshake.
    pub start_timeout: Duration,
    /// Without an answer or progress, a call fails after this.
    pub call_timeout: Duration,
    /// However much progress it reports, a call fails after this.
    pub call_deadline: Duration,
    /// Between closing its stdin, SIGTERM and SIGKILL when it is stopped.
    pub stop_grace: Duration,
    /// Calls in flight on one instance.
    pub in_flight: usize,
    /// Instances of this server at once (processes, or sessions at a remote server).
    pub instances: usize,
    /// An instance that nobody used for this long is stopped, unless it is the only one.
    pub idle: Duration,
    /// Largest single message from the server, in bytes.
    pub message: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(120),
            call_deadline: Duration::from_secs(1800),
            stop_grace: Duration::from_secs(3),
            in_flight: 1024,
            instances: 64,
            idle: Duration::from_secs(600),
            message: 64 << 20,
        }
    }
}

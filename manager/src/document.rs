//! The configuration file as people write it: the one source of its JSON Schema, its defaults' documentation and its
//! bounds on single values.
//!
//! Never travels further than `build`, which turns it into a `Plan`. Has no `Debug`, because it holds secrets.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{Period, Size};

/// The configuration of Hostler.
#[derive(Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[schemars(title = "hostler.yaml")]
pub(crate) struct Document {
    /// Address and port of the gateway. Beyond loopback only with `http.allow_unauthenticated_remote`.
    #[schemars(extend("default" = "127.0.0.1:7400", "examples" = ["127.0.0.1:7400", "[::1]:7400"]))]
    pub listen: Option<String>,
    /// Threads of the data plane, 1 to 256. One for each core when absent.
    #[garde(range(min = 1, max = 256))]
    pub threads: Option<usize>,
    /// Folder for what Hostler remembers between runs. `$XDG_STATE_HOME/hostler` when absent.
    #[schemars(extend("default" = "~/.local/state/hostler"))]
    pub state_dir: Option<String>,
    /// How Hostler logs.
    pub log: Option<Log>,
    /// Which requests the gateway accepts.
    pub http: Option<Http>,
    /// What nodes that serve the same clients must know of each other.
    #[garde(dive)]
    pub cluster: Option<Cluster>,
    /// Bounds on what clients may send and hold.
    #[garde(dive)]
    pub limits: Option<Limits>,
    /// Settings that apply to every server that does not set them itself.
    #[garde(dive)]
    pub defaults: Option<Tuning>,
    /// The servers, by name. A name begins with a letter and has letters, digits, `-` and `_`, at most 48.
    pub servers: Option<BTreeMap<String, Server>>,
    /// The spelling of `servers` that clients' files use, understood so that blocks can be copied from them.
    #[serde(rename = "mcpServers")]
    pub mcp_servers: Option<BTreeMap<String, Server>>,
    /// What `/mcp` offers. All enabled servers with prefixed names when absent.
    pub federated: Option<View>,
    /// Virtual servers, by name, each served at `/v/<name>/mcp`.
    #[serde(rename = "virtual")]
    pub virtual_servers: Option<BTreeMap<String, View>>,
}

/// How Hostler logs.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or a filter such as `info,upstream=debug`.
    #[schemars(extend("default" = "info", "examples" = ["info", "info,upstream=debug"]))]
    pub level: Option<String>,
    /// Text for people or JSON lines for machines.
    #[schemars(extend("default" = "text"))]
    pub format: Option<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Text,
    Json,
}

/// Which requests the gateway accepts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    /// Host names without port that requests may be addressed to, besides loopback names and the listening address.
    #[schemars(extend("default" = [], "examples" = [["gateway.example.com"]]))]
    pub hosts: Option<Vec<String>>,
    /// Origins that browsers' requests may come from, besides loopback ones.
    #[schemars(extend("default" = [], "examples" = [["https://app.example.com"]]))]
    pub origins: Option<Vec<String>>,
    /// Listen beyond loopback although anybody who can reach the port may then use every server. Without `hosts`, any
    /// host name is then accepted.
    #[schemars(extend("default" = false))]
    pub allow_unauthenticated_remote: Option<bool>,
}

/// What nodes that serve the same clients must know of each other.
#[derive(Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// Secret of at least 32 characters, the same on all nodes. One is made and kept in the state folder when absent.
    #[garde(length(min = 32, max = 4096))]
    #[schemars(extend("writeOnly" = true))]
    pub key: Option<String>,
    /// URL at which the other nodes reach this one.
    #[garde(skip)]
    #[schemars(extend("examples" = ["http://10.0.0.5:7400"]))]
    pub advertise: Option<String>,
}

/// Bounds on what clients may send and hold.
#[derive(Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Largest request body, 1KiB to 1GiB.
    #[garde(custom(size("1KiB", "1GiB")))]
    #[schemars(extend("default" = "64MiB"))]
    pub body: Option<Size>,
    /// Request bodies over 1MiB that are held at once, all clients together, 1MiB to 1024GiB. Not smaller than `body`.
    #[garde(custom(size("1MiB", "1024GiB")))]
    #[schemars(extend("default" = "512MiB"))]
    pub held: Option<Size>,
    /// Deepest nesting of a JSON body, 8 to 1024.
    #[garde(range(min = 8, max = 1024))]
    #[schemars(extend("default" = 128))]
    pub depth: Option<usize>,
    /// All header fields of a request together, 8KiB to 1MiB.
    #[garde(custom(size("8KiB", "1MiB")))]
    #[schemars(extend("default" = "64KiB"))]
    pub headers: Option<Size>,
    /// Connections on one data-plane thread, 1 to 1000000.
    #[garde(range(min = 1, max = 1_000_000))]
    #[schemars(extend("default" = 16384))]
    pub connections: Option<usize>,
    /// Client sessions, 1 to 10000000.
    #[garde(range(min = 1, max = 10_000_000))]
    #[schemars(extend("default" = 100_000))]
    pub sessions: Option<usize>,
    /// A session that nobody used for this long is ended, 10s to 365d.
    #[garde(custom(period("10s", "365d")))]
    #[schemars(extend("default" = "24h"))]
    pub session_idle: Option<Period>,
    /// Calls in flight in one session, 1 to 65536.
    #[garde(range(min = 1, max = 65_536))]
    #[schemars(extend("default" = 256))]
    pub session_calls: Option<usize>,
    /// Calls of modern clients at legacy servers that wait for their callers' input, a quarter of them for one caller, 1 to 1000000.
    #[garde(range(min = 1, max = 1_000_000))]
    #[schemars(extend("default" = 1000))]
    pub suspended: Option<usize>,
    /// How long each of them waits before it is cancelled, 1s to 24h.
    #[garde(custom(period("1s", "24h")))]
    #[schemars(extend("default" = "10m"))]
    pub suspend: Option<Period>,
    /// Messages in one batch, 1 to 10000.
    #[garde(range(min = 1, max = 10_000))]
    #[schemars(extend("default" = 100))]
    pub batch: Option<usize>,
    /// Entries on a page of a list, 1 to 100000.
    #[garde(range(min = 1, max = 100_000))]
    #[schemars(extend("default" = 500))]
    pub page: Option<usize>,
    /// Until a request's headers are in, 100ms to 1h.
    #[garde(custom(period("100ms", "1h")))]
    #[schemars(extend("default" = "30s"))]
    pub header_timeout: Option<Period>,
    /// From the end of the headers until the body is in, 100ms to 1h.
    #[garde(custom(period("100ms", "1h")))]
    #[schemars(extend("default" = "30s"))]
    pub body_timeout: Option<Period>,
    /// Bodies at least this large are compressed for clients that accept it, 0 to 1GiB.
    #[garde(custom(size("0", "1GiB")))]
    #[schemars(extend("default" = "1KiB"))]
    pub compress: Option<Size>,
}

/// Settings of a server that `defaults` may give for all.
#[derive(Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tuning {
    /// Who shares an instance: all sessions with the same capabilities, or nobody.
    #[garde(skip)]
    #[schemars(extend("default" = "shared"))]
    pub isolation: Option<Isolation>,
    /// From the start of an instance until it has answered its handshake, 100ms to 1h.
    #[garde(custom(period("100ms", "1h")))]
    #[schemars(extend("default" = "60s"))]
    pub start_timeout: Option<Period>,
    /// Without an answer or progress, a call fails after this, 100ms to 24h.
    #[garde(custom(period("100ms", "24h")))]
    #[schemars(extend("default" = "120s"))]
    pub call_timeout: Option<Period>,
    /// However much progress it reports, a call fails after this, 100ms to 7d. Not shorter than `call_timeout`.
    #[garde(custom(period("100ms", "7d")))]
    #[schemars(extend("default" = "30m"))]
    pub call_deadline: Option<Period>,
    /// Between closing its stdin, SIGTERM and SIGKILL when it is stopped, 0s to 5m.
    #[garde(custom(period("0s", "5m")))]
    #[schemars(extend("default" = "3s"))]
    pub stop_grace: Option<Period>,
    /// Calls in flight on one instance, 1 to 65536.
    #[garde(range(min = 1, max = 65_536))]
    #[schemars(extend("default" = 1024))]
    pub in_flight: Option<usize>,
    /// Instances of the server at once, 1 to 4096. Beyond it the longest idle gives way.
    #[garde(range(min = 1, max = 4096))]
    #[schemars(extend("default" = 64))]
    pub instances: Option<usize>,
    /// An instance that nobody used for this long is stopped, unless it is the only one, 1s to 30d.
    #[garde(custom(period("1s", "30d")))]
    #[schemars(extend("default" = "10m"))]
    pub idle: Option<Period>,
    /// Largest single message from the server, 64KiB to 1GiB.
    #[garde(custom(size("64KiB", "1GiB")))]
    #[schemars(extend("default" = "64MiB"))]
    pub message: Option<Size>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Isolation {
    Shared,
    Session,
}

/// One server: exactly one of `command`, `url` and `builtin` says where it comes from.
#[derive(Default, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(extend("additionalProperties" = false))]
pub(crate) struct Server {
    /// The program to start: a path, or a name looked up in `PATH`. It speaks MCP on its standard streams.
    #[schemars(extend("examples" = ["npx", "uvx", "~/bin/server"]))]
    pub command: Option<String>,
    /// The program's arguments.
    #[schemars(extend("default" = []))]
    pub args: Option<Vec<String>>,
    /// Variables set for the program. Values are never shown or logged.
    #[schemars(extend("default" = {}, "writeOnly" = true))]
    pub env: Option<BTreeMap<String, String>>,
    /// The program's working directory; Hostler's own when absent. A relative one begins at this file.
    pub cwd: Option<String>,
    /// The URL of a server reached over HTTP.
    #[schemars(extend("examples" = ["https://example.com/mcp"]))]
    pub url: Option<String>,
    /// Headers added to each request to `url`. Values are never shown or logged.
    #[schemars(extend("default" = {}, "writeOnly" = true))]
    pub headers: Option<BTreeMap<String, String>>,
    /// The transport of `url`: Streamable HTTP, HTTP+SSE, or whichever of them answers.
    #[schemars(extend("default" = "auto"))]
    pub transport: Option<Transport>,
    /// The clients' spelling of `transport`.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// A server inside Hostler, by its name.
    #[schemars(extend("examples" = ["demo"]))]
    pub builtin: Option<String>,
    /// Off, the server is checked but not served.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// What `defaults` may also say.
    #[serde(flatten)]
    #[garde(dive)]
    pub tuning: Tuning,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    Auto,
    Http,
    Sse,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    #[serde(rename = "stdio")]
    Stdio,
    #[serde(rename = "http")]
    Http,
    #[serde(rename = "streamable-http")]
    StreamableHttp,
    #[serde(rename = "sse")]
    Sse,
}

/// A selection of what servers offer, under one set of names.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    /// Names are exposed as `<server>__<name>` and URIs as `<server>+<uri>`. Off, they stay as they are.
    #[schemars(extend("default" = true))]
    pub prefix: Option<bool>,
    /// Told to clients when they connect.
    pub instructions: Option<String>,
    /// What is taken from which server. For `federated`, all enabled servers when absent.
    pub servers: Option<BTreeMap<String, Selection>>,
}

/// What is taken from one server: everything, unless filters say otherwise.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// Which tools, by the server's own names.
    pub tools: Option<Choice>,
    /// Which prompts, by the server's own names.
    pub prompts: Option<Choice>,
    /// Which resources and resource templates, by URI.
    pub resources: Option<Choice>,
    /// New names of tools, by the server's own names. A new name is exposed as it is, without prefix.
    #[schemars(extend("default" = {}))]
    pub rename: Option<BTreeMap<String, String>>,
    /// New descriptions of tools, by the server's own names.
    #[schemars(extend("default" = {}))]
    pub describe: Option<BTreeMap<String, String>>,
}

/// Patterns: `*` stands for any run of characters, `?` for one.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    /// One of these must match; everything does when there are none.
    #[schemars(extend("default" = [], "examples" = [["fetch*"]]))]
    pub allow: Option<Vec<String>>,
    /// None of these may match.
    #[schemars(extend("default" = [], "examples" = [["*_raw"]]))]
    pub deny: Option<Vec<String>>,
}

/// Refuses durations outside of bounds, which are written as in a file.
fn period(least: &str, most: &str) -> impl FnOnce(&Option<Period>, &()) -> garde::Result {
    within(Period::parse(least), Period::parse(most), format!("must be between {least} and {most}"))
}

/// Refuses sizes outside of bounds, which are written as in a file.
fn size(least: &str, most: &str) -> impl FnOnce(&Option<Size>, &()) -> garde::Result {
    within(Size::parse(least), Size::parse(most), format!("must be between {least} and {most}"))
}

/// Refuses values outside of bounds. A bound that is missing refuses everything, so that a test sees it.
fn within<T: PartialOrd>(
    least: Option<T>,
    most: Option<T>,
    message: String,
) -> impl FnOnce(&Option<T>, &()) -> garde::Result {
    move |value, ()| match value {
        Some(value) if !(least.is_some_and(|least| *value >= least) && most.is_some_and(|most| *value <= most)) => {
            Err(garde::Error::new(message))
        }
        _ => Ok(()),
    }
}

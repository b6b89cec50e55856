//! What the server is told to be and to do wrong.
//!
//! Only the command line, so that a test reads as it runs. Faults strike `tools/call` alone unless `--all-methods`.

use std::net::SocketAddr;

use testkit::protocol::Mode;

/// A fast MCP server over HTTP for tests and benchmarks. Prints `listening on <url>` when it is ready.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "httpd")]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Threads, each with a runtime and a listener of its own; 0 is one for each core.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Eras served.
    #[arg(long, value_enum, default_value = "dual")]
    pub mode: Mode,
    /// Streamable HTTP at `/mcp`, or HTTP+SSE of 2024-11-05 at `/sse`.
    #[arg(long, value_enum, default_value = "streamable")]
    pub transport: Transport,
    /// Answer requests as server-sent events even where JSON would do; legacy ones with ids and a priming event.
    #[arg(long)]
    pub sse: bool,
    /// Legacy, with `--sse`: close the connection after the priming event, so that the client must come back after so
    /// many milliseconds.
    #[arg(long, value_name = "MS")]
    pub poll_sse: Option<u64>,
    /// Legacy: serve without sessions.
    #[arg(long)]
    pub no_sessions: bool,
    /// Send bodies in chunks, without a length.
    #[arg(long)]
    pub chunked: bool,

    /// Name in `serverInfo`.
    #[arg(long, default_value = "httpd")]
    pub name: String,
    /// Cut every list into so many pages.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub list_pages: usize,
    /// Offer so many tools more.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub many_tools: usize,

    /// Faults strike every request, not only `tools/call`.
    #[arg(long)]
    pub all_methods: bool,
    /// Close the connection in place of every Nth answer.
    #[arg(long, value_name = "N")]
    pub drop_connection_every: Option<u64>,
    /// Forget a session after N requests: 404 from then on.
    #[arg(long, value_name = "N")]
    pub forget_sessions_after: Option<u64>,
    /// Answer with this status, without a body.
    #[arg(long, value_name = "CODE")]
    pub status: Option<u16>,
    /// `--status` strikes every Nth time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub every: u64,
    /// Wait so long before the answer's headers.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub slow_headers: u64,
    /// Send half of the body and then nothing, the connection staying open.
    #[arg(long)]
    pub stall_body: bool,
    /// Send half of the body and then break the connection.
    #[arg(long)]
    pub cut_body: bool,

    /// Keep the bytes of every request at `/mcp`: GET and DELETE `/recorded`, PUT and DELETE `/answer`.
    #[arg(long)]
    pub record: bool,
}

/// How clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// 2025-03-26 and later.
    Streamable,
    /// 2024-11-05.
    Sse,
}

impl Options {
    /// Whether a request is answered with plain JSON and nothing goes wrong on purpose: the way that is measured.
    pub fn plain(&self) -> bool {
        let faults = self.drop_connection_every.is_some() || self.status.is_some() || self.slow_headers > 0;
        let counted = self.forget_sessions_after.is_some();
        !(faults || counted || self.stall_body || self.cut_body || self.sse || self.chunked || self.record)
    }

    /// Where clients connect.
    pub fn path(&self) -> &'static str {
        match self.transport {
            Transport::Streamable => "/mcp",
            Transport::Sse => "/sse",
        }
    }
}

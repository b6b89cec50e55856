//! What the server is told to be and to do wrong.
//!
//! Only the command line: no environment, no file, so that a test reads as it runs.

use testkit::protocol::Mode;

/// A stdio MCP server that behaves as well or as badly as it is told to.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "faulty")]
pub struct Options {
    /// Eras served.
    #[arg(long, value_enum, default_value = "dual")]
    pub mode: Mode,
    /// Lock to the era of the first message and refuse the other one with -32022.
    #[arg(long)]
    pub lock_era: bool,
    /// Exit when the first request is one that a legacy server does not know.
    #[arg(long)]
    pub die_on_discover: bool,
    /// Never answer `server/discover`.
    #[arg(long)]
    pub hang_on_discover: bool,
    /// Never answer `initialize` nor `server/discover`.
    #[arg(long)]
    pub silent: bool,

    /// Cut every list into so many pages.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub list_pages: usize,
    /// Offer so many tools more.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub many_tools: usize,
    /// Name in `serverInfo`.
    #[arg(long, default_value = "faulty")]
    pub name: String,

    /// Wait so long before reading anything.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub slow_start: u64,
    /// Exit with code 1 at once, after a line on stderr.
    #[arg(long)]
    pub crash_at_start: bool,
    /// Exit with code 3 as soon as the answer to the Nth `tools/call` is out.
    #[arg(long, value_name = "N")]
    pub crash_after: Option<usize>,
    /// Start so many processes that outlive this one unless somebody ends them; every second one is forked twice into
    /// a session of its own. All of them hold stdout and stderr open, have `--of <pid of this one>` in their command
    /// line, and end by themselves after ten minutes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub fork_children: usize,
    /// Take no notice of SIGTERM nor of the end of stdin: only SIGKILL ends it (and the children it forked).
    #[arg(long)]
    pub ignore_sigterm: bool,
    /// Take no notice of the end of stdin.
    #[arg(long)]
    pub ignore_eof: bool,
    /// Never read stdin, so that its pipe fills up.
    #[arg(long)]
    pub never_read_stdin: bool,

    /// Write lines that are no messages before every answer, and one at the start.
    #[arg(long)]
    pub garbage_on_stdout: bool,
    /// Write every response twice.
    #[arg(long)]
    pub answer_twice: bool,
    /// Before every response, answer a request that was never made.
    #[arg(long)]
    pub unknown_id: bool,
    /// Answer with `"jsonrpc":"1.0"`.
    #[arg(long)]
    pub wrong_jsonrpc: bool,
    /// Answer the first `tools/call` with a line of so many bytes that never ends, and nothing after it.
    #[arg(long, value_name = "BYTES")]
    pub huge_line: Option<usize>,

    /// Refuse to let anybody hear of resources whose URI contains this.
    #[arg(long, value_name = "TEXT")]
    pub refuse_uris: Option<String>,
    /// Take so long for every `resources/subscribe`.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub slow_subscribe: u64,
    /// Ask the client for its roots upon every `resources/subscribe`, and remember the answer.
    #[arg(long)]
    pub ask_on_subscribe: bool,

    /// What a forked child is told: `sleep` or `detach`. Not for tests.
    #[arg(long, hide = true)]
    pub child: Option<String>,
    /// Whose child it is in the end. Not for tests to set, but to look for.
    #[arg(long, hide = true)]
    pub of: Option<u32>,
}

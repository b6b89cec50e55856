//! The command line: every command, option and help text. Never does what it describes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  hostler                              start the gateway, with a demo server when nothing is configured
  hostler import                       take over the servers that your clients have
  hostler tools                        list what the running gateway offers
  hostler call demo/echo text=hello    call a tool

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 gateway not reachable, 4 the tool answered an error.";

/// Many MCP servers behind one endpoint.
#[derive(Debug, Parser)]
#[command(name = "hostler", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// What all commands understand.
    #[command(flatten)]
    pub global: Global,
    /// What to do; `serve` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What all commands understand.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file; otherwise hostler.yaml here or in the user's configuration folder
    #[arg(long, short, global = true, value_name = "FILE", env = "HOSTLER_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Write output as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the gateway is; otherwise as configured, http://127.0.0.1:7400
    #[arg(long, global = true, env = "HOSTLER_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// When to use colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the gateway (the default)
    Serve(Serve),
    /// Bridge a client that can only start programs to the gateway
    Connect(Connect),
    /// Check the configuration
    Check(Check),
    /// Find out whether everything is here that the servers need
    Doctor,
    /// Write the JSON Schema of the configuration
    Schema,
    /// Take over the servers that MCP clients on this machine have
    Import(Import),
    /// Put the gateway into a client's configuration, or take it out again
    Export(Export),
    /// Show the servers of the running gateway
    Status(Status),
    /// List the tools that the gateway offers
    Tools(Tools),
    /// Call a tool
    Call(Call),
    /// Show what a server wrote to its standard error
    Logs(Logs),
    /// Write the completion script of a shell
    Completions(Completions),
}

/// `hostler serve`
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  hostler serve --config hostler.yaml
  hostler serve --listen 127.0.0.1:0     on any free port, which is printed")]
pub struct Serve {
    /// Address to listen on, instead of the configured one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<std::net::SocketAddr>,
}

/// `hostler connect`
#[derive(Debug, Args)]
#[command(after_help = "\
A client that starts its servers as programs is given `hostler connect` as the program:
  { \"mcpServers\": { \"hostler\": { \"command\": \"hostler\", \"args\": [\"connect\"] } } }

Standard input and output carry one JSON-RPC message a line; everything else goes to standard error. When the gateway
goes away it is waited for, and the session is opened anew.")]
pub struct Connect {
    /// Only this server, untouched
    #[arg(long, value_name = "NAME", conflicts_with = "view")]
    pub server: Option<String>,
    /// This virtual server
    #[arg(long, value_name = "NAME")]
    pub view: Option<String>,
}

/// `hostler check`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler check
  hostler check other.yaml --json

Ends with 0 when the file would be accepted, else with 2.")]
pub struct Check {
    /// The file to check, instead of the one that `serve` would use
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `hostler import`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler import --dry-run        show what would be taken over
  hostler import                  from all clients found on this machine
  hostler import --from cursor    from one of them
  hostler import .mcp.json        from this file

Servers are added to the configuration file, which is made if there is none; nothing in it is changed or removed, and
importing twice adds nothing. Files of clients are only read.")]
pub struct Import {
    /// Files to read, instead of those of the clients on this machine
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only from this client: claude-desktop, claude-code, cursor, vscode, windsurf
    #[arg(long, value_name = "CLIENT", conflicts_with = "files")]
    pub from: Option<String>,
    /// Only show what would be taken over
    #[arg(long)]
    pub dry_run: bool,
}

/// `hostler export`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler export cursor
  hostler export vscode --project            into the file of the project here
  hostler export claude-desktop --replace    and take out all other servers
  hostler export claude-desktop --undo
  hostler export plain --file mcp.json

What the file held before is kept beside it; --undo puts it back.")]
pub struct Export {
    /// The client: claude-desktop, claude-code, cursor, vscode, windsurf, or plain for any file of mcpServers
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// This file, instead of the client's own
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The client's file for the project in this folder
    #[arg(long, conflicts_with = "file")]
    pub project: bool,
    /// Have the client start `hostler connect`, even if it could reach the URL itself
    #[arg(long)]
    pub stdio: bool,
    /// Take out all other servers
    #[arg(long)]
    pub replace: bool,
    /// Point it at this virtual server
    #[arg(long, value_name = "NAME")]
    pub view: Option<String>,
    /// Put back what was there before
    #[arg(long, conflicts_with_all = ["stdio", "replace", "view", "dry_run"])]
    pub undo: bool,
    /// Only show what would be written
    #[arg(long)]
    pub dry_run: bool,
}

/// `hostler status`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler status
  hostler status files            one server with its instances
  hostler status --json | jq '.servers[] | select(.state == \"failed\") | .name'")]
pub struct Status {
    /// Only this server
    #[arg(value_name = "SERVER")]
    pub server: Option<String>,
}

/// `hostler tools`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler tools
  hostler tools files             of one server, under its own names
  hostler tools files/read_file   one tool with its arguments")]
pub struct Tools {
    /// A server, or one of its tools
    #[arg(value_name = "SERVER[/TOOL]")]
    pub target: Option<String>,
    /// Of this virtual server
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    pub view: Option<String>,
}

/// `hostler call`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler call demo/echo text=hello
  hostler call demo__countdown steps=3 seconds=2
  hostler call files/write_file path=a.txt content='two words'
  hostler call db/query sql='select 1' params:='[1, \"a\"]'
  hostler call db/query --args '{\"sql\": \"select 1\"}'
  echo '{\"sql\": \"select 1\"}' | hostler call db/query -

key=value is taken as the type that the tool's schema says, else as text; key:=value is JSON.
Text goes to standard output as it is; what else a result has is told in brackets. A result without text is written as
JSON, and --json writes the whole result.")]
pub struct Call {
    /// The tool, by the name that `hostler tools` shows, or as SERVER/TOOL by the server's own name
    #[arg(value_name = "[SERVER/]TOOL")]
    pub tool: String,
    /// Arguments: key=value, key:=JSON, or - for a JSON object on standard input
    #[arg(value_name = "ARGUMENT", conflicts_with = "args")]
    pub arguments: Vec<String>,
    /// All arguments as a JSON object; - reads it from standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub args: Option<String>,
    /// Through this virtual server
    #[arg(long, value_name = "NAME")]
    pub view: Option<String>,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub timeout: u64,
}

/// `hostler logs`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler logs files
  hostler logs files --tail 500 --follow")]
pub struct Logs {
    /// The server
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// How many lines to show, at most 2000
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = admin::TAIL_DEFAULT)]
    pub tail: usize,
    /// Go on as the log grows
    #[arg(long, short)]
    pub follow: bool,
}

/// `hostler completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hostler completions bash > ~/.local/share/bash-completion/completions/hostler
  hostler completions zsh > ~/.zfunc/_hostler
  hostler completions fish > ~/.config/fish/completions/hostler.fish")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_all_commands_may_stand_before_and_after_them() {
        for line in [["hostler", "--json", "status"], ["hostler", "status", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().global.json);
        }
        assert!(Cli::try_parse_from(["hostler"]).unwrap().command.is_none());
        assert_eq!(Cli::try_parse_from(["hostler", "stauts"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn arguments_of_a_call_come_in_one_way_only() {
        assert!(Cli::try_parse_from(["hostler", "call", "t", "a=1", "--args", "{}"]).is_err());
        let cli = Cli::try_parse_from(["hostler", "call", "t", "-"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Call(Call { arguments, .. })) if arguments == ["-"]));
    }
}

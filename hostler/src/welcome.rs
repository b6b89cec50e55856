//! What a person who starts Hostler in a terminal wants to know: where it is, how to point a client at it, where its
//! state lies. Written to standard output once, before the first log line.

use std::{fmt::Write as _, path::Path};

use plan::Plan;

/// The welcome for a plan that is being served.
#[must_use]
pub fn text(plan: &Plan, file: Option<&Path>) -> String {
    let address = plan.listen.address;
    let url = format!("http://{address}/mcp");
    let mut out = String::new();
    let from =
        file.map_or_else(|| "built-in demo (no hostler.yaml found)".to_owned(), |file| file.display().to_string());
    let names: Vec<_> = plan.servers.iter().map(|server| server.name.as_str()).collect();
    // Writing into a string cannot fail.
    let _ = write!(
        out,
        "Hostler {version} is listening.

  Endpoint       {url}
  One server     http://{address}/servers/{{name}}/mcp
  Servers        {servers}
  Configuration  {from}
  State          {state}
  Status         http://{address}/api/v1/servers   or: hostler status

Point a client at it:

  Claude Code    claude mcp add --transport http hostler {url}
  Cursor         ~/.cursor/mcp.json      {{\"mcpServers\": {{\"hostler\": {{\"url\": \"{url}\"}}}}}}
  VS Code        .vscode/mcp.json        {{\"servers\": {{\"hostler\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}
  MCP Inspector  npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list
  Others         start the program: hostler connect

Try it:          hostler tools   and   hostler call {example}
Your servers:    hostler import  takes over those that your clients have

",
        version = ground::VERSION,
        servers = shortened(&names),
        state = plan.state_dir.display(),
        example = if names.contains(&"demo") { "demo/echo text=hello" } else { "<server>/<tool> key=value" },
    );
    out
}

/// The first few names, and how many more there are.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    match names.len() {
        0 => "none yet".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn many_names_are_shortened() {
        assert_eq!(shortened(&[]), "none yet");
        assert_eq!(shortened(&["a", "b"]), "a, b");
        assert_eq!(shortened(&["x"; 10]), "x, x, x, x, x, x, x, x and 2 more");
    }
}

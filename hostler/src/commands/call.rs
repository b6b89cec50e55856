//! `hostler call`: one call of one tool, its progress on the way, its result at the end.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    cli::Call,
    client::{Arguments, Client, Object, endpoint, typed},
    exit::{Exit, Usage},
    near,
    reach::{Gateway, Trouble},
    term::{Term, clean},
};

/// Largest arguments on standard input, in bytes: more is refused by the gateway anyway.
const INPUT: u64 = 64 << 20;

/// Calls the tool and writes its result.
pub async fn run(args: Call, gateway: &Gateway, term: Term) -> Result<Exit> {
    let (server, name) = match args.tool.split_once('/') {
        Some((server, name)) => (Some(server), name),
        None => (None, args.tool.as_str()),
    };
    if server.is_some() && args.view.is_some() {
        bail!(Usage("a tool of one server has its own name: leave out --view, or the server".into()));
    }
    let path = endpoint(server, args.view.as_deref(), "mcp")?;
    let given = given(args.args, args.arguments)?;
    let mut client = Client::open(gateway, &path).await?;
    let result = timeout(Duration::from_secs(args.timeout), call(&mut client, name, &given));
    let result = tokio::select! {
        result = result => result,
        _ = tokio::signal::ctrl_c() => {
            client.cancel().await;
            client.close().await;
            bail!("given up");
        }
    };
    if result.is_err() {
        client.cancel().await;
    }
    client.close().await;
    match result {
        Ok(result) => write(&result?, term),
        Err(_) => bail!("`{name}` did not answer within {} seconds", args.timeout),
    }
}

/// The arguments in the one way in which they were given.
fn given(json: Option<String>, mut words: Vec<String>) -> Result<Arguments> {
    Ok(match json {
        Some(json) if json == "-" => Arguments::Json(standard_input()?),
        Some(json) => Arguments::Json(json),
        None if words.len() == 1 && words[0] == "-" => Arguments::Json(standard_input()?),
        None => Arguments::Words(std::mem::take(&mut words)),
    })
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    io::stdin().lock().take(INPUT).read_to_string(&mut text).context("standard input cannot be read")?;
    Ok(text)
}

async fn call(client: &mut Client<'_>, name: &str, given: &Arguments) -> Result<Value> {
    let listed = client.tools().await?;
    let tool = near::tool(name, &listed).map_err(anyhow::Error::msg)?;
    let arguments: Object = typed(given, &tool["inputSchema"])?;
    let mut progress = Progress::new();
    let result = client.call(tool, arguments, &mut |told| progress.show(told)).await;
    progress.clear();
    result.map_err(|trouble| match trouble {
        // With what was found wrong, if the server says.
        Trouble::Error { code, message, data } if !data.is_null() => {
            anyhow::anyhow!("{message} (error {code}): {data}")
        }
        trouble => trouble.into(),
    })
}

/// A line on standard error that changes while the call runs; nothing where nobody would see it change.
struct Progress {
    shown: bool,
    terminal: bool,
}

impl Progress {
    /// Width of the bar, in characters.
    const BAR: usize = 20;

    fn new() -> Self {
        Self { shown: false, terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, told: &Value) {
        if self.terminal {
            self.shown = true;
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", Self::text(told));
        }
    }

    fn text(told: &Value) -> String {
        let message = told["message"].as_str().map(|text| clean(text).replace('\n', " ")).unwrap_or_default();
        match (told["progress"].as_f64(), told["total"].as_f64()) {
            (Some(done), Some(total)) if total > 0.0 => {
                let part = (done / total).clamp(0.0, 1.0);
                let full = (part * Self::BAR as f64).round() as usize;
                format!("[{}{}] {done}/{total} {message}", "#".repeat(full), "-".repeat(Self::BAR - full))
            }
            (Some(done), _) => format!("{done} {message}"),
            _ => message,
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

fn write(result: &Value, term: Term) -> Result<Exit> {
    if term.json {
        term.json(result)?;
    } else if result["resultType"] == "input_required" {
        bail!("the tool asks for input, which the command line cannot give: {}", result["inputRequests"]);
    } else {
        let parts: Vec<_> = result["content"].as_array().into_iter().flatten().map(part).collect();
        if parts.is_empty() && !result["structuredContent"].is_null() {
            term.json(&result["structuredContent"])?;
        }
        for part in parts {
            term.foreign(&part)?;
        }
    }
    Ok(if result["isError"] == true { Exit::ToolError } else { Exit::Ok })
}

/// A piece of content as text; what is no text is named in brackets.
fn part(content: &Value) -> String {
    let text = |key: &str| content[key].as_str().unwrap_or_default();
    // Base64 has four characters for three bytes.
    let size = |data: &Value| data.as_str().map_or(0, |data| data.trim_end_matches('=').len() * 3 / 4);
    match text("type") {
        "text" => text("text").to_owned(),
        kind @ ("image" | "audio") => format!("[{kind} {}, {} bytes]", text("mimeType"), size(&content["data"])),
        "resource_link" => format!("[link {}]", text("uri")),
        "resource" => {
            let resource = &content["resource"];
            match resource["text"].as_str() {
                Some(text) => text.to_owned(),
                None => {
                    let uri = resource["uri"].as_str().unwrap_or_default();
                    format!("[resource {uri}, {} bytes]", size(&resource["blob"]))
                }
            }
        }
        other => format!("[content of type `{other}`; --json shows it]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn content_is_text_or_named_in_brackets() {
        for (content, expected) in [
            (json!({ "type": "text", "text": "a\nb" }), "a\nb"),
            (json!({ "type": "image", "mimeType": "image/png", "data": "aGVsbG8=" }), "[image image/png, 5 bytes]"),
            (json!({ "type": "resource_link", "uri": "file:///x", "name": "x" }), "[link file:///x]"),
            (json!({ "type": "resource", "resource": { "uri": "u", "text": "t" } }), "t"),
            (json!({ "type": "resource", "resource": { "uri": "u", "blob": "AAAA" } }), "[resource u, 3 bytes]"),
            (json!({ "type": "new" }), "[content of type `new`; --json shows it]"),
        ] {
            assert_eq!(part(&content), expected);
        }
    }

    #[test]
    fn progress_has_a_bar_where_there_is_an_end() {
        let told = json!({ "progress": 1, "total": 4, "message": "one\n\u{1b}[31mof four" });
        assert_eq!(Progress::text(&told), "[#####---------------] 1/4 one of four");
        assert_eq!(Progress::text(&json!({ "progress": 7 })), "7 ");
        assert_eq!(Progress::text(&json!({ "progress": 9, "total": 4 })), "[####################] 9/4 ");
    }
}

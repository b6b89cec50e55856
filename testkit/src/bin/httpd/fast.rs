//! The way of an echo: parsed once by borrowing, answered with one allocation.
//!
//! This is what a benchmark measures the gateway against, so it does the least that an honest server does. Whatever is
//! not exactly right is left to `post.rs`, which says what is wrong with it.

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use testkit::{
    protocol::{Era, MODERN},
    tools::filler,
};

use crate::app::App;

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    name: &'a str,
    #[serde(borrow)]
    arguments: Arguments<'a>,
    #[serde(borrow, default)]
    _meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    size: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a str>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities", borrow)]
    capabilities: Option<&'a RawValue>,
}

/// The answer to a faultless `tools/call` of `echo`; nothing for everything else.
pub fn echo(app: &App, headers: &HeaderMap, body: &[u8]) -> Option<Bytes> {
    let call: Call<'_> = serde_json::from_slice(body).ok()?;
    if call.method != "tools/call" || call.params.name != "echo" {
        return None;
    }
    let era = era(app, headers, &call)?;
    let arguments = &call.params.arguments;
    let filled;
    let text = match (arguments.size, arguments.text) {
        (Some(size), _) => {
            filled = format!("\"{}\"", filler(size));
            filled.as_str()
        }
        (None, Some(text)) if text.get().starts_with('"') => text.get(),
        _ => return None,
    };
    app.counts.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let kind = if era == Era::Modern { r#""resultType":"complete","# } else { "" };
    let parts = [
        r#"{"jsonrpc":"2.0","id":"#,
        call.id.get(),
        r#","result":{"#,
        kind,
        r#""content":[{"type":"text","text":"#,
        text,
        "}]}}",
    ];
    Some(parts.concat().into())
}

/// The era whose rules this request keeps in full.
fn era(app: &App, headers: &HeaderMap, call: &Call<'_>) -> Option<Era> {
    let header = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    let meta = &call.params._meta;
    let era = match meta.version {
        Some(MODERN) => Era::Modern,
        Some(_) => return None,
        None => Era::Legacy,
    };
    let right = match era {
        Era::Modern => {
            header("mcp-protocol-version") == Some(MODERN.as_bytes())
                && header("mcp-method") == Some(b"tools/call")
                && header("mcp-name") == Some(b"echo")
                && meta.capabilities.is_some_and(|raw| raw.get().starts_with('{'))
        }
        Era::Legacy => {
            header("mcp-protocol-version") != Some(MODERN.as_bytes())
                && (app.options.no_sessions || app.session(headers.get("mcp-session-id")?.to_str().ok()?).is_some())
        }
    };
    (right && app.offer.mode.serves(era)).then_some(era)
}

//! The requests of the load, as bytes: made once, only the id changes from call to call.
//!
//! What a real client of each era sends, no more: 2025-11-25 with a session, 2026-07-28 without.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::protocol::{Era, LEGACY, MODERN, key};

/// First id; all ids have as many digits, so that no request changes its length.
pub const FIRST_ID: u64 = 1_000_000_000;
/// Bytes of text that are echoed.
pub const TEXT: usize = 200;

/// Where the load goes and what it says.
#[derive(Clone, Debug)]
pub struct Script {
    /// Address of the server.
    pub address: SocketAddr,
    /// Path of the MCP endpoint.
    pub path: String,
    /// The tool's name there.
    pub tool: String,
    /// Which protocol.
    pub era: Era,
}

/// A request whose id can be changed in place.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
    /// Where the digits of the id are.
    id: usize,
}

impl Request {
    /// The bytes with this id.
    pub fn with_id(&mut self, id: u64) -> &[u8] {
        let mut digits = id;
        for place in (self.id..self.id + digits_of(FIRST_ID)).rev() {
            self.bytes[place] = b'0' + (digits % 10) as u8;
            digits /= 10;
        }
        &self.bytes
    }
}

impl Script {
    /// `initialize`, for a legacy session.
    pub fn initialize(&self) -> Vec<u8> {
        let params = json!({"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": client()});
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        self.post(&[], &message.to_string())
    }

    /// `notifications/initialized`.
    pub fn initialized(&self, session: &str) -> Vec<u8> {
        let message = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post(&self.legacy_headers(session), &message.to_string())
    }

    /// The call that is repeated; `session` is empty in the modern era.
    pub fn call(&self, session: &str) -> Request {
        let mut params = json!({"name": self.tool, "arguments": {"text": text()}});
        let headers = match self.era {
            Era::Legacy => self.legacy_headers(session),
            Era::Modern => {
                params["_meta"] = json!({
                    key::PROTOCOL_VERSION: MODERN, key::CLIENT_INFO: client(), key::CLIENT_CAPABILITIES: {}
                });
                let version = ("mcp-protocol-version", MODERN.to_owned());
                vec![version, ("mcp-method", "tools/call".into()), ("mcp-name", self.tool.clone())]
            }
        };
        let message = json!({"jsonrpc": "2.0", "id": FIRST_ID, "method": "tools/call", "params": params});
        let bytes = self.post(&headers, &message.to_string());
        let id = memchr::memmem::find(&bytes, FIRST_ID.to_string().as_bytes()).unwrap_or_default();
        Request { bytes, id }
    }

    fn legacy_headers(&self, session: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![("mcp-protocol-version", LEGACY[0].to_owned())];
        if !session.is_empty() {
            headers.push(("mcp-session-id", session.to_owned()));
        }
        headers
    }

    fn post(&self, headers: &[(&str, String)], body: &str) -> Vec<u8> {
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: benches\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            self.path,
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{head}\r\n{body}").into_bytes()
    }
}

/// The text that is echoed.
pub fn text() -> String {
    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(TEXT).collect()
}

fn client() -> Value {
    json!({"name": "benches", "version": env!("CARGO_PKG_VERSION")})
}

fn digits_of(number: u64) -> usize {
    number.to_string().len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn script(era: Era) -> Script {
        Script { address: "127.0.0.1:80".parse().unwrap(), path: "/mcp".into(), tool: "echo".into(), era }
    }

    #[test]
    fn only_the_id_changes_from_call_to_call() {
        let mut call = script(Era::Modern).call("");
        let first = String::from_utf8(call.with_id(FIRST_ID + 41).to_vec()).unwrap();
        let second = String::from_utf8(call.with_id(FIRST_ID + 9_999).to_vec()).unwrap();
        assert_eq!(first.replace("1000000041", "1000009999"), second);
        let (head, body) = second.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["id"], 1_000_009_999);
        assert_eq!(body["params"]["arguments"]["text"].as_str().unwrap().len(), TEXT);
    }

    #[test]
    fn a_legacy_call_names_its_session() {
        let mut call = script(Era::Legacy).call("s-1");
        assert!(String::from_utf8_lossy(call.with_id(FIRST_ID)).contains("\r\nmcp-session-id: s-1\r\n"));
    }
}

//! The small messages that a gateway makes itself. Never checks what it is given raw: ids, results and data are written
//! as they are and must be valid JSON.

use crate::write_quoted;

const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\"";

/// An error answer. Without an id, legacy revisions want `"id":null` (`null_id`); the modern one leaves it out.
#[must_use]
pub fn error(id: Option<&[u8]>, code: i64, message: &str, data: Option<&[u8]>, null_id: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + message.len() + id.map_or(4, <[u8]>::len) + data.map_or(0, <[u8]>::len));
    out.extend_from_slice(HEAD);
    match id {
        Some(id) => raw(",\"id\":", id, &mut out),
        None if null_id => raw(",\"id\":", b"null", &mut out),
        None => {}
    }
    raw(",\"error\":{\"code\":", code.to_string().as_bytes(), &mut out);
    string(",\"message\":", message, &mut out);
    if let Some(data) = data {
        raw(",\"data\":", data, &mut out);
    }
    out.extend_from_slice(b"}}");
    out
}

/// The answer with a result.
#[must_use]
pub fn result(id: &[u8], result_json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(40 + id.len() + result_json.len());
    out.extend_from_slice(HEAD);
    raw(",\"id\":", id, &mut out);
    raw(",\"result\":", result_json, &mut out);
    out.push(b'}');
    out
}

/// A request.
#[must_use]
pub fn request(id: &[u8], method: &str, params: Option<&[u8]>) -> Vec<u8> {
    call(Some(id), method, params)
}

/// A notification.
#[must_use]
pub fn notification(method: &str, params: Option<&[u8]>) -> Vec<u8> {
    call(None, method, params)
}

fn call(id: Option<&[u8]>, method: &str, params: Option<&[u8]>) -> Vec<u8> {
    let room = id.map_or(0, <[u8]>::len) + method.len() + params.map_or(0, <[u8]>::len);
    let mut out = Vec::with_capacity(56 + room);
    out.extend_from_slice(HEAD);
    if let Some(id) = id {
        raw(",\"id\":", id, &mut out);
    }
    string(",\"method\":", method, &mut out);
    if let Some(params) = params {
        raw(",\"params\":", params, &mut out);
    }
    out.push(b'}');
    out
}

/// The `_meta` object that every request of revision 2026-07-28 carries ("Per-request protocol fields", basic).
#[must_use]
pub fn modern_meta(version: &str, client_info: &[u8], capabilities: &[u8], log_level: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(192 + client_info.len() + capabilities.len());
    string("{\"io.modelcontextprotocol/protocolVersion\":", version, &mut out);
    raw(",\"io.modelcontextprotocol/clientInfo\":", client_info, &mut out);
    raw(",\"io.modelcontextprotocol/clientCapabilities\":", capabilities, &mut out);
    if let Some(level) = log_level {
        string(",\"io.modelcontextprotocol/logLevel\":", level, &mut out);
    }
    out.push(b'}');
    out
}

fn raw(lead: &str, json: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(lead.as_bytes());
    out.extend_from_slice(json);
}

fn string(lead: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(lead.as_bytes());
    write_quoted(text, out);
}

#[cfg(test)]
mod tests;

//! The words of both eras as the fake servers speak them: versions, `_meta` keys, error codes, messages.
//!
//! Never reads or writes a stream, and never borrows from the gateway's own notion of the protocol.

use serde_json::{Map, Value, json, value::RawValue};

/// The revision without a handshake.
pub const MODERN: &str = "2026-07-28";
/// The revisions with a handshake, newest first.
pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Keys of `_meta` (2026-07-28, basic/index, "`_meta`").
pub mod key {
    /// Version of a request.
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// What the caller can do.
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// Who calls.
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// Lowest level of log messages wanted during a request.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// The `subscriptions/listen` request that a notification belongs to.
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// Who answers.
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
}

/// Error codes (2026-07-28, basic/index, "Error Codes"; -32002 of the revisions before).
pub mod code {
    /// The body is no JSON.
    pub const PARSE: i64 = -32700;
    /// The body is no JSON-RPC request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nobody answers to this method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters are wrong, or `_meta` lacks what it must have.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The server failed.
    pub const INTERNAL: i64 = -32603;
    /// Legacy era only: no such resource.
    pub const RESOURCE_NOT_FOUND: i64 = -32002;
    /// Headers and body disagree.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The call needs something that the client did not declare.
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// This version is not served.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

/// Which of the two protocols a message speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// With `initialize` and a session: 2025-11-25 and earlier.
    Legacy,
    /// Without: 2026-07-28.
    Modern,
}

/// Which eras a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Only with a handshake.
    Legacy,
    /// Only without.
    Modern,
    /// Both.
    Dual,
}

impl Mode {
    /// Whether requests of this era are served.
    pub fn serves(self, era: Era) -> bool {
        match era {
            Era::Legacy => self != Self::Modern,
            Era::Modern => self != Self::Legacy,
        }
    }

    /// The versions served, newest first.
    pub fn versions(self) -> Vec<&'static str> {
        let mut versions = Vec::new();
        if self.serves(Era::Modern) {
            versions.push(MODERN);
        }
        if self.serves(Era::Legacy) {
            versions.extend(LEGACY);
        }
        versions
    }
}

/// Why a request is answered with a JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// JSON-RPC code.
    pub code: i64,
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Value>,
}

impl Refusal {
    /// A refusal without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// -32601.
    pub fn method(method: &str) -> Self {
        Self::new(code::METHOD_NOT_FOUND, format!("Method not found: {method}"))
    }

    /// -32602.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// -32022, with what is served.
    pub fn version(requested: &str, mode: Mode) -> Self {
        Self {
            code: code::UNSUPPORTED_VERSION,
            message: "Unsupported protocol version".into(),
            data: Some(json!({ "supported": mode.versions(), "requested": requested })),
        }
    }

    /// -32021 for one capability, such as `elicitation`.
    pub fn capability(name: &str) -> Self {
        Self {
            code: code::MISSING_CAPABILITY,
            message: format!("The client did not declare the capability {name}"),
            data: Some(json!({ "requiredCapabilities": { name: {} } })),
        }
    }

    /// The `error` member of a response.
    pub fn value(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(data), Some(object)) = (&self.data, error.as_object_mut()) {
            object.insert("data".into(), data.clone());
        }
        error
    }
}

/// What a request comes to.
pub type Outcome = Result<Value, Refusal>;

/// `params._meta`, or null.
pub fn meta(params: &Value) -> &Value {
    &params["_meta"]
}

/// The version that the `_meta` of a request declares; only modern requests declare one.
pub fn declared_version(params: &Value) -> Option<&str> {
    meta(params)[key::PROTOCOL_VERSION].as_str()
}

/// Checks what every modern request must carry.
///
/// # Errors
/// -32602 when a required field is missing, -32022 when the version is not served.
pub fn check_meta(params: &Value, mode: Mode) -> Result<(), Refusal> {
    let Some(version) = declared_version(params) else {
        return Err(Refusal::params(format!("_meta lacks {}", key::PROTOCOL_VERSION)));
    };
    if version != MODERN || !mode.serves(Era::Modern) {
        return Err(Refusal::version(version, mode));
    }
    if !meta(params)[key::CLIENT_CAPABILITIES].is_object() {
        return Err(Refusal::params(format!("_meta lacks {}", key::CLIENT_CAPABILITIES)));
    }
    match meta(params).get(key::LOG_LEVEL) {
        Some(level) if level.as_str().and_then(rank).is_none() => Err(Refusal::params("unknown log level")),
        _ => Ok(()),
    }
}

/// The place of a log level, `debug` being 0; nothing for an unknown one.
pub fn rank(level: &str) -> Option<usize> {
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"].iter().position(|l| *l == level)
}

/// A response. The id is put in byte for byte, so that a number keeps its spelling.
pub fn response(id: &RawValue, outcome: &Outcome) -> String {
    match outcome {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(refusal) => error(Some(id), refusal),
    }
}

/// An error response; without an id when the request's could not be read.
pub fn error(id: Option<&RawValue>, refusal: &Refusal) -> String {
    let error = refusal.value();
    match id {
        Some(id) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
        None => format!(r#"{{"jsonrpc":"2.0","error":{error}}}"#),
    }
}

/// A notification.
pub fn notification(method: &str, params: &Value) -> String {
    match params {
        Value::Null => format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#),
        params => format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#),
    }
}

/// A request of the server to a legacy client.
pub fn request(id: u64, method: &str, params: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// Puts a member into a value that is an object; others stay as they are.
pub fn put(value: &mut Value, key: &str, member: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.into(), member);
    }
}

/// An object with one member.
pub fn single(key: &str, member: Value) -> Value {
    let mut object = Map::new();
    object.insert(key.into(), member);
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn an_id_comes_back_as_it_was_spelled() {
        let id = RawValue::from_string("12345678901234567890123".into()).unwrap();
        let answer = response(&id, &Ok(json!({})));
        assert_eq!(answer, r#"{"jsonrpc":"2.0","id":12345678901234567890123,"result":{}}"#);
    }

    #[test]
    fn a_modern_request_without_its_meta_is_refused() {
        let refusal = check_meta(&json!({}), Mode::Dual).unwrap_err();
        assert_eq!(refusal.code, code::INVALID_PARAMS);
        let old = json!({"_meta": {key::PROTOCOL_VERSION: "1900-01-01", key::CLIENT_CAPABILITIES: {}}});
        let refusal = check_meta(&old, Mode::Modern).unwrap_err();
        assert_eq!(refusal.code, code::UNSUPPORTED_VERSION);
        assert_eq!(refusal.data.unwrap()["supported"], json!([MODERN]));
        let right = json!({"_meta": {key::PROTOCOL_VERSION: MODERN, key::CLIENT_CAPABILITIES: {}}});
        assert_eq!(check_meta(&right, Mode::Modern), Ok(()));
    }
}

//! The demo server's messages: requests told apart by era and checked, answers in the words of that era.
//!
//! Follows 2026-07-28, basic/index ("`_meta`", "Error Codes") and basic/versioning; 2025-11-25, basic/lifecycle.
//! Never knows what a method does.

use serde_json::{Map, Value, json};
use wire::era::{Era, MODERN, code};

use super::offer;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// How long lists and other answers that never change may be kept, in milliseconds.
pub(super) const STEADY: u64 = 3_600_000;

/// Levels of log messages, least severe first.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

mod key {
    pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    pub(super) const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
    pub(super) const SERVER: &str = "io.modelcontextprotocol/serverInfo";
    pub(super) const LEVEL: &str = "io.modelcontextprotocol/logLevel";
    pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
}

/// The severity of a log message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(usize);

impl Level {
    pub(super) const DEBUG: Self = Self(0);
    pub(super) const INFO: Self = Self(1);

    pub(super) fn parse(name: &Value) -> Result<Self, Refusal> {
        let level = name.as_str().and_then(|name| LEVELS.iter().position(|level| *level == name));
        level.map(Self).ok_or_else(|| Refusal::params(format!("the log level must be one of {}", LEVELS.join(", "))))
    }

    pub(super) fn word(self) -> &'static str {
        LEVELS[self.0]
    }
}

/// A request that is not served: the `error` of its answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl Refusal {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(super) fn params(message: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }
}

/// A result, and for how long it may be kept where the modern era asks for that.
pub(super) struct Outcome {
    pub(super) result: Object,
    /// Milliseconds; nothing for results that are not cacheable.
    pub(super) ttl: Option<u64>,
}

impl Outcome {
    pub(super) fn new(result: Value) -> Self {
        Self { result: object(result), ttl: None }
    }

    pub(super) fn cacheable(result: Value, ttl: u64) -> Self {
        Self { result: object(result), ttl: Some(ttl) }
    }
}

/// The object that a `json!({…})` is.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// A request, its era known and its `_meta` checked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: Value,
    pub(super) era: Era,
    pub(super) method: String,
    pub(super) params: Object,
    /// Where its progress is to be reported.
    pub(super) progress: Option<Value>,
    /// The least severe log messages wanted while it runs.
    pub(super) level: Option<Level>,
}

impl Request {
    /// Checks a request. `session` is the log level of the legacy session, if there is a session at all.
    pub(super) fn check(
        id: &Value,
        method: String,
        params: Object,
        session: Option<Option<Level>>,
    ) -> Result<Self, Refusal> {
        let meta = params.get("_meta").and_then(Value::as_object);
        let modern = meta.filter(|meta| meta.contains_key(key::VERSION));
        let (era, level) = match (modern, session) {
            (Some(meta), _) => (Era::Modern, modern_level(meta)?),
            (None, Some(level)) => (Era::Legacy, level),
            (None, None) if method == "initialize" || method == "ping" => (Era::Legacy, None),
            (None, None) => {
                let lacks =
                    format!("the request lacks `{}` in `params._meta`, and there was no `initialize`", key::VERSION);
                return Err(Refusal::params(lacks));
            }
        };
        let token = meta.and_then(|meta| meta.get("progressToken"));
        let progress = token.filter(|token| is_id(token)).cloned();
        Ok(Self { id: id.clone(), era, method, params, progress, level })
    }

    /// The answer that carries a result.
    pub(super) fn answer(&self, outcome: Outcome) -> Value {
        let Outcome { mut result, ttl } = outcome;
        if self.era == Era::Modern {
            result.insert("resultType".into(), "complete".into());
            if let Some(ttl) = ttl {
                result.insert("ttlMs".into(), ttl.into());
                // All that there is to see is the same for everybody.
                result.insert("cacheScope".into(), "public".into());
            }
            result.insert("_meta".into(), json!({ key::SERVER: offer::server_info() }));
        }
        json!({ "jsonrpc": "2.0", "id": self.id, "result": result })
    }
}

/// Checks the `_meta` of a modern request; tells the log level asked for.
fn modern_level(meta: &Object) -> Result<Option<Level>, Refusal> {
    match meta.get(key::VERSION).and_then(Value::as_str) {
        Some(MODERN) => {}
        Some(other) => {
            let data = json!({ "supported": [MODERN], "requested": other });
            let refusal = Refusal::new(code::UNSUPPORTED_VERSION, format!("protocol version {other} is not served"));
            return Err(Refusal { data: Some(data), ..refusal });
        }
        None => return Err(Refusal::params(format!("`{}` must be a string", key::VERSION))),
    }
    if !meta.get(key::CAPABILITIES).is_some_and(Value::is_object) {
        return Err(Refusal::params(format!("`_meta` lacks the object `{}`", key::CAPABILITIES)));
    }
    if meta.get(key::CLIENT).is_some_and(|info| !info.is_object()) {
        return Err(Refusal::params(format!("`{}` must be an object", key::CLIENT)));
    }
    meta.get(key::LEVEL).map(Level::parse).transpose()
}

/// Whether a value may be a request's id or a progress token: a string or an integer.
pub(super) fn is_id(value: &Value) -> bool {
    value.is_string() || value.is_i64() || value.is_u64()
}

/// The answer that carries an error. Without an id, the legacy era wants `null` and the modern one nothing.
pub(super) fn error(id: Option<&Value>, refusal: Refusal, null_id: bool) -> Value {
    let mut message = json!({ "jsonrpc": "2.0" });
    if id.is_some() || null_id {
        message["id"] = id.cloned().unwrap_or_default();
    }
    message["error"] = json!({ "code": refusal.code, "message": refusal.message });
    if let Some(data) = refusal.data {
        message["error"]["data"] = data;
    }
    message
}

/// A notification, for a subscription where there is one.
pub(super) fn notification(method: &str, mut params: Value, subscription: Option<&Value>) -> Value {
    if let Some(id) = subscription {
        params["_meta"] = json!({ key::SUBSCRIPTION: id });
    }
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

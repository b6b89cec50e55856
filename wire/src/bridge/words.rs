//! The words by which the bridge knows what belongs to which era: keys of `_meta`, and methods with rules of their own.
//! Never reads a message.

/// `_meta` of a request: its revision.
pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` of a request: who asks.
pub(super) const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` of a request: what the asker can do.
pub(super) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` of a request: the mildest log message wanted.
pub(super) const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// `_meta` of a notification: the id of the `subscriptions/listen` request it answers.
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// `_meta` of a result: who answers.
pub(super) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What `_meta` of a request has in the modern era alone ("`_meta`", basic, revision 2026-07-28).
pub(super) const PER_REQUEST: [&str; 4] = [VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL];

/// Whether complete results of a method carry `ttlMs` and `cacheScope` (caching, revision 2026-07-28). Members of these
/// names in other results mean something else: a task's `ttlMs` is its lifetime.
#[must_use]
pub fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
    )
}

/// Whether a request of this method may be answered with `input_required`, and so be repeated with `inputResponses` and
/// `requestState` ("Supported Requests", multi round-trip requests, revision 2026-07-28).
#[must_use]
pub fn may_require_input(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

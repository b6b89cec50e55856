//! What a server says of itself, in the words of the other era: the result of `initialize` as that of `server/discover`
//! and the reverse. Never invents a capability.
//!
//! Discovery of revision 2026-07-28, lifecycle of revision 2025-11-25, `DiscoverResult` and `InitializeResult`.

use super::{
    capability::modern_server_capabilities,
    compose::{Composer, strings},
    result::Hints,
    words::SERVER_INFO,
};
use crate::{Version, field, members, quote};

/// Members that only one of the two results has, or that both have in a shape of their own.
const OWN: [&str; 8] = [
    "resultType",
    "supportedVersions",
    "protocolVersion",
    "capabilities",
    "serverInfo",
    "ttlMs",
    "cacheScope",
    "_meta",
];

/// The raw identity (`Implementation`) in a server's raw result of `initialize` or, in the modern era, of any method.
#[must_use]
pub fn server_info(result: &[u8]) -> Option<&[u8]> {
    let modern = field(result, "_meta").and_then(|meta| field(meta, SERVER_INFO));
    modern.or_else(|| field(result, "serverInfo")).filter(|info| info.first() == Some(&b'{'))
}

/// The result of `server/discover` for a server of which the raw result of `initialize` is remembered. Versions are the
/// gateway's own. Instructions, and what is unknown here, pass as they are.
#[must_use]
pub fn discover_result(initialize: &[u8], versions: &[Version], hints: Hints) -> Vec<u8> {
    let mut result = Composer::new();
    result.member("resultType", "\"complete\"");
    result.member("supportedVersions", strings(versions.iter().map(|version| version.as_str())));
    result.member("capabilities", modern_server_capabilities(field(initialize, "capabilities").unwrap_or(b"{}")));
    others(initialize, &mut result);
    result.member("ttlMs", hints.ttl_json()).member("cacheScope", hints.scope_json());
    let mut meta = Composer::new();
    if let Some(info) = server_info(initialize) {
        meta.member(SERVER_INFO, info);
    }
    for (key, value) in meta_of(initialize) {
        meta.member(&key, value);
    }
    let meta = meta.finish();
    if meta != b"{}" {
        result.member("_meta", meta);
    }
    result.finish()
}

/// The result of `initialize` for a server of which the raw result of `server/discover` is remembered, in the revision
/// settled with the client. `unnamed` stands for the identity, which the legacy era requires and the modern one does not.
#[must_use]
pub fn initialize_result(discover: &[u8], version: Version, unnamed: &[u8]) -> Vec<u8> {
    let mut result = Composer::new();
    result.member("protocolVersion", quote(version.as_str()));
    result.member("capabilities", field(discover, "capabilities").unwrap_or(b"{}"));
    result.member("serverInfo", server_info(discover).unwrap_or(unnamed));
    others(discover, &mut result);
    let mut meta = Composer::new();
    for (key, value) in meta_of(discover) {
        meta.member(&key, value);
    }
    let meta = meta.finish();
    if meta != b"{}" {
        result.member("_meta", meta);
    }
    result.finish()
}

fn others(from: &[u8], to: &mut Composer) {
    for (key, value, _) in members(from).filter(|(key, ..)| !OWN.contains(&&**key)) {
        to.member(&key, value.of(from));
    }
}

/// The members of `_meta` but the identity.
fn meta_of(result: &[u8]) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, &[u8])> {
    let meta = field(result, "_meta").unwrap_or_default();
    members(meta).filter(|(key, ..)| key != SERVER_INFO).map(|(key, value, _)| (key, value.of(meta)))
}

//! Revisions of the specification, the two eras they fall into, and the error codes they use.

use crate::{Envelope, MAX_DEPTH};

/// The revision of the modern era that is spoken.
pub const MODERN: &str = "2026-07-28";

/// The revisions of the legacy era, newest first.
pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// How a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Revision 2026-07-28: every request stands alone.
    Modern,
    /// Revision 2025-11-25 and before: `initialize` and a session.
    Legacy,
}

/// A revision of the specification; older ones are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2024-11-05: HTTP+SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches.
    V2025_03_26,
    /// 2025-06-18: no batches, the version header.
    V2025_06_18,
    /// 2025-11-25: the last with a session.
    V2025_11_25,
    /// 2026-07-28: the first without one.
    V2026_07_28,
}

impl Version {
    /// The revision of this name; `None` for unknown ones.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "2024-11-05" => Self::V2024_11_05,
            "2025-03-26" => Self::V2025_03_26,
            "2025-06-18" => Self::V2025_06_18,
            "2025-11-25" => Self::V2025_11_25,
            "2026-07-28" => Self::V2026_07_28,
            _ => return None,
        })
    }

    /// The name as it stands in messages and headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it falls into.
    #[must_use]
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 { Era::Modern } else { Era::Legacy }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Error codes of JSON-RPC 2.0 and MCP.
pub mod code {
    /// The body is no JSON.
    pub const PARSE: i64 = -32700;
    /// The JSON is no JSON-RPC message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Unknown method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// Wrong parameters.
    pub const INVALID_PARAMS: i64 = -32602;
    /// Any other failure.
    pub const INTERNAL: i64 = -32603;
    /// Legacy era: no such resource. The modern era says `INVALID_PARAMS`.
    pub const RESOURCE_NOT_FOUND: i64 = -32002;
    /// Modern era: headers and body disagree.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// Modern era: the request needs a capability that the client did not declare.
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// Modern era: the revision is not supported.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

/// Whether the body is a JSON-RPC error that only a server of the modern era sends (-32020, -32021, -32022).
#[must_use]
pub fn is_modern_error(body: &[u8]) -> bool {
    let code = Envelope::parse(body, MAX_DEPTH).ok().and_then(|envelope| envelope.error_code);
    matches!(code, Some(code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_and_keep_their_names() {
        let mut names = vec![MODERN];
        names.extend(LEGACY);
        let versions: Vec<_> = names.iter().filter_map(|name| Version::parse(name)).collect();
        assert_eq!(versions.len(), 5);
        assert!(versions.is_sorted_by(|newer, older| newer > older));
        for (name, version) in names.iter().zip(versions) {
            assert_eq!(version.as_str(), *name);
            assert_eq!(version.era(), if *name == MODERN { Era::Modern } else { Era::Legacy });
        }
        assert_eq!(Version::parse("2026-07-29"), None);
        assert_eq!(Version::parse(""), None);
    }

    #[test]
    fn only_modern_codes_tell_a_modern_server() {
        for (code, modern) in [(-32020, true), (-32021, true), (-32022, true), (-32601, false), (-32002, false)] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":"no"}}}}"#);
            assert_eq!(is_modern_error(body.as_bytes()), modern, "{code}");
        }
        assert!(!is_modern_error(br#"{"jsonrpc":"2.0","id":1,"result":{"code":-32022}}"#));
        assert!(!is_modern_error(b"<html>"));
    }
}

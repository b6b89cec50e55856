//! The eras that are spoken, and which of them a request is in.
//!
//! Never decides how an era is spelled: that is the SDK's.

use std::borrow::Cow;

use rmcp::{RoleServer, model::ProtocolVersion, service::RequestContext};

/// The revisions that are spoken.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Era {
    /// Those with a handshake: 2025-11-25 and before.
    Legacy,
    /// Those where every request stands alone: 2026-07-28 and later.
    Modern,
    /// All.
    Dual,
}

impl Era {
    /// The revisions, oldest first.
    pub fn versions(self) -> Cow<'static, [ProtocolVersion]> {
        let spoken = |version: &&ProtocolVersion| match self {
            Self::Legacy => version.has_initialize(),
            Self::Modern => !version.has_initialize(),
            Self::Dual => true,
        };
        ProtocolVersion::KNOWN_VERSIONS.iter().filter(spoken).cloned().collect::<Vec<_>>().into()
    }

    /// True when handshakes and sessions are offered.
    pub fn has_sessions(self) -> bool {
        self != Self::Modern
    }
}

/// True for a request of the modern era.
pub fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

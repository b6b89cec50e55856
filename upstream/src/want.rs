//! Who asks for a link, and who may share it with whom.
//!
//! Plain values; never opens anything.

use std::sync::Arc;

use bytes::Bytes;
use wire::era::Era;

use crate::peer::PeerId;

/// Who may use a link together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Share {
    /// All modern callers: each request says who it is.
    Modern,
    /// All legacy sessions that introduced themselves with the same revision and capabilities.
    Profile(u64),
    /// One client session.
    Session(PeerId),
}

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct Want {
    /// The era in which it speaks.
    pub era: Era,
    /// How it introduces itself; unused in the modern era.
    pub introduction: Arc<Introduction>,
    /// Its session, where it has one.
    pub session: Option<PeerId>,
    /// It shares an instance with nobody, whatever the server's isolation.
    pub alone: bool,
}

/// A legacy client's introduction.
#[derive(Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Equal for equal revisions and capabilities.
    pub profile: u64,
    /// `initialize` parameters in the client's own words, for a link that is its alone.
    pub own: Bytes,
    /// `initialize` parameters with the gateway's name and the client's revision and capabilities, for a shared link.
    pub shared: Bytes,
}

/// What is known of a server for certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Eras {
    /// It speaks revision 2026-07-28 or later.
    pub modern: Option<bool>,
    /// It speaks a revision with a handshake.
    pub legacy: Option<bool>,
    /// It is reached over HTTP+SSE.
    pub sse: bool,
}

impl Eras {
    /// Whether the era may be tried: it is known to work, or nothing is known.
    #[must_use]
    pub fn may(self, era: Era) -> bool {
        match era {
            Era::Modern => self.modern != Some(false),
            Era::Legacy => self.legacy != Some(false),
        }
    }
}

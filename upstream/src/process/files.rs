//! How many files this program may have open: as many as the system allows, while servers get what was allowed before.
//!
//! A gateway needs one for each connection. Some programs take the low limit that systems start with for a promise:
//! they go through all numbers up to it, or keep them in tables of that size. Never lowers what Hostler itself may have.

use std::{env, sync::OnceLock};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// In a keeper's environment: the soft limit that its server is to have.
const VARIABLE: &str = "HOSTLER_KEEPER_FILES";

static BEFORE: OnceLock<u64> = OnceLock::new();

/// Raises the soft limit of this process to the hard one, once, at start. Returns how many files may be open now, as far
/// as the system tells.
pub fn allow_many() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        let _ = BEFORE.set(soft);
    }
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}

/// What a keeper must be told, if anything was changed.
pub(super) fn for_keeper() -> Option<(&'static str, String)> {
    BEFORE.get().map(|soft| (VARIABLE, soft.to_string()))
}

/// In a keeper: takes back for itself, and so for its server, what Hostler took.
pub(super) fn as_before() {
    let soft = env::var(VARIABLE).ok().and_then(|soft| soft.parse().ok());
    if let (Some(soft), Ok((_, hard))) = (soft, getrlimit(Resource::RLIMIT_NOFILE)) {
        // Lowering a soft limit is always allowed.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    }
}

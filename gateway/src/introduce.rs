//! How a legacy client introduces itself, and which clients are alike enough to share a server's instance.

use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::quality::RandomState;
use ground::{Failure, Kind};
use upstream::Introduction;
use wire::{
    bridge,
    era::{Era, LEGACY, Version},
};

use crate::call::Call;

/// The newest revision with a handshake.
const NEWEST: Version = Version::V2025_11_25;

/// Reads the parameters of `initialize`.
///
/// # Errors
/// `InvalidParams` when there are none.
pub fn read(call: &Call) -> Result<Introduction, Failure> {
    let params =
        call.envelope.params.ok_or_else(|| Failure::client(Kind::InvalidParams, "`initialize` lacks `params`"))?;
    let own = call.share(params);
    let capabilities = wire::field(&own, "capabilities").unwrap_or(b"{}");
    let shared = format!(
        "{{\"protocolVersion\":\"{}\",\"capabilities\":{},\"clientInfo\":{}}}",
        LEGACY[0],
        String::from_utf8_lossy(capabilities),
        upstream::hello::own_info()
    );
    Ok(Introduction { profile: profile(capabilities), own: own.clone(), shared: Bytes::from(shared) })
}

/// How the caller of a modern request introduces itself to a legacy server.
#[must_use]
pub fn of_request(call: &Call) -> Introduction {
    let part = |span: Option<wire::Span>| span.map(|span| call.part(span)).filter(|raw| raw.first() == Some(&b'{'));
    let capabilities = part(call.envelope.client_capabilities).unwrap_or(b"{}");
    let gateway = upstream::hello::own_info();
    let info = part(call.envelope.client_info).unwrap_or(gateway.as_bytes());
    let params = |info| Bytes::from(bridge::canonical(&bridge::initialize_params(NEWEST, capabilities, info)));
    Introduction {
        profile: profile(&bridge::legacy_capabilities(capabilities, NEWEST)),
        own: params(info),
        shared: params(gateway.as_bytes()),
    }
}

/// The group of clients with the same capabilities that a caller belongs to.
#[must_use]
pub fn profile_of(call: &Call) -> Option<u64> {
    match (&call.session, call.era) {
        (Some(session), Era::Legacy) => Some(session.introduction().profile),
        (None, Era::Legacy) => None,
        (_, Era::Modern) => {
            let raw = call.part(call.envelope.client_capabilities?);
            let declared = (raw.first() == Some(&b'{')).then(|| profile(&bridge::legacy_capabilities(raw, NEWEST)));
            // Who declares nothing sees what Hostler itself sees.
            declared.filter(|profile| *profile != 0)
        }
    }
}

/// Clients with equal capabilities get the same number; those with none at all, the gateway's own (0).
fn profile(capabilities: &[u8]) -> u64 {
    static SEED: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::default);
    let canonical = bridge::canonical(capabilities);
    if canonical == b"{}" {
        return 0;
    }
    SEED.hash_one(&canonical).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_with_the_same_capabilities_are_alike() {
        assert_eq!(profile(b" { } "), 0);
        assert_eq!(profile(b"{\"roots\":{}}"), profile(b"{ \"roots\" : {} }"));
        assert_ne!(profile(b"{\"roots\":{}}"), profile(b"{\"sampling\":{}}"));
    }
}

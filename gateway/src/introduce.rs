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

/// Largest part of an introduction, in bytes: a client's capabilities, its name and version. They are kept for as long
/// as somebody who introduced itself so may come back, and those who differ in them share nothing.
const PART: usize = 256 << 10;
/// Largest introduction with all that stands beside, in bytes.
const WHOLE: usize = 4 * PART;

/// Checks the size of a part of an introduction, raw.
///
/// # Errors
/// `InvalidParams`, with the name of the part.
pub fn fits(name: &str, part: &[u8]) -> Result<(), Failure> {
    within(name, part, PART)
}

fn within(name: &str, part: &[u8], bound: usize) -> Result<(), Failure> {
    if part.len() <= bound {
        return Ok(());
    }
    let text = format!("`{name}` has {} bytes, more than {bound}, the limit for introductions", part.len());
    Err(Failure::client(Kind::InvalidParams, text))
}

/// Reads the parameters of `initialize`.
///
/// # Errors
/// `InvalidParams` when there are none, or they are too large.
pub fn read(call: &Call) -> Result<Introduction, Failure> {
    let params =
        call.envelope.params.ok_or_else(|| Failure::client(Kind::InvalidParams, "`initialize` lacks `params`"))?;
    within("params", call.part(params), WHOLE)?;
    // A copy: what else the client sent is not kept as long.
    let own = Bytes::copy_from_slice(call.part(params));
    let capabilities = wire::field(&own, "capabilities").unwrap_or(b"{}");
    fits("capabilities", capabilities)?;
    fits("clientInfo", wire::field(&own, "clientInfo").unwrap_or_default())?;
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
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::place::Place;

    /// The handshake of a client with so large a name and so many bytes beside.
    fn handshake(name: usize, beside: usize) -> Call {
        let (name, beside) = ("n".repeat(name), "b".repeat(beside));
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"junk\":\"{beside}\",\"params\":\
             {{\"capabilities\":{{}},\"clientInfo\":{{\"name\":\"{name}\"}},\"junk\":\"{beside}\"}}}}"
        );
        let body = Bytes::from(body);
        Call {
            place: Place::View("all".into()),
            era: Era::Legacy,
            envelope: wire::Envelope::parse(&body, 64).unwrap(),
            body,
            method: "initialize".into(),
            session: None,
            credential: None,
            passed_on: false,
            headers: Vec::new(),
            streams: true,
        }
    }

    #[test]
    fn an_introduction_is_bounded_and_nothing_else_is_kept_with_it() {
        let small = handshake(1000, 1000);
        let introduction = read(&small).unwrap();
        let kept = introduction.own.as_ptr_range();
        assert!(!small.body.as_ptr_range().contains(&kept.start), "the whole body is kept");
        for (name, beside, what) in [(PART, 10, "clientInfo"), (10, WHOLE, "params")] {
            let failure = read(&handshake(name, beside)).err().unwrap();
            assert_eq!(failure.kind(), Kind::InvalidParams);
            assert!(failure.message().contains(what), "{failure}");
        }
    }

    #[test]
    fn clients_with_the_same_capabilities_are_alike() {
        assert_eq!(profile(b" { } "), 0);
        assert_eq!(profile(b"{\"roots\":{}}"), profile(b"{ \"roots\" : {} }"));
        assert_ne!(profile(b"{\"roots\":{}}"), profile(b"{\"sampling\":{}}"));
    }
}

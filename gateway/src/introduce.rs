//! How a legacy client introduces itself, and which clients are alike enough to share a server's instance.

use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::fast::FixedState;
use ground::{Failure, Kind};
use upstream::Introduction;
use wire::era::LEGACY;

use crate::call::Call;

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

/// Clients with equal capabilities get the same number; those with none at all, the gateway's own (0).
fn profile(capabilities: &[u8]) -> u64 {
    let compact: Vec<u8> = capabilities.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    if compact == b"{}" {
        return 0;
    }
    FixedState::with_seed(0).hash_one(&compact).max(1)
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

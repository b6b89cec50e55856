//! `requestState` of suspended calls: sealed, so that nobody can read, change or invent one.
//!
//! AES-256-GCM with a random nonce. "requestState" of "Multi Round-Trip Requests", revision 2026-07-28: servers must
//! treat it as untrusted input, protect its integrity, and bind it to caller and request.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ground::{Failure, Kind};

/// What the seal is for; part of what it authenticates.
const PURPOSE: &[u8] = b"hostler requestState 1";
/// Bytes of a digest.
const DIGEST: usize = 32;
/// Longest sealed string that is looked at, in bytes.
const LONGEST: usize = 2048;

/// A digest of who asks or of what is asked.
pub type Digest = [u8; DIGEST];

/// What a sealed state says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Which suspended call.
    pub call: String,
    /// Who may take it up.
    pub caller: Digest,
    /// With which request.
    pub request: Digest,
    /// Until when, in seconds since 1970.
    pub expires: u64,
    /// The node that holds it, by the URL at which other nodes reach it; empty for a node on its own.
    pub node: String,
}

/// The key, and where this node is reached.
pub struct Seal {
    key: RandomizedNonceKey,
    /// The URL at which other nodes reach this one; empty when there are none.
    pub node: String,
}

impl Seal {
    /// A seal made of key material of any length, the same on all nodes.
    ///
    /// # Errors
    /// When the cryptographic library refuses its own digest as a key, which it does not.
    pub fn new(material: &[u8], node: String) -> Result<Self, Failure> {
        let key = digest_of([PURPOSE, material]);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key)
            .map_err(|error| Failure::gateway(Kind::Internal, "no seal can be made").with_detail(error))?;
        Ok(Self { key, node })
    }

    /// Seals claims.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn close(&self, claims: &Claims) -> Result<String, Failure> {
        let mut text = claims.expires.to_be_bytes().to_vec();
        text.extend_from_slice(&claims.caller);
        text.extend_from_slice(&claims.request);
        text.extend_from_slice(format!("{}\n{}", claims.call, claims.node).as_bytes());
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(PURPOSE), &mut text)
            .map_err(|error| Failure::gateway(Kind::Internal, "the state could not be sealed").with_detail(error))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce.as_ref()[..], &text].concat()))
    }

    /// What a sealed state says. `None` for anything that this key did not seal.
    #[must_use]
    pub fn open(&self, sealed: &str) -> Option<Claims> {
        if sealed.len() > LONGEST {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(PURPOSE), text).ok()?;
        let (expires, rest) = text.split_at_checked(8)?;
        let (caller, rest) = rest.split_at_checked(DIGEST)?;
        let (request, rest) = rest.split_at_checked(DIGEST)?;
        let (call, node) = std::str::from_utf8(rest).ok()?.split_once('\n')?;
        Some(Claims {
            call: call.to_owned(),
            caller: caller.try_into().ok()?,
            request: request.try_into().ok()?,
            expires: u64::from_be_bytes(expires.try_into().ok()?),
            node: node.to_owned(),
        })
    }
}

/// A digest of several parts, each told apart by its length.
#[must_use]
pub fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; DIGEST];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn claims() -> Claims {
        Claims {
            call: "0123".into(),
            caller: digest_of([&b"me"[..]]),
            request: digest_of([&b"this"[..]]),
            expires: 17,
            node: "http://10.0.0.1:1".into(),
        }
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_key_alone() {
        let seal = Seal::new(b"secret", String::new()).unwrap();
        let sealed = seal.close(&claims()).unwrap();
        assert_eq!(seal.open(&sealed), Some(claims()));
        assert_ne!(sealed, seal.close(&claims()).unwrap(), "two seals of the same are not alike");
        assert_eq!(Seal::new(b"other", String::new()).unwrap().open(&sealed), None);
        assert_eq!(Seal::new(b"secret", "elsewhere".into()).unwrap().open(&sealed), Some(claims()));
    }

    #[test]
    fn no_changed_or_invented_state_is_opened() {
        let seal = Seal::new(b"secret", String::new()).unwrap();
        let sealed = seal.close(&claims()).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character may carry bits that decode to nothing.
            assert!(seal.open(&changed).is_none_or(|opened| opened == claims() && at + 1 == sealed.len()), "{at}");
        }
        for cut in 0..sealed.len() {
            assert_eq!(seal.open(&sealed[..cut]), None);
        }
        assert_eq!(seal.open(""), None);
        assert_eq!(seal.open(&"A".repeat(LONGEST + 1)), None);
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(digest_of([&b"ab"[..], b"c"]), digest_of([&b"a"[..], b"bc"]));
    }
}

//! Names of many servers in one list: tools and prompts as `<server>__<name>`, resources as `<server>+<uri>`.
//!
//! Never keeps a table: a name that had to be mapped is found again by mapping the server's own names.

use ground::ServerName;

/// Longest tool name that the specification advises, in bytes ("Tool Names", server/tools).
const LONGEST: usize = 128;

/// Between server and name. A server's name has it nowhere and does not end with `_`, so the first one separates.
const BETWEEN: &str = "__";

/// Digits of the hash at the end of a mapped name.
const DIGITS: usize = 8;

/// The name under which a server's tool or prompt is listed: `<server>__<name>`.
///
/// Names outside the specification's rule (1 to 128 letters, digits, `_`, `-`, `.`, the server's part included) are
/// mapped: other characters become `_`, the end is cut, and `_` with eight hexadecimal digits of a hash of the original
/// follows. The hash is FNV-1a of 64 bits, folded to 32: the same on every node and after every restart.
#[must_use]
pub fn federated(server: &ServerName, name: &str) -> String {
    let room = LONGEST.saturating_sub(server.as_str().len() + BETWEEN.len());
    if !name.is_empty() && name.len() <= room && name.bytes().all(is_allowed) {
        return format!("{server}{BETWEEN}{name}");
    }
    let kept = name.chars().map(|c| if c.is_ascii() && is_allowed(c as u8) { c } else { '_' });
    let kept: String = kept.take(room.saturating_sub(1 + DIGITS)).collect();
    let hash = fnv1a(name.as_bytes());
    format!("{server}{BETWEEN}{kept}_{:08x}", (hash >> 32) as u32 ^ hash as u32)
}

/// Server and rest of a federated name, parted at the first `__`. The rest is the server's own name unless that had to
/// be mapped. Whether there is such a server is for the caller to find out.
#[must_use]
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once(BETWEEN).filter(|(server, rest)| !server.is_empty() && !rest.is_empty())
}

/// The URI, or URI template, under which a server's resource is listed: `<server>+<uri>`, for example
/// `everything+demo://resource/1`. `_` is not allowed in a URI scheme (RFC 3986, section 3.1) and becomes `.`.
#[must_use]
pub fn federated_uri(server: &ServerName, uri: &str) -> String {
    format!("{}+{uri}", server.as_str().replace('_', "."))
}

/// Server's name and own URI of a federated URI, parted at the first `+`; `None` when what stands before it cannot be a
/// server. Whether there is such a server is for the caller to find out: `git+ssh://host` has the same form.
#[must_use]
pub fn split_uri(uri: &str) -> Option<(String, &str)> {
    let (scheme, rest) = uri.split_once('+')?;
    if scheme.contains('_') {
        return None;
    }
    let server = ServerName::new(&scheme.replace('.', "_")).ok()?;
    Some((server.as_str().to_owned(), rest))
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;

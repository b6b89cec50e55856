//! The guards at the gate: who may talk to this address at all. They read headers only.
//!
//! Host and Origin checks keep web pages from reaching a gateway on loopback by DNS rebinding, as every revision of the
//! specification demands. They are the gateway's own, whatever a server behind it checks.

use std::net::IpAddr;

use ground::{Failure, Kind};
use http::{HeaderMap, HeaderValue, Uri, header};
use plan::Plan;

/// Checks `Host` and `Origin`. Every host that a request names must be one that is served, and every origin allowed.
///
/// # Errors
/// `Forbidden`, naming what was wrong and the setting that allows it; `InvalidRequest` for a host that is malformed or
/// named twice (RFC 9112, section 3.2).
pub fn gate(plan: &Plan, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let named =
        [uri.authority().map(|authority| authority.as_str().as_bytes()), hosts.next().map(HeaderValue::as_bytes)];
    if hosts.next().is_some() {
        return Err(Failure::client(Kind::InvalidRequest, "the header Host stands twice"));
    }
    for authority in named.into_iter().flatten() {
        host_served(plan, authority)?;
    }
    if named == [None, None] && !plan.guards.any_host {
        return Err(not_served(""));
    }
    match headers.get_all(header::ORIGIN).iter().find(|origin| !origin_allowed(plan, origin)) {
        Some(origin) => {
            let origin = printable(origin.as_bytes());
            let text = format!("origin `{origin}` may not connect; allow it under `http.origins`");
            Err(Failure::client(Kind::Forbidden, text))
        }
        None => Ok(()),
    }
}

fn host_served(plan: &Plan, authority: &[u8]) -> Result<(), Failure> {
    let Some(host) = std::str::from_utf8(authority).ok().and_then(Host::of) else {
        let text = format!("host `{}` is malformed", printable(authority));
        return Err(Failure::client(Kind::InvalidRequest, text));
    };
    let served = plan.guards.any_host
        || host.is_loopback()
        || host == Host::Address(plan.listen.address.ip())
        || plan.guards.hosts.iter().any(|allowed| Host::of(allowed).as_ref() == Some(&host));
    if served { Ok(()) } else { Err(not_served(&printable(authority))) }
}

fn not_served(host: &str) -> Failure {
    Failure::client(Kind::Forbidden, format!("host `{host}` is not served here; allow it under `http.hosts`"))
}

fn printable(value: &[u8]) -> String {
    value.iter().take(200).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }).collect()
}

/// The host of an authority without user information. Stricter than RFC 3986, which lets a name be percent-encoded and a
/// port be empty: whatever another reader could take for another host is none.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

impl Host {
    /// Of `host`, `host:port`, `[v6]` or `[v6]:port`.
    fn of(authority: &str) -> Option<Self> {
        let (host, rest) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (address, rest) = inside.split_once(']')?;
                (Self::Address(IpAddr::V6(address.parse().ok()?)), rest)
            }
            None => {
                let (name, rest) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                (!name.is_empty() && name.bytes().all(fits)).then_some(())?;
                let address = name.parse().map(|address| Self::Address(IpAddr::V4(address)));
                (address.unwrap_or_else(|_| Self::Name(name.to_ascii_lowercase())), rest)
            }
        };
        (rest.is_empty() || is_port(rest.strip_prefix(':')?)).then_some(host)
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }
}

/// One to five digits that are a port; `parse` alone would take a sign.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 5 && text.parse::<u16>().is_ok()
}

fn origin_allowed(plan: &Plan, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    if plan.guards.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.and_then(Host::of).is_some_and(|host| host.is_loopback())
}

/// Whether a media type is among those a client accepts; a client that says nothing accepts all.
#[must_use]
pub fn accepts(headers: &HeaderMap, media: &str) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let family = media.split('/').next().unwrap_or(media);
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let range = range.split(';').next().unwrap_or(range).trim();
        range.eq_ignore_ascii_case(media)
            || range == "*/*"
            || range.strip_suffix("/*").is_some_and(|f| f.eq_ignore_ascii_case(family))
    })
}

/// Whether a client names streams of events before all else that it accepts.
#[must_use]
pub fn prefers_events(headers: &HeaderMap) -> bool {
    let first = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let media = first.and_then(|value| value.split([',', ';']).next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("text/event-stream"))
}

#[cfg(test)]
mod tests;

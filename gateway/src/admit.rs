//! The guards at the gate: who may talk to this address at all. They read headers only.
//!
//! Host and Origin checks keep web pages from reaching a gateway on loopback by DNS rebinding, as every revision of the
//! specification demands. They are the gateway's own, whatever a server behind it checks.

use ground::{Failure, Kind};
use http::{HeaderMap, HeaderValue, Uri, header};
use plan::Plan;

/// Checks `Host` and `Origin`.
///
/// # Errors
/// `Forbidden`, naming what was wrong and the setting that allows it.
pub fn gate(plan: &Plan, uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST).and_then(|value| value.to_str().ok()),
    };
    if !plan.guards.any_host && !host.is_some_and(|host| host_allowed(plan, host)) {
        let text = format!("host `{}` is not served here; allow it under `http.hosts`", host.unwrap_or(""));
        return Err(Failure::client(Kind::Forbidden, text));
    }
    match headers.get(header::ORIGIN) {
        Some(origin) if !origin_allowed(plan, origin) => {
            let text = format!("origin `{}` may not connect; allow it under `http.origins`", printable(origin));
            Err(Failure::client(Kind::Forbidden, text))
        }
        _ => Ok(()),
    }
}

fn printable(value: &HeaderValue) -> String {
    value.to_str().unwrap_or("").chars().take(200).collect()
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host_allowed(plan: &Plan, authority: &str) -> bool {
    let host = host_of(authority);
    is_loopback(host)
        || plan.guards.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
        || host.parse() == Ok(plan.listen.address.ip())
}

fn origin_allowed(plan: &Plan, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    if plan.guards.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|authority| !authority.contains('/') && is_loopback(host_of(authority)))
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

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn hosts_are_read_from_every_form() {
        for (authority, host) in
            [("a:1", "a"), ("a", "a"), ("[::1]:8", "::1"), ("[::1]", "::1"), ("127.0.0.1:7400", "127.0.0.1")]
        {
            assert_eq!(host_of(authority), host);
        }
        assert!(is_loopback("127.0.0.5") && is_loopback("::1") && is_loopback("LocalHost"));
        assert!(!is_loopback("localhost.example.com") && !is_loopback("10.0.0.1"));
    }

    #[test]
    fn accept_headers_are_understood() {
        let mut headers = HeaderMap::new();
        assert!(accepts(&headers, "application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream;q=0.9, application/*"));
        assert!(accepts(&headers, "application/json") && accepts(&headers, "text/event-stream"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        assert!(!accepts(&headers, "application/json"));
    }
}

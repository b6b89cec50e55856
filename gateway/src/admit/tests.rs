//! Which hosts, origins and media types are let in.

#![allow(clippy::unwrap_used)]

use http::HeaderMap;

use super::*;

#[test]
fn hosts_are_read_from_every_form() {
    let name = |name: &str| Some(Host::Name(name.into()));
    let address = |text: &str| Some(Host::Address(text.parse().unwrap()));
    for (authority, host) in [
        ("a:1", name("a")),
        ("A_b.c-d", name("a_b.c-d")),
        ("[::1]:8", address("::1")),
        ("[0:0::1]", address("::1")),
        ("127.0.0.1:7400", address("127.0.0.1")),
        ("a:65535", name("a")),
    ] {
        assert_eq!(Host::of(authority), host, "{authority}");
    }
    for (authority, loopback) in [
        ("127.0.0.5", true),
        ("[::1]", true),
        ("LocalHost", true),
        ("localhost.example.com", false),
        ("10.0.0.1", false),
    ] {
        assert_eq!(Host::of(authority).unwrap().is_loopback(), loopback, "{authority}");
    }
}

#[test]
fn what_two_readers_could_take_for_two_hosts_is_none() {
    for authority in MALFORMED {
        assert_eq!(Host::of(authority), None, "{authority}");
    }
}

/// The first host of each is one that is served.
const MALFORMED: [&str; 21] = [
    "",
    ":80",
    "localhost:80@evil.example",
    "localhost@evil.example",
    "user:pass@localhost",
    "localhost:",
    "localhost:x",
    "localhost:80x",
    "localhost:+80",
    "localhost:65536",
    "localhost:000080",
    "localhost:80:80",
    "localhost/evil",
    "localhost,evil.example",
    "localhost evil.example",
    "localhost%00.evil.example",
    "[::1].evil.example",
    "[::1]evil.example:80",
    "[::1]:",
    "[::1",
    "[127.0.0.1]",
];

fn plan(hosts: &[&str], origins: &[&str]) -> Plan {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    Plan {
        listen: plan::Listen { address: "10.1.2.3:7400".parse().unwrap(), threads: None },
        cluster: plan::Cluster::default(),
        guards: plan::Guards { hosts: texts(hosts), origins: texts(origins), any_host: false },
        limits: plan::Limits::default(),
        servers: Vec::new(),
        views: Vec::new(),
        log: plan::Log { level: String::new(), json: false },
        state_dir: std::path::PathBuf::new(),
    }
}

fn gated(plan: &Plan, uri: &str, fields: &[(http::HeaderName, &str)]) -> Option<Kind> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, value.parse().unwrap());
    }
    gate(plan, &uri.parse().unwrap(), &headers).err().map(|failure| failure.kind())
}

#[test]
fn every_host_that_is_named_must_be_served() {
    let plan = plan(&["gate.example", "[fd00::1]"], &[]);
    for host in ["localhost", "127.0.0.1:7400", "10.1.2.3:7400", "Gate.Example:443", "[fd00:0::1]:7400"] {
        assert_eq!(gated(&plan, "/mcp", &[(header::HOST, host)]), None, "{host}");
    }
    assert_eq!(gated(&plan, "/mcp", &[(header::HOST, "evil.example")]), Some(Kind::Forbidden));
    assert_eq!(gated(&plan, "/mcp", &[]), Some(Kind::Forbidden));
    let both = [(header::HOST, "localhost"), (header::HOST, "localhost")];
    assert_eq!(gated(&plan, "/mcp", &both), Some(Kind::InvalidRequest));
    for (uri, host) in [("http://evil.example/mcp", "localhost"), ("http://localhost/mcp", "evil.example")] {
        assert_eq!(gated(&plan, uri, &[(header::HOST, host)]), Some(Kind::Forbidden), "{uri} {host}");
    }
    for host in MALFORMED {
        assert_eq!(gated(&plan, "/mcp", &[(header::HOST, host)]), Some(Kind::InvalidRequest), "{host}");
    }
}

#[test]
fn any_host_may_be_named_where_the_configuration_says_so_if_it_is_one() {
    let mut plan = plan(&[], &[]);
    plan.guards.any_host = true;
    assert_eq!(gated(&plan, "/mcp", &[]), None);
    assert_eq!(gated(&plan, "/mcp", &[(header::HOST, "anything.example:1")]), None);
    assert_eq!(gated(&plan, "/mcp", &[(header::HOST, "a@b")]), Some(Kind::InvalidRequest));
}

#[test]
fn origins_are_loopback_or_named() {
    let plan = plan(&[], &["https://app.example", "vscode-webview://abc"]);
    let origin = |origins: &[&str]| {
        let origins: Vec<_> = origins.iter().map(|origin| (header::ORIGIN, *origin)).collect();
        gated(&plan, "/mcp", &[&[(header::HOST, "localhost")], &origins[..]].concat())
    };
    for good in
        ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:1", "https://App.example", "vscode-webview://abc"]
    {
        assert_eq!(origin(&[good]), None, "{good}");
    }
    for bad in ["null", "http://evil.example", "ftp://localhost", "localhost", "http://localhost/", "http://localhost#"]
    {
        assert_eq!(origin(&[bad]), Some(Kind::Forbidden), "{bad}");
    }
    for authority in MALFORMED {
        assert_eq!(origin(&[&format!("http://{authority}")]), Some(Kind::Forbidden), "{authority}");
    }
    assert_eq!(origin(&["http://localhost", "http://evil.example"]), Some(Kind::Forbidden));
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

#[test]
fn streams_are_preferred_only_where_they_are_named_first() {
    for (accept, preferred) in [
        ("text/event-stream, application/json", true),
        ("Text/Event-Stream;q=1", true),
        ("application/json, text/event-stream", false),
        ("text/event-streams, application/json", false),
        ("*/*", false),
    ] {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        assert_eq!(prefers_events(&headers), preferred, "{accept}");
    }
    assert!(!prefers_events(&HeaderMap::new()));
}

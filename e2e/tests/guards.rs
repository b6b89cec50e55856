//! What the gateway refuses, and what it tells about itself, before and beside the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::{
    Setting,
    http::{Ask, Session},
    server, wait,
};
use http::Method;
use serde_json::{Value, json};

fn hello() -> Value {
    let info = json!({ "name": "e2e-raw", "version": "1.0.0" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })
}

#[tokio::test]
async fn foreign_origins_and_hosts_are_refused_and_local_ones_are_not() {
    let gateway = Setting::of([server::everything()]).start().await;
    let address = gateway.address();
    for (header, value, status) in [
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("host", "evil.example", 403),
        ("host", "evil.example:80", 403),
        ("host", "localhost:80@evil.example", 400),
        ("host", "[::1].evil.example", 400),
        ("host", "localhost:", 400),
        ("host", "localhost:80x", 400),
        ("origin", "http://localhost:80@evil.example", 403),
        ("origin", "http://[::1].evil.example", 403),
        ("origin", "http://localhost:6274", 200),
        ("host", "localhost", 200),
    ] {
        let answer = Ask::post(address, "/mcp", &hello()).header(header, value).send().await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{header}: {value}");
    }
}

#[tokio::test]
async fn what_is_not_the_protocol_is_refused_with_the_right_status() {
    let gateway = Setting::of([server::everything()]).with("limits", json!({ "body": "1MiB" })).start().await;
    let address = gateway.address();
    let post = || Ask::post(address, "/mcp", &hello());
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    for (what, ask, status) in [
        ("no JSON", post().body("{oops"), 400),
        ("no message", post().body("{\"hello\":1}"), 400),
        ("too large", post().body(vec![b' '; 2 << 20]), 413),
        ("other media", post().header("content-type", "text/plain"), 415),
        ("no session", Ask::post(address, "/mcp", &list).header("mcp-protocol-version", "2025-11-25"), 400),
        ("no such server", Ask::post(address, "/servers/nobody/mcp", &hello()), 404),
        ("no such view", Ask::post(address, "/v/nobody/mcp", &hello()), 404),
        ("no such path", Ask::get(address, "/nowhere"), 404),
        ("no such method", Ask::new(address, Method::PUT, "/mcp"), 405),
    ] {
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{what}");
    }
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    let nested = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"x\":{deep}}}}}");
    let answer = post().body(nested).send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 400, "nested too deeply");
}

#[tokio::test]
async fn a_modern_request_whose_headers_disagree_with_its_body_is_refused() {
    let gateway = Setting::of([server::both()]).start().await;
    let params = || json!({ "name": "both__echo", "arguments": { "message": "hi" } });
    let ask = || Ask::modern(gateway.address(), "/mcp", 1, "tools/call", params());
    assert_eq!(ask().send().await.unwrap().status.as_u16(), 200);
    for (what, ask) in [
        ("another name", ask().header("mcp-name", "both__fail")),
        ("another method", ask().header("mcp-method", "tools/list")),
        ("another version", ask().header("mcp-protocol-version", "2025-11-25")),
        ("no name", ask().without("mcp-name")),
        ("no method", ask().without("mcp-method")),
    ] {
        let answer = ask.send().await.unwrap();
        let status = answer.status.as_u16();
        let refusal = answer.message().await;
        assert_eq!((status, &refusal["error"]["code"]), (400, &json!(-32020)), "{what}: {refusal:#}");
    }
}

#[tokio::test]
async fn a_modern_notification_is_refused_only_where_its_headers_say_something_else() {
    let gateway = Setting::of([server::both()]).start().await;
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/anything", "params": { "_meta": meta } });
    let ask = || Ask::post(gateway.address(), "/mcp", &note);
    for (what, ask, status) in [
        ("without headers", ask(), 202),
        ("with the right ones", ask().header("mcp-method", "notifications/anything"), 202),
        ("another method", ask().header("mcp-method", "tools/call"), 400),
        ("another version", ask().header("mcp-protocol-version", "2025-11-25"), 400),
    ] {
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{what}");
        if status == 400 {
            assert_eq!(answer.message().await["error"]["code"], -32020, "{what}");
        }
    }
}

#[tokio::test]
async fn a_session_takes_any_revision_that_is_served_in_its_version_header_and_no_other() {
    let gateway = Setting::of([server::everything()]).start().await;
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for (version, status) in [("2025-11-25", 200), ("2025-06-18", 200), ("2025-12-31", 400), ("latest", 400), ("", 400)]
    {
        let answer = session.ask(&ping).header("mcp-protocol-version", version).send().await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "`{version}`");
    }
    let answer = session.ask(&ping).without("mcp-protocol-version").send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "revision 2025-03-26 has no such header");
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let gateway = Setting::of([server::everything()]).start().await;
    for path in ["/health", "/ready", "/live"] {
        assert_eq!(Ask::get(gateway.address(), path).send().await.unwrap().status.as_u16(), 200, "{path}");
    }
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    let call = json!({ "name": "everything__echo", "arguments": { "message": "counted" } });
    assert!(session.call(1, "tools/call", call).await.unwrap().get("result").is_some());
    let metrics = Ask::get(gateway.address(), "/metrics").send().await.unwrap().bytes().await;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    let counted = metrics.lines().find(|line| line.contains("everything") && line.contains("echo"));
    assert!(counted.is_some(), "the call was not counted:\n{metrics}");
    assert!(!gateway.log().contains("counted"), "arguments do not belong in the log");
}

#[tokio::test]
async fn another_level_of_the_log_is_in_force_at_once() {
    let setting = || Setting::of([server::everything()]);
    let gateway = setting().start().await;
    assert!(!gateway.log().contains("DEBUG"));
    gateway.configure(&setting().with("log", json!({ "level": "info,gateway=debug" })));
    let refused = async || {
        let answer = Ask::get(gateway.address(), "/mcp").send().await.unwrap();
        assert_eq!(answer.status.as_u16(), 405);
        gateway.log().contains("DEBUG").then_some(())
    };
    wait::until("refused requests are in the log", Duration::from_secs(60), refused).await;
}

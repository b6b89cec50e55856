//! Which eras an endpoint offers: both, whatever stands behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::net::SocketAddr;

use e2e::{
    Client, Gateway, Setting,
    http::{Ask, Session},
    server,
};
use serde_json::{Value, json};

async fn mixed() -> Gateway {
    Setting::of([server::everything(), server::time()]).start().await
}

async fn discover(address: SocketAddr, path: &str) -> (u16, Value) {
    let answer = Ask::modern(address, path, 1, "server/discover", json!({})).send().await.unwrap();
    (answer.status.as_u16(), answer.message().await)
}

#[tokio::test]
async fn a_client_that_probes_speaks_modern_whatever_stands_behind() {
    let gateway = mixed().await;
    for client in [Client::Ts2Auto, Client::PythonAuto] {
        for place in [gateway.at("/mcp"), gateway.untouched("time"), gateway.untouched("everything")] {
            let seen = client.run(&place, "handshake", json!({})).await;
            assert_eq!(seen.observed()["era"], "modern", "{}", seen.what());
            assert_eq!(seen.observed()["protocolVersion"], "2026-07-28", "{}", seen.what());
        }
    }
}

#[tokio::test]
async fn a_pinned_client_is_served_by_servers_of_both_eras() {
    let gateway = mixed().await;
    for client in [Client::Ts2Modern, Client::PythonModern] {
        let calls = json!([
            { "name": "everything__echo", "arguments": { "message": "hi" } },
            { "name": "time__get_current_time", "arguments": { "timezone": "Etc/UTC" } },
        ]);
        let seen = client.run(&gateway.at("/mcp"), "tools", json!({ "calls": calls })).await;
        assert_eq!(e2e::claims::text(&seen.observed()["calls"][0]), "Echo: hi", "{}", seen.what());
        assert!(seen.observed()["calls"][1].get("result").is_some(), "{}", seen.what());
    }
}

#[tokio::test]
async fn a_probe_of_any_server_names_the_modern_revision() {
    let gateway = mixed().await;
    for path in ["/mcp", "/servers/time/mcp", "/servers/everything/mcp"] {
        let (status, found) = discover(gateway.address(), path).await;
        assert_eq!(status, 200, "{path}: {found:#}");
        let versions = found["result"]["supportedVersions"].as_array().unwrap();
        assert!(versions.contains(&json!("2026-07-28")), "{path}: {found:#}");
        assert_eq!(found["result"]["resultType"], "complete", "{path}: {found:#}");
    }
}

#[tokio::test]
async fn a_revision_that_nobody_knows_is_refused_with_those_that_are_served() {
    let gateway = mixed().await;
    let version = "io.modelcontextprotocol/protocolVersion";
    let meta = json!({ version: "1900-01-01", "io.modelcontextprotocol/clientCapabilities": {} });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let ask = Ask::modern(gateway.address(), "/mcp", 1, "tools/list", json!({}));
    let ask = ask.without("mcp-protocol-version").header("mcp-protocol-version", "1900-01-01").body(body.to_string());
    let answer = ask.send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 400);
    let refusal = answer.message().await;
    assert_eq!((&refusal["error"]["code"], &refusal["id"]), (&json!(-32022), &json!(1)), "{refusal:#}");
    let supported = json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]);
    assert_eq!(refusal["error"]["data"]["supported"], supported, "{refusal:#}");
    assert_eq!(refusal["error"]["data"]["requested"], "1900-01-01", "{refusal:#}");
}

#[tokio::test]
async fn every_legacy_revision_is_served_as_it_was_asked_for() {
    let gateway = mixed().await;
    for path in ["/mcp", "/servers/time/mcp", "/servers/everything/mcp"] {
        for version in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
            let session = Session::open(gateway.address(), path, version, json!({})).await.unwrap();
            assert_eq!(session.version(), version, "{path}");
            let listed = session.call(1, "tools/list", json!({})).await.unwrap();
            assert!(listed["result"]["tools"].is_array(), "{path} {version}: {listed:#}");
            assert!(session.end().await.unwrap().is_success());
        }
    }
}

#[tokio::test]
async fn a_handshake_with_the_headers_of_the_modern_era_is_an_unknown_method() {
    let gateway = Setting::of([server::time()]).start().await;
    let answer = Ask::modern(gateway.address(), "/mcp", 5, "initialize", json!({})).send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 404);
    let refusal = answer.message().await;
    assert_eq!((&refusal["error"]["code"], &refusal["id"]), (&json!(-32601), &json!(5)), "{refusal:#}");
    // While the legacy handshake works at the same URL.
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    assert!(session.id.is_some());
}

//! Which eras an endpoint offers: those that all of its servers have, and clients find their way to them.
//!
//! This is so until the gateway carries calls from one era to the other; then `/mcp` offers both whatever stands behind.
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
async fn a_client_that_probes_falls_back_where_one_server_is_legacy_only() {
    let gateway = mixed().await;
    for client in [Client::Ts2Auto, Client::PythonAuto] {
        let seen = client.run(&gateway.at("/mcp"), "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "legacy", "{}", seen.what());
        assert_eq!(seen.observed()["protocolVersion"], "2025-11-25", "{}", seen.what());
        let probe = &seen.http()[0];
        assert_eq!(probe["rpc"], "server/discover", "{}", seen.what());
        assert_eq!(probe["status"], 400, "{}", seen.what());
    }
}

#[tokio::test]
async fn the_same_client_speaks_modern_where_all_servers_do() {
    let gateway = mixed().await;
    for client in [Client::Ts2Auto, Client::PythonAuto] {
        let seen = client.run(&gateway.untouched("time"), "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "modern", "{}", seen.what());
        let seen = client.run(&gateway.untouched("everything"), "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "legacy", "{}", seen.what());
    }
}

#[tokio::test]
async fn a_pinned_client_is_told_why_it_cannot_be_served() {
    let gateway = mixed().await;
    let seen = Client::Ts2Modern.run(&gateway.at("/mcp"), "handshake", json!({})).await;
    assert!(seen.error().is_some(), "{}: {:#}", seen.what(), seen.observed());
    // This one does not probe, so it learns it from its first request.
    let seen = Client::PythonModern.run(&gateway.at("/mcp"), "tools", json!({})).await;
    let error = seen.error().unwrap_or_else(|| panic!("{}: {:#}", seen.what(), seen.observed()));
    assert_eq!(error["code"], -32022, "{}: {error:#}", seen.what());
}

#[tokio::test]
async fn a_probe_names_the_revisions_that_are_served() {
    let gateway = mixed().await;
    let (status, refusal) = discover(gateway.address(), "/mcp").await;
    assert_eq!((status, &refusal["error"]["code"]), (400, &json!(-32022)), "{refusal:#}");
    let supported = json!(["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]);
    assert_eq!(refusal["error"]["data"]["supported"], supported, "{refusal:#}");
    assert_eq!(refusal["error"]["data"]["requested"], "2026-07-28", "{refusal:#}");
    assert_eq!(refusal["id"], 1, "the TypeScript client only believes an error with its own id: {refusal:#}");
    let (status, found) = discover(gateway.address(), "/servers/time/mcp").await;
    assert_eq!(status, 200, "{found:#}");
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")), "{found:#}");
    assert_eq!(found["result"]["resultType"], "complete", "{found:#}");
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

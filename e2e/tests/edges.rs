//! The edges of what crosses eras: ids of every kind that JSON has, and callers by the thousand who never come back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use e2e::{
    Gateway, Server, Setting,
    attempt::{Attempt, asked},
    http::{Ask, Session},
    wait::until,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use testkit::Httpd;

const PATH: &str = "/servers/web/mcp";
const PATIENCE: Duration = Duration::from_secs(240);

async fn before(web: &Httpd, limits: Value) -> Gateway {
    let server = Server::remote("web", web.url(), "http");
    Setting::of([server]).with("limits", limits).start().await
}

async fn metric(gateway: &Gateway, name: &str) -> f64 {
    let text = Ask::get(gateway.address(), "/metrics").send().await.unwrap().bytes().await;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

async fn until_none(gateway: &Gateway, name: &str) {
    until(&format!("{name} is 0"), PATIENCE, async || (metric(gateway, name).await == 0.0).then_some(())).await;
}

#[tokio::test]
async fn ten_thousand_suspended_calls_that_are_abandoned_leave_nothing() {
    let web = Httpd::start(&["--threads", "1", "--mode", "legacy"]);
    let gateway = before(&web, json!({ "suspend": "10s", "suspended": 2000 })).await;
    let (address, callers) = (gateway.address(), ["one", "two", "three", "four", "five"]);
    let abandon = |from: usize, until: usize| {
        stream::iter(from..until).for_each_concurrent(16, |number| async move {
            let (status, answer) = Attempt::at(PATH).by(callers[number % callers.len()]).send(address).await;
            assert_eq!(status, 200, "{answer:#}");
            let _ = asked(&answer);
        })
    };
    abandon(0, 2000).await;
    let full = metric(&gateway, "process_resident_memory_bytes").await;
    abandon(2000, 10_000).await;
    assert!(metric(&gateway, "hostler_suspended_calls").await <= 2000.0);
    until_none(&gateway, "hostler_suspended_calls").await;
    until_none(&gateway, "hostler_calls_in_flight").await;
    let after = metric(&gateway, "process_resident_memory_bytes").await;
    assert!(after < full + 32e6, "{full} bytes with 2,000 waiting, {after} after 10,000 were abandoned");
    // All is as before.
    let (_, answer) = Attempt::at(PATH).send(address).await;
    let _ = asked(&answer);
}

/// A request with this raw id, as it stands.
fn raw(ask: Ask, id: &str, method: &str, params: &Value) -> Ask {
    ask.body(Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)))
}

#[tokio::test]
async fn ids_of_every_json_kind_come_back_as_they_were_or_are_refused_across_eras() {
    let modern = Httpd::start(&["--threads", "1", "--mode", "modern"]);
    let legacy = Httpd::start(&["--threads", "1", "--mode", "legacy"]);
    let (to_modern, to_legacy) = (before(&modern, json!({})).await, before(&legacy, json!({})).await);
    let session = Session::open(to_modern.address(), PATH, "2025-11-25", json!({})).await.unwrap();
    let call = json!({ "name": "echo", "arguments": { "text": "hello" } });
    let mut lone = call.clone();
    lone["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let down = |id: &str| raw(session.ask(&json!({})), id, "tools/call", &call);
    let up = |id: &str| {
        let ask = Ask::modern(to_legacy.address(), PATH, 1, "tools/call", call.clone());
        raw(ask, id, "tools/call", &lone)
    };
    for id in ["1", "0", "-7", "12345678901234567890123", r#""x""#, r#""""#, r#""é \u00e9 \" \\""#] {
        for (way, ask) in [("down", down(id)), ("up", up(id))] {
            let answer = String::from_utf8(ask.send().await.unwrap().bytes().await.to_vec()).unwrap();
            assert!(answer.contains(&format!(r#""id":{id}"#)) && answer.contains("hello"), "{way} {id}: {answer}");
        }
    }
    for id in ["null", "true", "{}", "[]", "[1]", r#"{"id":1}"#] {
        for (way, ask) in [("down", down(id)), ("up", up(id))] {
            let answer = ask.send().await.unwrap();
            assert_eq!(answer.status.as_u16(), 400, "{way} {id}");
            assert!(answer.message().await["error"]["code"].is_i64(), "{way} {id}");
        }
    }
}

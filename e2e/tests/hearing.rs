//! What is heard across the eras goes on being heard: through refusals, slow servers, deaths and changed configurations.
//!
//! All waits are for conditions, bounded far above what a busy machine needs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{net::SocketAddr, time::Duration};

use e2e::{
    Gateway, Server, Setting,
    http::{Answer, Ask, Session},
    wait::until,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const PATH: &str = "/servers/faulty/mcp";
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a server is made to tell of a resource.
const PACE: Duration = Duration::from_millis(200);
/// After this long a caller leaves, while its server is still busy with subscriptions.
const IMPATIENCE: Duration = Duration::from_millis(350);

fn faulty(options: &[&str]) -> Server {
    let program = testkit::program("faulty");
    Server::of("faulty", &[&[program.to_str().expect("test paths are UTF-8")], options].concat())
}

async fn gateway(options: &[&str]) -> Gateway {
    Setting::of([faulty(options)]).start().await
}

fn uris<'a>(uris: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "notifications": { "resourceSubscriptions": uris.into_iter().collect::<Vec<_>>() } })
}

/// A modern listener, and what was acknowledged to it.
async fn listen(address: SocketAddr, filter: Value) -> (Answer, Value) {
    let mut stream = Ask::modern(address, PATH, 1, "subscriptions/listen", filter).send().await.unwrap();
    let first: Value = serde_json::from_str(&stream.event().await.expect("an acknowledgement").data).unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first:#}");
    (stream, first["params"]["notifications"].clone())
}

async fn tool(address: SocketAddr, name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    Ask::modern(address, PATH, 2, "tools/call", params).send().await.unwrap().message().await
}

/// What the server says of the requests that it got.
async fn pending(address: SocketAddr) -> Option<Value> {
    let found = tool(address, "pending", json!({})).await["result"]["structuredContent"].take();
    found.is_object().then_some(found)
}

async fn until_subscribed(address: SocketAddr, uris: &[&str]) {
    until("everything is subscribed to", PATIENCE, async || {
        let found = pending(address).await?;
        assert_eq!(found["cancelled"], json!([]), "nothing is taken back");
        (found["subscribed"] == json!(uris)).then_some(())
    })
    .await;
}

async fn session(gateway: &Gateway) -> Session {
    Session::open(gateway.address(), PATH, "2025-11-25", json!({})).await.unwrap()
}

async fn subscribe(session: &Session, uri: &str) -> Value {
    session.call(5, "resources/subscribe", json!({ "uri": uri })).await.unwrap()
}

/// Reads a stream until it tells of an update of this resource; what is told of others fails the test.
async fn hears(stream: &mut Answer, uri: &str) {
    loop {
        let event = stream.event().await.expect("the stream goes on");
        let message: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if message["method"] == "notifications/resources/updated" {
            assert_eq!(message["params"]["uri"], uri, "{message:#}");
            return;
        }
    }
}

/// Has the server tell of a resource again and again, until the stream tells of it.
async fn hears_again(address: SocketAddr, stream: &mut Answer, uri: &str) {
    let telling = async {
        loop {
            tool(address, "update", json!({ "uri": uri })).await;
            sleep(PACE).await;
        }
    };
    let heard = async { timeout(PATIENCE, hears(stream, uri)).await.expect("it is heard again") };
    tokio::select! { () = heard => {}, () = telling => {} }
}

#[tokio::test]
async fn a_resource_that_a_modern_server_refuses_to_one_session_costs_the_others_nothing() {
    let gateway = gateway(&["--mode", "modern", "--refuse-uris", "bogus"]).await;
    let (address, first, second) = (gateway.address(), session(&gateway).await, session(&gateway).await);
    let mut stream = first.stream().send().await.unwrap();
    assert_eq!(subscribe(&first, "r://good").await["result"], json!({}));
    tool(address, "update", json!({ "uri": "r://good" })).await;
    hears(&mut stream, "r://good").await;
    let refused = subscribe(&second, "r://bogus").await;
    assert_eq!(refused["error"]["code"], -32602, "{refused:#}");
    tool(address, "update", json!({ "uri": "r://good" })).await;
    hears(&mut stream, "r://good").await;
    second.end().await.unwrap();
    let third = session(&gateway).await;
    let mut others = third.stream().send().await.unwrap();
    let long = subscribe(&third, &format!("r://{}", "x".repeat(1 << 20))).await;
    assert_eq!(long["error"]["code"], -32602, "one that is far too long is not even asked for");
    assert_eq!(subscribe(&third, "r://other").await["result"], json!({}));
    for uri in ["r://other", "r://good"] {
        tool(address, "update", json!({ "uri": uri })).await;
    }
    hears(&mut others, "r://other").await;
    hears(&mut stream, "r://good").await;
}

#[tokio::test]
async fn what_a_slow_legacy_server_was_asked_for_is_subscribed_to_in_the_end() {
    let gateway = gateway(&["--mode", "legacy", "--slow-subscribe", "2000"]).await;
    let wanted = ["r://a", "r://b", "r://c"];
    let (_stream, acknowledged) = listen(gateway.address(), uris(wanted)).await;
    assert_eq!(acknowledged["resourceSubscriptions"], json!(wanted));
    until_subscribed(gateway.address(), &wanted).await;
}

#[tokio::test]
async fn what_a_legacy_server_refuses_is_not_acknowledged() {
    let gateway = gateway(&["--mode", "legacy", "--refuse-uris", "bogus"]).await;
    let (_stream, acknowledged) = listen(gateway.address(), uris(["r://bogus", "r://good"])).await;
    assert_eq!(acknowledged["resourceSubscriptions"], json!(["r://good"]));
}

#[tokio::test]
async fn a_caller_that_leaves_while_a_legacy_server_comes_back_costs_listeners_nothing() {
    let gateway = gateway(&["--mode", "legacy", "--slow-subscribe", "300"]).await;
    let (address, wanted) = (gateway.address(), ["r://a", "r://b", "r://c", "r://d"]);
    let (mut stream, _) = listen(address, uris(wanted)).await;
    until_subscribed(address, &wanted).await;
    tool(address, "crash", json!({})).await;
    // Whoever opens the session anew leaves half way.
    until("callers left", PATIENCE, async || {
        let left = timeout(IMPATIENCE, tool(address, "echo", json!({ "text": "x" }))).await;
        left.is_ok_and(|answer| answer.get("result").is_some()).then_some(())
    })
    .await;
    until_subscribed(address, &wanted).await;
    hears_again(address, &mut stream, "r://d").await;
}

#[tokio::test]
async fn a_listener_follows_a_legacy_server_that_is_changed_and_ends_with_one_that_is_removed() {
    let server = faulty(&["--mode", "legacy"]);
    let gateway = Setting::of([server.clone()]).start().await;
    let (mut stream, _) = listen(gateway.address(), uris(["r://a"])).await;
    gateway.configure(&Setting::of([server.clone().env("CHANGED", "1")]));
    let changed = async || {
        let found = tool(gateway.address(), "env", json!({ "name": "CHANGED" })).await;
        (found["result"]["content"][0]["text"] == "1").then_some(())
    };
    until("the new server answers", PATIENCE, changed).await;
    hears_again(gateway.address(), &mut stream, "r://a").await;
    gateway.configure(&Setting::of([server.named("another")]));
    let ended = loop {
        let message: Value = serde_json::from_str(&stream.event().await.expect("a last message").data).unwrap();
        if message.get("id").is_some() {
            break message;
        }
    };
    assert_eq!((&ended["id"], &ended["result"]["resultType"]), (&json!(1), &json!("complete")), "{ended:#}");
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn a_session_that_only_listens_hears_again_after_its_server_died_or_was_changed() {
    for mode in ["modern", "legacy"] {
        let server = faulty(&["--mode", mode]);
        let gateway = Setting::of([server.clone()]).start().await;
        let session = session(&gateway).await;
        let mut stream = session.stream().send().await.unwrap();
        assert_eq!(subscribe(&session, "r://a").await["result"], json!({}));
        hears_again(gateway.address(), &mut stream, "r://a").await;
        tool(gateway.address(), "crash", json!({})).await;
        hears_again(gateway.address(), &mut stream, "r://a").await;
        gateway.configure(&Setting::of([server.env("CHANGED", "1")]));
        let changed = async || {
            let found = tool(gateway.address(), "env", json!({ "name": "CHANGED" })).await;
            (found["result"]["content"][0]["text"] == "1").then_some(())
        };
        until("the new server answers", PATIENCE, changed).await;
        hears_again(gateway.address(), &mut stream, "r://a").await;
    }
}

#[tokio::test]
async fn what_a_legacy_server_asks_when_it_is_subscribed_to_is_answered() {
    let gateway = gateway(&["--mode", "legacy", "--ask-on-subscribe"]).await;
    let (_stream, _) = listen(gateway.address(), uris(["r://a"])).await;
    until("the server's question is answered", PATIENCE, async || {
        let answers = pending(gateway.address()).await?["answers"].take();
        answers.as_array().is_some_and(|answers| !answers.is_empty()).then_some(())
    })
    .await;
}

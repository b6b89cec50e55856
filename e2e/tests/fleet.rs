//! Servers that die, hang or vanish behind the gateway, and a gateway that dies itself: nobody else is hurt, nothing is left.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::{
    Client, Gateway, Server, Setting,
    claims::{everything, reference},
    http::Session,
    mark::Bearer,
    server::{self, Yard},
    wait,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::time::Instant;

fn server_of(gateway: &Gateway, word: &str) -> Vec<Bearer> {
    gateway.children().into_iter().filter(|child| child.command.contains(word)).collect()
}

#[tokio::test]
async fn six_servers_are_gone_when_the_gateway_stops() {
    let yard = Yard::new();
    let gateway = Setting::of(yard.six()).start().await;
    assert!(gateway.children().len() >= 6, "{:#?}", gateway.children());
    let mark = gateway.mark().clone();
    assert!(gateway.stop().success());
    assert_eq!(mark.bearers(), []);
}

#[tokio::test]
async fn six_servers_are_gone_when_the_gateway_is_killed_and_come_back_with_it() {
    let yard = Yard::new();
    let mut gateway = Setting::of(yard.six()).start().await;
    gateway.die_and_return().await;
    gateway.until_listed(&["everything", "filesystem", "memory", "time", "git", "fetch"]).await;
    everything::answers_calls(Client::Ts1, &gateway.federated("everything")).await;
    reference::time(Client::Ts1, &gateway.federated("time")).await;
    assert!(gateway.stop().success());
}

#[tokio::test]
async fn a_killed_server_comes_back_and_its_callers_are_told() {
    let gateway = Setting::of([server::everything(), server::time()]).start().await;
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    let arguments = json!({ "duration": 60, "steps": 600 });
    let name = "everything__trigger-long-running-operation";
    let params = json!({ "name": name, "arguments": arguments, "_meta": { "progressToken": "p" } });
    let long = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let mut answer = session.ask(&long).send().await.unwrap();
    // The first progress proves that the call is at work.
    while !answer.event().await.expect("the stream stands").data.contains("notifications/progress") {}
    for victim in server_of(&gateway, "server-everything") {
        kill(Pid::from_raw(victim.id), Signal::SIGKILL).unwrap();
    }
    let since = Instant::now();
    let answer = answer.message().await;
    assert!(answer.get("error").is_some(), "a dead server's call was answered: {answer:#}");
    assert!(since.elapsed() < Duration::from_secs(10), "its caller waited {:?}", since.elapsed());
    reference::time(Client::Ts1, &gateway.federated("time")).await;
    let back = async || {
        let echo = json!({ "name": "everything__echo", "arguments": { "message": "again" } });
        let answer = session.call(3, "tools/call", echo).await.ok()?;
        (answer["result"]["content"][0]["text"] == "Echo: again").then_some(())
    };
    wait::until("the server is back", Duration::from_secs(60), back).await;
}

#[tokio::test]
async fn servers_that_are_missing_silent_or_noisy_hurt_nobody_else() {
    let shell = |name: &str, script: &str| Server::of(name, &["sh", "-c", script]);
    let servers = [
        server::time(),
        Server::of("missing", &["there-is-no-such-program"]),
        shell("silent", "sleep 3600").with("start_timeout", json!("2s")).with("call_timeout", json!("4s")),
        shell("garbage", "while echo 'no JSON here'; do sleep 0.01; done"),
        shell("flood", "while :; do head -c 65536 /dev/zero | tr '\\0' 'x' >&2; done"),
        shell("gone", "exit 3"),
    ];
    let gateway = Setting::of(servers).hurried().start().await;
    gateway.until_listed(&["time"]).await;
    let from = Instant::now();
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    let listed = session.call(1, "tools/list", json!({})).await.unwrap();
    assert!(listed["result"]["tools"].is_array(), "{listed:#}");
    assert!(from.elapsed() < Duration::from_secs(5), "a handshake and a list took {:?}", from.elapsed());
    reference::time(Client::PythonLegacy, &gateway.federated("time")).await;
    let unknown = session.call(2, "tools/call", json!({ "name": "silent__anything", "arguments": {} })).await.unwrap();
    assert!(unknown.get("error").is_some(), "a silent server's call was answered: {unknown:#}");
    assert!(gateway.stop().success());
}

#[tokio::test]
async fn a_removed_server_is_stopped_and_a_bad_file_changes_nothing() {
    let yard = Yard::new();
    let both = [server::time(), server::memory(&yard.memory())];
    let gateway = Setting::of(both).start().await;
    assert!(!server_of(&gateway, "server-memory").is_empty());
    let kept: Vec<i32> = server_of(&gateway, "mcp_server_time").iter().map(|bearer| bearer.id).collect();
    std::fs::write(gateway.config_file(), "servers: { time: { comand: oops } }\n").unwrap();
    gateway.until_listed(&["time", "memory"]).await;
    gateway.configure(&Setting::of([server::time()]));
    let gone = async || server_of(&gateway, "server-memory").is_empty().then_some(());
    wait::until("the removed server is stopped", Duration::from_secs(60), gone).await;
    let still: Vec<i32> = server_of(&gateway, "mcp_server_time").iter().map(|bearer| bearer.id).collect();
    assert_eq!(still, kept, "a server whose entry did not change was restarted");
    reference::time(Client::Ts1, &gateway.federated("time")).await;
}

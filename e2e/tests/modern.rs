//! Servers of both eras behind one `/mcp`: modern and legacy clients on the same URL.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use e2e::{
    Client, Setting,
    claims::{both, reference},
    page::Page,
    server::{self, Yard},
};
use serde_json::json;

#[tokio::test]
async fn three_reference_servers_answer_modern_clients_behind_one_endpoint() {
    let (yard, page) = (Yard::new(), Page::serve().await);
    let gateway = Setting::of(yard.three()).start().await;
    for client in Client::FOR_MODERN.into_iter().chain(Client::FOR_MODERN_TOO) {
        let seen = client.run(&gateway.at("/mcp"), "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "modern", "{}", seen.what());
        assert_eq!(seen.observed()["protocolVersion"], "2026-07-28", "{}", seen.what());
        reference::time(client, &gateway.federated("time")).await;
        reference::git(client, &gateway.federated("git"), &yard).await;
        reference::fetch(client, &gateway.federated("fetch"), &page).await;
    }
    assert!(gateway.stop().success());
}

#[tokio::test]
async fn modern_calls_stand_alone_and_open_no_session() {
    let gateway = Setting::of([server::time()]).start().await;
    for client in Client::FOR_MODERN {
        let calls = json!([{ "name": "get_current_time", "arguments": { "timezone": "Etc/UTC" } }]);
        let seen = client.run(&gateway.federated("time"), "tools", json!({ "calls": calls })).await;
        let _ = seen.observed();
        assert!(seen.http().iter().all(|exchange| exchange["verb"] == "POST"), "{}: {:#?}", seen.what(), seen.http());
        let has_session = |exchange: &serde_json::Value| exchange["got"].get("mcp-session-id").is_some();
        assert!(!seen.http().iter().any(has_session), "{}: {:#?}", seen.what(), seen.http());
        let call = seen.http().iter().find(|exchange| exchange["rpc"] == "tools/call").unwrap();
        assert_eq!(call["sent"]["mcp-name"], "time__get_current_time", "{}", seen.what());
        assert_eq!(call["status"], 200, "{}", seen.what());
    }
}

#[tokio::test]
async fn modern_clients_have_all_their_features_when_federated() {
    let gateway = Setting::of([server::both(), server::time()]).start().await;
    let place = gateway.federated("both");
    for client in Client::FOR_MODERN {
        both::answers_calls(client, &place).await;
        both::gives_resources(client, &place).await;
        both::gives_prompts(client, &place).await;
        both::reports_progress(client, &place).await;
        both::keeps_clients_apart(client, &place).await;
        both::lets_a_call_be_cancelled(client, &place).await;
        both::answers_many_at_once(client, &place).await;
    }
}

#[tokio::test]
async fn input_that_a_modern_server_requires_comes_from_its_caller() {
    let gateway = Setting::of([server::both(), server::time()]).start().await;
    let place = gateway.federated("both");
    for client in Client::FOR_MODERN {
        both::samples(client, &place).await;
        both::elicits(client, &place).await;
        both::asks_for_roots(client, &place).await;
    }
}

#[tokio::test]
async fn what_a_modern_server_tells_reaches_those_who_listen() {
    let gateway = Setting::of([server::both(), server::time()]).start().await;
    let place = gateway.federated("both");
    for client in Client::FOR_MODERN {
        both::logs_when_asked(client, &place).await;
        both::updates_subscribers(client, &place).await;
        both::announces_new_tools(client, &place).await;
    }
}

#[tokio::test]
async fn legacy_clients_use_the_same_url_at_the_same_time() {
    let gateway = Setting::of([server::both(), server::time()]).start().await;
    let place = gateway.federated("both");
    for client in Client::ALWAYS_LEGACY {
        let seen = client.run(&place, "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "legacy", "{}", seen.what());
        both::answers_calls(client, &place).await;
        both::reports_progress(client, &place).await;
        both::samples(client, &place).await;
        both::elicits(client, &place).await;
        both::asks_for_roots(client, &place).await;
        both::announces_new_tools(client, &place).await;
    }
    let modern = both::keeps_clients_apart(Client::Ts2Modern, &place);
    let legacy = both::keeps_clients_apart(Client::Ts1, &place);
    tokio::join!(modern, legacy);
}

#[tokio::test]
async fn twenty_megabytes_of_answer_reach_every_client_that_takes_them() {
    let gateway = Setting::of([server::both()]).start().await;
    let place = gateway.federated("both");
    for client in [Client::Ts1, Client::Ts2Modern, Client::PythonModern, Client::PythonLegacy] {
        both::answers_much(client, &place).await;
    }
}

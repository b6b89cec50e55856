//! One server behind `/servers/{name}/mcp`: nothing of it is renamed, and a client sees what it would see directly.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use e2e::{
    Client, Place, Server, Setting,
    claims::{both, everything},
    mark::Mark,
    server,
};
use serde_json::{Value, json};

/// What a client sees of a server: its greeting and its lists.
async fn portrait(client: Client, place: &Place) -> Value {
    let mut greeting = client.run(place, "handshake", json!({})).await.observed().clone();
    for transient in ["sessionId", "ping"] {
        greeting.as_object_mut().unwrap().remove(transient);
    }
    let tools = client.run(place, "tools", json!({})).await.observed()["tools"].clone();
    let resources = client.run(place, "resources", json!({})).await.observed().clone();
    let prompts = client.run(place, "prompts", json!({})).await.observed()["prompts"].clone();
    json!({
        "greeting": greeting,
        "tools": tools,
        "resources": resources["resources"],
        "templates": resources["templates"],
        "prompts": prompts,
    })
}

async fn same_through_the_gateway(server: Server, clients: &[Client]) {
    let gateway = Setting::of([server.clone()]).start().await;
    for client in clients {
        let direct = portrait(*client, &Place::stdio(&server, &Mark::new())).await;
        let through = portrait(*client, &gateway.untouched(&server.name)).await;
        assert_eq!(through, direct, "{client:?} sees another {} through the gateway", server.name);
    }
}

#[tokio::test]
async fn a_legacy_server_looks_as_it_does_directly() {
    same_through_the_gateway(server::everything(), &Client::FOR_LEGACY).await;
}

#[tokio::test]
async fn a_server_of_both_eras_looks_as_it_does_directly() {
    let clients = [Client::Ts1, Client::PythonLegacy, Client::Ts2Modern, Client::PythonAuto];
    same_through_the_gateway(server::both(), &clients).await;
}

#[tokio::test]
async fn a_legacy_server_does_all_that_it_does_directly() {
    let gateway = Setting::of([server::everything().with("isolation", json!("session"))]).start().await;
    let place = gateway.untouched("everything");
    for client in Client::FOR_LEGACY {
        everything::holds(client, &place, &format!("{client:?}.gz")).await;
    }
}

#[tokio::test]
async fn a_modern_server_does_all_that_it_does_directly() {
    let gateway = Setting::of([server::both()]).start().await;
    let place = gateway.untouched("both");
    for client in Client::FOR_MODERN {
        both::holds_in_the_modern_era(client, &place).await;
        both::answers_much(client, &place).await;
    }
}

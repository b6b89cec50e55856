//! The clients at the real servers themselves, without a gateway: what holds here must hold through the gateway.
//!
//! This also proves the drivers and the claims, so that a failure elsewhere is the gateway's.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use e2e::{
    Client, Place, Server,
    claims::{both, everything, reference},
    http::{Ask, Session},
    mark::Mark,
    page::Page,
    relay::Relay,
    server::{self, Yard},
    spawned::Spawned,
};
use serde_json::{Value, json};

fn stdio(server: &Server) -> Place {
    Place::stdio(server, &Mark::new())
}

async fn everything_holds(place: &Place) {
    for client in Client::FOR_LEGACY {
        everything::holds(client, place, &format!("{client:?}.gz")).await;
        // The Python client takes no event of more than 1 MiB, and this server answers with events.
        if !client.is_python() || place.transport() == "stdio" {
            everything::echoes_much(client, place).await;
        }
    }
}

#[tokio::test]
async fn everything_on_stdio_does_all_that_legacy_clients_ask() {
    everything_holds(&stdio(&server::everything())).await;
}

#[tokio::test]
async fn everything_on_streamable_http_does_all_that_legacy_clients_ask() {
    everything_holds(&Spawned::everything().await.place()).await;
}

#[tokio::test]
async fn everything_on_http_and_sse_does_all_that_legacy_clients_ask() {
    everything_holds(&Spawned::everything_sse().await.place()).await;
}

#[tokio::test]
async fn everything_on_websocket_does_what_the_one_client_with_websockets_asks() {
    let relay = Relay::to(server::everything()).await;
    let (client, place) = (Client::Ts1, relay.place());
    everything::holds(client, &place, "new.gz").await;
    everything::echoes_much(client, &place).await;
}

#[tokio::test]
async fn what_the_tests_send_by_hand_is_understood_by_real_servers() {
    let (everything, both) = (Spawned::everything().await, Spawned::both().await);
    let session = Session::open(everything.address(), "/mcp", "2025-06-18", json!({})).await.unwrap();
    assert_eq!(session.version(), "2025-06-18");
    let mut stream = session.stream().send().await.unwrap();
    let uri = json!({ "uri": "demo://resource/dynamic/text/1" });
    assert!(session.call(1, "resources/subscribe", uri).await.unwrap().get("result").is_some());
    let toggle = json!({ "name": "toggle-subscriber-updates", "arguments": {} });
    assert!(session.call(2, "tools/call", toggle).await.unwrap().get("result").is_some());
    loop {
        let event = stream.event().await.expect("the stream stands");
        let message: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if message["method"] == "notifications/resources/updated" {
            break;
        }
    }
    assert!(session.end().await.unwrap().is_success());
    let params = json!({ "name": "echo", "arguments": { "message": "by hand" } });
    let answer = Ask::modern(both.address(), "/mcp", 9, "tools/call", params).send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    let answer = answer.message().await;
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(9), &json!("Echo: by hand")));
}

async fn modern_holds(client: Client, place: &Place) {
    both::holds_in_the_modern_era(client, place).await;
    // The TypeScript client takes no more than 10 MiB on stdio.
    if client.is_python() || place.transport() != "stdio" {
        both::answers_much(client, place).await;
    }
}

async fn each_client_in_its_era(place: &Place) {
    for client in Client::FOR_MODERN {
        modern_holds(client, place).await;
    }
    for client in Client::ALWAYS_LEGACY {
        both::holds(client, place).await;
    }
    for client in Client::FOR_MODERN_TOO.into_iter().chain([Client::Ts2Legacy]) {
        both::answers_calls(client, place).await;
    }
}

#[tokio::test]
async fn a_server_of_both_eras_on_stdio_answers_each_client_in_its_era() {
    each_client_in_its_era(&stdio(&server::both())).await;
}

#[tokio::test]
async fn a_server_of_both_eras_on_http_answers_each_client_in_its_era() {
    let spawned = Spawned::both().await;
    each_client_in_its_era(&spawned.place()).await;
    for client in Client::FOR_MODERN {
        both::takes_an_argument_in_a_header(client, &spawned.place()).await;
    }
    for client in [Client::Ts1, Client::Ts2Legacy] {
        both::is_resumed(client, &spawned.place()).await;
    }
}

#[tokio::test]
async fn the_reference_servers_each_do_their_one_thing() {
    let (yard, page) = (Yard::new(), Page::serve().await);
    for client in Client::FOR_LEGACY {
        reference::filesystem(client, &stdio(&server::filesystem(&yard.folder())), &yard).await;
        reference::memory(client, &stdio(&server::memory(&yard.memory()))).await;
    }
    for client in [Client::Ts1, Client::Ts2Modern, Client::PythonModern] {
        reference::time(client, &stdio(&server::time())).await;
        reference::git(client, &stdio(&server::git(&yard.repository())), &yard).await;
        reference::fetch(client, &stdio(&server::fetch()), &page).await;
    }
}

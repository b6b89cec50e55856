//! Servers that the gateway reaches over HTTP: Streamable HTTP in both eras, and HTTP+SSE.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use e2e::{
    Client, Setting,
    claims::{both, everything},
    spawned::Spawned,
};
use serde_json::json;

#[tokio::test]
async fn a_legacy_server_on_streamable_http_keeps_all_its_features() {
    let spawned = Spawned::everything().await;
    let gateway = Setting::of([spawned.server("far").with("isolation", json!("session"))]).start().await;
    let place = gateway.federated("far");
    for client in Client::FOR_LEGACY {
        everything::holds(client, &place, &format!("{client:?}.gz")).await;
    }
}

#[tokio::test]
async fn a_legacy_server_on_http_announces_that_its_list_grew() {
    let (new, old) = (Spawned::everything().await, Spawned::everything_sse().await);
    let gateway = Setting::of([new.server("new"), old.server("old")]).start().await;
    for name in ["new", "old"] {
        for client in Client::FOR_LEGACY {
            let fresh = format!("{name}-{client:?}.gz");
            everything::announces_new_resources(client, &gateway.federated(name), &fresh).await;
        }
    }
}

#[tokio::test]
async fn a_server_on_http_and_sse_keeps_its_features() {
    let spawned = Spawned::everything_sse().await;
    let gateway = Setting::of([spawned.server("old").with("isolation", json!("session"))]).start().await;
    let place = gateway.federated("old");
    for client in Client::FOR_LEGACY {
        everything::answers_calls(client, &place).await;
        everything::reports_progress(client, &place).await;
        everything::lets_a_call_be_cancelled(client, &place).await;
        everything::samples(client, &place).await;
        everything::updates_subscribers(client, &place).await;
        everything::answers_many_at_once(client, &place).await;
    }
}

#[tokio::test]
async fn a_modern_server_on_http_keeps_all_its_features() {
    let spawned = Spawned::both().await;
    let gateway = Setting::of([spawned.server("far")]).start().await;
    for place in [gateway.federated("far"), gateway.untouched("far")] {
        for client in Client::FOR_MODERN {
            both::holds_in_the_modern_era(client, &place).await;
            both::takes_an_argument_in_a_header(client, &place).await;
            both::answers_much(client, &place).await;
        }
    }
}

#[tokio::test]
async fn the_transport_is_found_out_where_it_is_not_said() {
    let (new, old) = (Spawned::everything().await, Spawned::everything_sse().await);
    let servers =
        [new.server("new").with("transport", json!("auto")), old.server("old").with("transport", json!("auto"))];
    let gateway = Setting::of(servers).start().await;
    for name in ["new", "old"] {
        everything::answers_calls(Client::Ts1, &gateway.federated(name)).await;
    }
}

#[tokio::test]
async fn a_server_that_forgot_its_sessions_is_greeted_anew() {
    // Not server-everything: it answers 400 to a session that it does not know, where the specification says 404.
    let mut spawned = Spawned::both().await;
    let gateway = Setting::of([spawned.server("far")]).start().await;
    let call = json!({ "name": "echo", "arguments": { "message": "twice" } });
    let mut playing = Client::Ts1.start(&gateway.federated("far"), "hold", call);
    playing.ready().await;
    spawned.restart().await;
    playing.go_on().await;
    let seen = playing.finish().await;
    assert_eq!(e2e::claims::text(&seen.observed()["again"]), "Echo: twice", "{:#}", seen.observed());
}

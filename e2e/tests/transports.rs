//! The ways to the gateway beside Streamable HTTP: HTTP+SSE, WebSocket, and the bridge for stdio clients.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use e2e::{
    Client, Gateway, Place, Setting,
    claims::{both, everything},
    server,
};
use serde_json::json;

async fn gateway() -> Gateway {
    Setting::of([server::everything().with("isolation", json!("session")), server::time()]).start().await
}

async fn legacy_holds(client: Client, place: &Place) {
    everything::answers_calls(client, place).await;
    everything::gives_resources(client, place).await;
    everything::reports_progress(client, place).await;
    everything::lets_a_call_be_cancelled(client, place).await;
    everything::samples(client, place).await;
    everything::asks_for_roots(client, place).await;
    everything::logs(client, place).await;
    everything::updates_subscribers(client, place).await;
    everything::answers_many_at_once(client, place).await;
}

#[tokio::test]
async fn http_and_sse_carries_all_that_a_legacy_session_does() {
    let gateway = gateway().await;
    for client in Client::FOR_LEGACY {
        legacy_holds(client, &gateway.sse("/sse").of("everything")).await;
    }
}

#[tokio::test]
async fn websocket_carries_all_that_a_legacy_session_does() {
    let gateway = gateway().await;
    let place = gateway.ws("/ws").of("everything");
    legacy_holds(Client::Ts1, &place).await;
    everything::elicits(Client::Ts1, &place).await;
    everything::keeps_clients_apart(Client::Ts1, &place).await;
    everything::echoes_much(Client::Ts1, &place).await;
}

#[tokio::test]
async fn the_bridge_carries_all_that_a_legacy_session_does() {
    let gateway = gateway().await;
    for client in Client::FOR_LEGACY {
        legacy_holds(client, &gateway.connect(&[]).of("everything")).await;
    }
}

#[tokio::test]
async fn each_transport_announces_that_a_list_grew() {
    let gateway = Setting::of([server::everything()]).start().await;
    for (place, fresh) in
        [(gateway.sse("/sse"), "sse.gz"), (gateway.ws("/ws"), "ws.gz"), (gateway.connect(&[]), "c.gz")]
    {
        everything::announces_new_resources(Client::Ts1, &place.of("everything"), fresh).await;
    }
}

#[tokio::test]
async fn each_transport_reaches_one_server_untouched() {
    let gateway = gateway().await;
    everything::answers_calls(Client::Ts1, &gateway.sse("/servers/everything/sse")).await;
    everything::answers_calls(Client::Ts1, &gateway.ws("/servers/everything/ws")).await;
    everything::answers_calls(Client::Ts1, &gateway.connect(&["--server", "everything"])).await;
}

#[tokio::test]
async fn the_bridge_carries_the_modern_era_where_the_endpoint_has_it() {
    let gateway = Setting::of([server::both(), server::time()]).start().await;
    let place = gateway.connect(&[]).of("both");
    for client in Client::FOR_MODERN {
        both::answers_calls(client, &place).await;
        both::reports_progress(client, &place).await;
        both::lets_a_call_be_cancelled(client, &place).await;
        both::elicits(client, &place).await;
        both::logs_when_asked(client, &place).await;
        both::updates_subscribers(client, &place).await;
        both::announces_new_tools(client, &place).await;
    }
}

#[tokio::test]
async fn a_client_behind_the_bridge_speaks_modern_whatever_stands_behind() {
    let gateway = gateway().await;
    for client in [Client::Ts2Auto, Client::PythonAuto] {
        let seen = client.run(&gateway.connect(&[]), "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "modern", "{}", seen.what());
    }
}

#[tokio::test]
async fn each_transport_carries_legacy_sessions_to_a_modern_server() {
    let gateway = Setting::of([server::both_as(&["stdio", "modern"])]).start().await;
    for place in
        [gateway.sse("/servers/both/sse"), gateway.ws("/servers/both/ws"), gateway.connect(&["--server", "both"])]
    {
        both::answers_calls(Client::Ts1, &place).await;
        both::reports_progress(Client::Ts1, &place).await;
        both::lets_a_call_be_cancelled(Client::Ts1, &place).await;
        both::elicits(Client::Ts1, &place).await;
        both::samples(Client::Ts1, &place).await;
        both::updates_subscribed_sessions(Client::Ts1, &place).await;
    }
}

#[tokio::test]
async fn the_bridge_carries_modern_clients_to_a_legacy_server() {
    let gateway = Setting::of([server::both_as(&["stdio", "legacy"])]).start().await;
    for client in Client::FOR_MODERN {
        let place = gateway.connect(&["--server", "both"]);
        both::answers_calls(client, &place).await;
        both::reports_progress(client, &place).await;
        both::lets_a_call_be_cancelled(client, &place).await;
        both::elicits(client, &place).await;
        both::logs_when_asked(client, &place).await;
    }
}

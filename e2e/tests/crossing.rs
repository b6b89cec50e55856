//! Every client era against servers of the other era alone: with Hostler between them all of it works.
//!
//! The names of these tests are the cells of the table in `docs/eras.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use e2e::{
    Client, Gateway, Place, Setting,
    claims::{both, everything},
    server,
};
use serde_json::json;

/// Clients that speak the modern era to an endpoint that has it.
const MODERN: [Client; 3] = [Client::Ts2Auto, Client::Ts2Modern, Client::PythonAuto];
/// Clients that shake hands.
const LEGACY: [Client; 3] = [Client::Ts1, Client::Ts2Legacy, Client::PythonLegacy];

async fn legacy_only() -> Gateway {
    Setting::of([server::both_as(&["stdio", "legacy"])]).start().await
}

async fn modern_only() -> Gateway {
    Setting::of([server::both_as(&["stdio", "modern"])]).start().await
}

/// The server alone, and behind the endpoint of all.
fn places(gateway: &Gateway) -> [Place; 2] {
    [gateway.untouched("both"), gateway.federated("both")]
}

async fn speaks(client: Client, place: &Place, era: &str) {
    let seen = client.run(place, "handshake", json!({})).await;
    assert_eq!(seen.observed()["era"], era, "{}", seen.what());
}

/// One claim for every client and place, in both directions.
macro_rules! crossing {
    ($up:ident, $down:ident, $claim:path) => {
        #[tokio::test]
        async fn $up() {
            let gateway = legacy_only().await;
            for client in MODERN {
                for place in places(&gateway) {
                    speaks(client, &place, "modern").await;
                    $claim(client, &place).await;
                }
            }
        }

        #[tokio::test]
        async fn $down() {
            let gateway = modern_only().await;
            for client in LEGACY {
                for place in places(&gateway) {
                    speaks(client, &place, "legacy").await;
                    $claim(client, &place).await;
                }
            }
        }
    };
}

crossing!(
    modern_clients_call_tools_of_a_legacy_server,
    legacy_clients_call_tools_of_a_modern_server,
    both::answers_calls
);
crossing!(
    modern_clients_read_resources_of_a_legacy_server,
    legacy_clients_read_resources_of_a_modern_server,
    both::gives_resources
);
crossing!(
    modern_clients_get_prompts_and_completions_of_a_legacy_server,
    legacy_clients_get_prompts_and_completions_of_a_modern_server,
    both::gives_prompts
);
crossing!(
    modern_clients_see_progress_of_a_legacy_server,
    legacy_clients_see_progress_of_a_modern_server,
    both::reports_progress
);
crossing!(
    modern_clients_are_kept_apart_at_a_legacy_server,
    legacy_clients_are_kept_apart_at_a_modern_server,
    both::keeps_clients_apart
);
crossing!(
    modern_clients_cancel_calls_at_a_legacy_server,
    legacy_clients_cancel_calls_at_a_modern_server,
    both::lets_a_call_be_cancelled
);
crossing!(modern_clients_sample_for_a_legacy_server, legacy_clients_sample_for_a_modern_server, both::samples);
crossing!(
    modern_clients_are_elicited_by_a_legacy_server,
    legacy_clients_are_elicited_by_a_modern_server,
    both::elicits
);
crossing!(
    modern_clients_tell_a_legacy_server_their_roots,
    legacy_clients_tell_a_modern_server_their_roots,
    both::asks_for_roots
);
crossing!(
    modern_clients_hear_of_new_tools_of_a_legacy_server,
    legacy_clients_hear_of_new_tools_of_a_modern_server,
    both::announces_new_tools
);
crossing!(
    modern_clients_make_many_calls_at_a_legacy_server,
    legacy_clients_make_many_calls_at_a_modern_server,
    both::answers_many_at_once
);
crossing!(
    modern_clients_get_much_from_a_legacy_server,
    legacy_clients_get_much_from_a_modern_server,
    both::answers_much
);

#[tokio::test]
async fn modern_clients_hear_the_log_of_a_legacy_server_when_they_ask() {
    let gateway = legacy_only().await;
    for client in MODERN {
        for place in places(&gateway) {
            both::logs_when_asked(client, &place).await;
        }
    }
}

#[tokio::test]
async fn legacy_clients_hear_the_log_of_a_modern_server_at_their_level() {
    let gateway = modern_only().await;
    for client in LEGACY {
        for place in places(&gateway) {
            both::logs_at_the_sessions_level(client, &place).await;
        }
    }
}

#[tokio::test]
async fn modern_clients_listen_to_resources_of_a_legacy_server() {
    let gateway = Setting::of([server::everything()]).start().await;
    for client in MODERN {
        for place in [gateway.untouched("everything"), gateway.federated("everything")] {
            everything::updates_subscribers(client, &place).await;
        }
    }
}

#[tokio::test]
async fn legacy_clients_subscribe_to_resources_of_a_modern_server() {
    let gateway = modern_only().await;
    for client in LEGACY {
        for place in places(&gateway) {
            both::updates_subscribed_sessions(client, &place).await;
        }
    }
}

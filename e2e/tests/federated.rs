//! Real servers behind one `/mcp`, with the names of their servers before their own, for clients of the legacy era.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;

use e2e::{
    Client, Setting,
    claims::{everything, reference},
    page::Page,
    server::{self, Yard},
};
use serde_json::json;

/// Every session has an instance of its own: this server keeps what it is told for whoever comes next.
fn everything_for_each() -> Setting {
    Setting::of([server::everything().with("isolation", json!("session"))])
}

#[tokio::test]
async fn six_real_servers_answer_every_client_behind_one_endpoint() {
    let (yard, page) = (Yard::new(), Page::serve().await);
    let gateway = Setting::of(yard.six()).start().await;
    for client in Client::FOR_LEGACY {
        let seen = client.run(&gateway.at("/mcp"), "handshake", json!({})).await;
        assert_eq!(seen.observed()["era"], "legacy", "{}", seen.what());
        assert_eq!(seen.observed()["serverInfo"]["name"], "hostler", "{}", seen.what());
        assert!(seen.observed()["ping"].get("result").is_some(), "{}: {:#}", seen.what(), seen.observed());
        everything::answers_calls(client, &gateway.federated("everything")).await;
        reference::filesystem(client, &gateway.federated("filesystem"), &yard).await;
        reference::memory(client, &gateway.federated("memory")).await;
        reference::time(client, &gateway.federated("time")).await;
        reference::git(client, &gateway.federated("git"), &yard).await;
        reference::fetch(client, &gateway.federated("fetch"), &page).await;
    }
    assert!(gateway.stop().success());
}

#[tokio::test]
async fn names_never_collide_and_stay_within_the_rule_and_in_their_order() {
    let yard = Yard::new();
    let twice = [server::everything(), server::everything().named("every_thing-2"), server::memory(&yard.memory())];
    let gateway = Setting::of(twice).start().await;
    let names = gateway.tools().await.unwrap();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a name stands for two tools: {names:?}");
    let allowed = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    assert!(names.iter().all(|name| name.len() <= 128 && allowed(name)), "{names:?}");
    for server in ["everything", "every_thing-2"] {
        assert!(names.contains(&format!("{server}__echo")), "{names:?}");
    }
    assert_eq!(names, gateway.tools().await.unwrap(), "the order changed between two lists");
    let uri = "every.thing-2+demo://resource/static/document/features.md";
    let seen = Client::Ts1.run(&gateway.at("/mcp"), "resources", json!({ "reads": [uri] })).await;
    assert_eq!(seen.observed()["reads"][0]["result"]["contents"][0]["uri"], uri, "{:#}", seen.observed());
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_whole() {
    let yard = Yard::new();
    let servers = [server::everything(), server::filesystem(&yard.folder()), server::memory(&yard.memory())];
    let gateway = Setting::of(servers).with("limits", json!({ "page": 5 })).start().await;
    let all = gateway.tools().await.unwrap();
    assert!(all.len() > 20, "{all:?}");
    for client in Client::FOR_LEGACY {
        let seen = client.run(&gateway.at("/mcp"), "tools", json!({})).await;
        let listed = e2e::claims::each(&seen.observed()["tools"], "name");
        // A server may show more tools to a client that can do more; these clients can do nothing.
        assert_eq!(listed, all, "{}", seen.what());
        let pages = seen.observed()["pages"].as_i64().unwrap_or(i64::MAX);
        assert!(pages > 4, "{}: {pages} pages", seen.what());
    }
}

#[tokio::test]
async fn resources_prompts_and_completion_lead_to_their_server() {
    let gateway = Setting::of([server::everything(), server::time()]).start().await;
    for client in Client::FOR_LEGACY {
        let place = gateway.federated("everything");
        everything::gives_resources(client, &place).await;
        everything::gives_prompts(client, &place).await;
        everything::completes(client, &place).await;
    }
}

#[tokio::test]
async fn progress_and_cancellation_belong_to_their_call() {
    let gateway = Setting::of([server::everything()]).start().await;
    for client in Client::FOR_LEGACY {
        let place = gateway.federated("everything");
        everything::reports_progress(client, &place).await;
        everything::keeps_clients_apart(client, &place).await;
        everything::lets_a_call_be_cancelled(client, &place).await;
    }
}

#[tokio::test]
async fn a_server_can_ask_its_caller() {
    let gateway = everything_for_each().start().await;
    for client in Client::FOR_LEGACY {
        let place = gateway.federated("everything");
        everything::samples(client, &place).await;
        everything::elicits(client, &place).await;
        everything::asks_for_roots(client, &place).await;
    }
}

#[tokio::test]
async fn a_server_can_ask_its_caller_through_a_shared_instance() {
    let gateway = Setting::of([server::everything()]).start().await;
    for client in Client::FOR_LEGACY {
        let place = gateway.federated("everything");
        everything::samples(client, &place).await;
        everything::elicits(client, &place).await;
    }
}

#[tokio::test]
async fn what_a_server_tells_reaches_the_sessions_that_asked_for_it() {
    let gateway = everything_for_each().start().await;
    for client in Client::FOR_LEGACY {
        let place = gateway.federated("everything");
        everything::logs(client, &place).await;
        everything::updates_subscribers(client, &place).await;
        everything::announces_new_resources(client, &place, &format!("{client:?}.gz")).await;
    }
}

#[tokio::test]
async fn a_list_that_grows_is_announced_to_the_sessions_that_see_it() {
    let gateway = Setting::of([server::everything(), server::time()]).start().await;
    for client in Client::FOR_LEGACY {
        everything::announces_new_resources(client, &gateway.federated("everything"), &format!("{client:?}.gz")).await;
    }
}

#[tokio::test]
async fn many_calls_and_large_ones_come_back_whole() {
    let gateway = Setting::of([server::everything()]).start().await;
    for client in Client::FOR_LEGACY {
        let place = gateway.federated("everything");
        everything::answers_many_at_once(client, &place).await;
        // The Python client takes no event of more than 1 MiB: a lone answer must come as JSON, not as an event.
        everything::echoes_much(client, &place).await;
    }
}

//! Legacy sessions as the gateway keeps them: resumption, endings, batches, and lists that change under live clients.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::{
    Client, Gateway, Setting,
    claims::{both, each},
    http::{Ask, Session},
    server::{self, Server, Yard},
    wait::until,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_call_whose_stream_was_lost_is_resumed() {
    let gateway = Setting::of([server::both()]).start().await;
    for client in [Client::Ts1, Client::Ts2Legacy] {
        both::is_resumed(client, &gateway.federated("both")).await;
        both::is_resumed(client, &gateway.untouched("both")).await;
    }
}

#[tokio::test]
async fn a_notification_sent_while_the_standing_stream_was_lost_arrives_later() {
    let gateway = Setting::of([server::everything()]).start().await;
    for client in [Client::Ts1, Client::Ts2Legacy] {
        let arguments = json!({ "data": "data:text/plain,hello", "outputType": "resourceLink" });
        let params =
            json!({ "trigger": { "name": "gzip-file-as-resource", "arguments": arguments }, "waitMs": 15_000 });
        let seen = client.run(&gateway.federated("everything"), "standing_stream", params).await;
        let observed = seen.observed();
        assert!(observed["resumed"].as_i64() >= Some(1), "{}: {observed:#}", seen.what());
        assert!(observed["all"].as_i64() > observed["first"].as_i64(), "{}: {observed:#}", seen.what());
    }
}

#[tokio::test]
async fn only_events_that_were_sent_can_be_resumed_from() {
    let gateway = Setting::of([server::everything()]).start().await;
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    for (id, status) in [("0-0", 200), ("", 200), ("0-1000000", 400), ("77-0", 400), ("0", 400), ("a-b", 400)] {
        let answer = session.stream().header("last-event-id", id).send().await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "`{id}`");
    }
}

#[tokio::test]
async fn a_session_that_its_client_ended_is_gone() {
    let gateway = Setting::of([server::everything()]).start().await;
    for client in [Client::Ts1, Client::Ts2Legacy] {
        for place in [gateway.at("/mcp"), gateway.untouched("everything")] {
            let seen = client.run(&place, "ending", json!({})).await;
            let observed = seen.observed();
            assert!(observed["sessionId"].is_string(), "{}: {observed:#}", seen.what());
            assert!(observed["ended"].get("error").is_none(), "{}: {observed:#}", seen.what());
            assert_eq!(observed["statusAfter"], 404, "{}: {observed:#}", seen.what());
        }
    }
}

#[tokio::test]
async fn a_session_that_never_was_is_not_found() {
    let gateway = Setting::of([server::everything()]).start().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let ask = Ask::post(gateway.address(), "/mcp", &list).header("mcp-session-id", "made-up");
    let answer = ask.header("mcp-protocol-version", "2025-11-25").send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 404);
}

/// How many sessions the gateway counts.
async fn sessions(gateway: &Gateway) -> Option<String> {
    let metrics = Ask::get(gateway.address(), "/metrics").send().await.ok()?.bytes().await;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    metrics.lines().find_map(|line| line.strip_prefix("hostler_sessions ")).map(str::to_owned)
}

#[tokio::test]
async fn a_client_that_leaves_in_its_handshake_leaves_neither_session_nor_process() {
    let program = testkit::program("faulty");
    let options = ["--mode", "legacy", "--slow-start", "1000"];
    let command = [&[program.to_str().unwrap()], &options[..]].concat();
    let slow = Server::of("slow", &command).with("isolation", json!("session"));
    let gateway = Setting::of([slow]).start().await;
    let kept = gateway.children().len();
    let address = gateway.address();
    let mut leaving = tokio::task::JoinSet::new();
    for _ in 0..4 {
        leaving
            .spawn(async move { Session::open(address, "/servers/slow/mcp", "2025-11-25", json!({})).await.is_ok() });
    }
    let begun = async || (gateway.children().len() > kept).then_some(());
    until("a process starts for them", Duration::from_secs(30), begun).await;
    leaving.shutdown().await;
    let gone = async || (gateway.children().len() <= kept).then_some(());
    until("their processes are gone", Duration::from_secs(30), gone).await;
    assert_eq!(sessions(&gateway).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_batch_is_answered_in_the_one_revision_that_has_them() {
    let gateway = Setting::of([server::everything()]).start().await;
    let call = |id: Value, text: &str| {
        let params = json!({ "name": "everything__echo", "arguments": { "message": text } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    let batch = json!([call(json!("first"), "one"), call(json!(2), "two")]);
    let session = Session::open(gateway.address(), "/mcp", "2025-03-26", json!({})).await.unwrap();
    let mut answer = session.ask(&batch).send().await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.status);
    let mut answers = Vec::new();
    if answer.header("content-type").starts_with("application/json") {
        let all: Value = serde_json::from_slice(&answer.bytes().await).unwrap();
        answers = all.as_array().unwrap().clone();
    } else {
        while let Some(event) = answer.event().await {
            match serde_json::from_str(&event.data) {
                Ok(Value::Array(all)) => answers.extend(all),
                Ok(one) => answers.push(one),
                Err(_) => assert!(event.data.is_empty(), "{event:?}"),
            }
        }
    }
    let text = |id: Value| {
        let answer = answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("{id}: {answers:#?}"));
        answer["result"]["content"][0]["text"].clone()
    };
    assert_eq!((text(json!("first")), text(json!(2))), (json!("Echo: one"), json!("Echo: two")));
    let session = Session::open(gateway.address(), "/mcp", "2025-11-25", json!({})).await.unwrap();
    assert_eq!(session.ask(&batch).send().await.unwrap().status.as_u16(), 400, "later revisions have no batches");
}

#[tokio::test]
async fn what_belongs_to_one_session_never_reaches_another() {
    let gateway = Setting::of([server::everything().with("isolation", json!("session"))]).start().await;
    let uri = "everything+demo://resource/dynamic/text/1";
    let open = || Session::open(gateway.address(), "/mcp", "2025-11-25", json!({}));
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    let (mut heard, mut unheard) = (one.stream().send().await.unwrap(), other.stream().send().await.unwrap());
    let toggle = json!({ "name": "everything__toggle-subscriber-updates", "arguments": {} });
    assert!(one.call(1, "resources/subscribe", json!({ "uri": uri })).await.unwrap().get("result").is_some());
    assert!(one.call(2, "tools/call", toggle).await.unwrap().get("result").is_some());
    loop {
        let event = heard.event().await.expect("the stream stands");
        let message: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if message["method"] == "notifications/resources/updated" {
            assert_eq!(message["params"]["uri"], uri);
            break;
        }
    }
    // The other session ends; until then its stream must have been silent.
    assert!(other.end().await.unwrap().is_success());
    while let Some(event) = unheard.event().await {
        assert!(!event.data.contains("notifications/"), "it heard {event:?}");
    }
}

#[tokio::test]
async fn a_changed_configuration_reaches_live_clients_of_both_eras() {
    let yard = Yard::new();
    let before = Setting::of([server::time()]);
    let after = Setting::of([server::time(), server::git(&yard.repository())]);
    for client in [Client::Ts1, Client::PythonLegacy, Client::Ts2Modern, Client::PythonModern] {
        let gateway = before.clone().start().await;
        let params = json!({ "kind": "tools", "waitMs": 60_000 });
        let mut playing = client.start(&gateway.at("/mcp"), "watch", params);
        playing.ready().await;
        gateway.configure(&after);
        let seen = playing.finish().await;
        let observed = seen.observed();
        assert_eq!(observed["told"], 1, "{}: {observed:#}", seen.what());
        let after: Vec<&str> = observed["after"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(after.contains(&"git__git_status"), "{}: {after:?}", seen.what());
        assert!(after.contains(&"time__get_current_time"), "{}: {after:?}", seen.what());
    }
}

#[tokio::test]
async fn a_virtual_server_shows_what_was_chosen_under_its_new_names() {
    let choice = json!({
        "tools": { "allow": ["echo", "get-*"], "deny": ["get-env"] },
        "rename": { "echo": "say" },
        "describe": { "get-sum": "Adds two numbers." },
    });
    let views =
        json!({ "small": { "instructions": "Only a little.", "prefix": false, "servers": { "everything": choice } } });
    let gateway = Setting::of([server::everything(), server::time()]).with("virtual", views).start().await;
    for client in Client::FOR_LEGACY {
        let calls = json!([
            { "name": "say", "arguments": { "message": "hi" } },
            { "name": "get-sum", "arguments": { "a": 1, "b": 2 } },
            { "name": "get-env" },
            { "name": "time__get_current_time", "arguments": { "timezone": "Etc/UTC" } },
        ]);
        let seen = client.run(&gateway.at("/v/small/mcp"), "tools", json!({ "calls": calls })).await;
        let observed = seen.observed();
        let names = each(&observed["tools"], "name");
        assert!(names.contains(&"say") && names.contains(&"get-sum"), "{}: {names:?}", seen.what());
        assert!(!names.contains(&"get-env") && !names.contains(&"echo"), "{}: {names:?}", seen.what());
        assert!(!names.iter().any(|name| name.contains("time")), "{}: {names:?}", seen.what());
        let sum = observed["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "get-sum").unwrap();
        assert_eq!(sum["description"], "Adds two numbers.", "{}", seen.what());
        assert_eq!(e2e::claims::text(&observed["calls"][0]), "Echo: hi", "{}", seen.what());
        assert_eq!(e2e::claims::text(&observed["calls"][1]), "The sum of 1 and 2 is 3.", "{}", seen.what());
        for hidden in [&observed["calls"][2], &observed["calls"][3]] {
            assert_eq!(hidden["error"]["code"], -32602, "{}: what is hidden was called: {hidden:#}", seen.what());
        }
    }
}

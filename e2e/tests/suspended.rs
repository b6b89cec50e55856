//! Calls that wait for their caller's input: taken up by the right caller with the right request, once, in time, and on
//! any node; everything else is refused and changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::{
    Gateway, Setting,
    attempt::{Attempt, goes_on, oslo, refused},
    http::Ask,
    server,
    wait::until,
};
use serde_json::{Value, json};

const PATH: &str = "/servers/both/mcp";

async fn gateway(extra: &[(&str, Value)]) -> Gateway {
    let setting = Setting::of([server::both_as(&["stdio", "legacy"])]);
    extra.iter().fold(setting, |setting, (key, value)| setting.with(key, value.clone())).start().await
}

#[tokio::test]
async fn what_is_forged_anothers_or_for_another_request_is_refused_and_the_right_retry_still_works() {
    let gateway = gateway(&[]).await;
    let address = gateway.address();
    let first = Attempt::at(PATH);
    let (state, key) = first.suspended(address).await;
    let right = first.with(&state, oslo(&key));
    let mut changed = state.clone().into_bytes();
    changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for forged in [changed.as_str(), &state[..state.len() - 4], "", "rubbish", "\u{1f98a}"] {
        refused(address, &first.with(forged, oslo(&key)), "is not one that this gateway gave out").await;
    }
    refused(address, &Attempt { client: "other", ..right.clone() }, "another caller").await;
    refused(address, &Attempt { credential: Some("Bearer other"), ..right.clone() }, "another caller").await;
    let mut other = right.clone();
    other.params["arguments"]["more"] = true.into();
    refused(address, &other, "another request").await;
    refused(address, &first.with(&state, json!({ &key: "yes" })), "inputResponses").await;
    refused(address, &first.with(&state, json!(["yes"])), "inputResponses").await;
    goes_on(address, &right).await;
    refused(address, &right, "used already").await;
}

#[tokio::test]
async fn a_retry_without_all_answers_is_asked_for_the_rest() {
    let gateway = gateway(&[]).await;
    let address = gateway.address();
    let first = Attempt::at(PATH);
    let (state, _) = first.suspended(address).await;
    let (again, key) = first.with(&state, json!({ "unheard-of": { "action": "decline" } })).suspended(address).await;
    assert_ne!(state, again);
    refused(address, &first.with(&state, oslo(&key)), "used already").await;
    goes_on(address, &first.with(&again, oslo(&key))).await;
}

#[tokio::test]
async fn a_caller_that_does_not_come_back_in_time_is_too_late() {
    let gateway = gateway(&[("limits", json!({ "suspend": "10s" }))]).await;
    let address = gateway.address();
    let first = Attempt::at(PATH);
    let (state, key) = first.suspended(address).await;
    let given_up = async || gateway.log().contains("did not come back").then_some(());
    until("the call is given up", Duration::from_secs(60), given_up).await;
    refused(address, &first.with(&state, oslo(&key)), "expired").await;
    let (state, key) = first.suspended(address).await;
    goes_on(address, &first.with(&state, oslo(&key))).await;
}

#[tokio::test]
async fn callers_at_the_same_time_each_go_on_with_their_own_call() {
    let gateway = gateway(&[]).await;
    let address = gateway.address();
    let (one, two) = (Attempt::at(PATH), Attempt { client: "two", ..Attempt::at(PATH) });
    // The first question teaches that this server asks.
    let (state, key) = one.suspended(address).await;
    goes_on(address, &one.with(&state, oslo(&key))).await;
    let (a, b, c) = tokio::join!(one.suspended(address), two.suspended(address), one.suspended(address));
    goes_on(address, &one.with(&c.0, oslo(&c.1))).await;
    goes_on(address, &two.with(&b.0, oslo(&b.1))).await;
    goes_on(address, &one.with(&a.0, oslo(&a.1))).await;
}

#[tokio::test]
async fn a_retry_that_reaches_another_node_goes_on_where_the_call_waits() {
    let key = "0123456789abcdef0123456789abcdef";
    let holder = gateway(&[("cluster", json!({ "key": key, "advertise": "self" }))]).await;
    // Nobody listens where this one says that it is reached.
    let other = gateway(&[("cluster", json!({ "key": key, "advertise": "http://127.0.0.1:9" }))]).await;
    let stranger = gateway(&[("cluster", json!({ "key": "another key of at least 32 characters" }))]).await;
    let first = Attempt::at(PATH);
    let (state, key) = first.suspended(holder.address()).await;
    let retry = first.with(&state, oslo(&key));
    refused(stranger.address(), &retry, "is not one that this gateway gave out").await;
    goes_on(other.address(), &retry).await;
    refused(other.address(), &retry, "used already").await;
    // A node that is gone takes its calls along.
    let (state, key) = first.suspended(other.address()).await;
    let (_, lost) = first.with(&state, oslo(&key)).send(holder.address()).await;
    assert_eq!(lost["error"]["data"]["kind"], "unavailable", "{lost:#}");
}

#[tokio::test]
async fn questions_to_a_caller_that_cannot_be_asked_are_refused_to_the_server() {
    let gateway = gateway(&[]).await;
    let params = json!({ "name": "ask", "arguments": {} });
    let answer = Ask::modern(gateway.address(), PATH, 1, "tools/call", params).send().await.unwrap();
    let answer = answer.message().await;
    assert!(answer["error"].is_object() || answer["result"]["isError"] == true, "{answer:#}");
}

//! Servers that ask at awkward moments and do not take answers: the caller is always answered, and so is the server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{path::PathBuf, time::Duration};

use e2e::{
    Gateway, Server, Setting,
    attempt::{Attempt, asked, goes_on, oslo, refused},
    http::Session,
    server,
    spawned::Spawned,
    wait::until,
};
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{client_async, tungstenite::Message};

const PATH: &str = "/servers/contrary/mcp";
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the server notes what it hears.
struct Log(TempDir);

impl Log {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("heard")
    }

    fn stdio(&self, era: &str) -> Server {
        server::contrary_as(&self.path(), &["stdio", era])
    }

    fn heard(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.path()).unwrap_or_default();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until the server heard so many messages of a kind; the last of them.
    async fn until(&self, what: &str, times: usize, is: impl Fn(&Value) -> bool) -> Value {
        let look = async || {
            let found: Vec<Value> = self.heard().into_iter().filter(&is).collect();
            (found.len() >= times).then(|| found.last().cloned()).flatten()
        };
        until(what, PATIENCE, look).await
    }
}

fn is_refusal(message: &Value) -> bool {
    message["error"].is_object() && message["id"].as_str().is_some_and(|id| id.starts_with('q'))
}

fn is_cancellation(message: &Value) -> bool {
    message["method"] == "notifications/cancelled"
}

async fn at(server: Server, limits: Value) -> Gateway {
    Setting::of([server]).with("limits", limits).start().await
}

#[tokio::test]
async fn a_server_that_leaves_an_answer_without_reply_does_not_hold_the_caller() {
    let log = Log::new();
    let server = Spawned::contrary(&log.path(), "withhold").await;
    let gateway = at(server.server("contrary").with("call_timeout", json!("2s")), json!({})).await;
    let first = Attempt::at(PATH);
    let (state, key) = first.suspended(gateway.address()).await;
    let (_, answer) = first.with(&state, oslo(&key)).send(gateway.address()).await;
    assert_eq!(answer["error"]["data"]["kind"], "timeout", "{answer:#}");
    log.until("the call is cancelled", 1, is_cancellation).await;
}

#[tokio::test]
async fn a_question_beside_a_call_is_handed_over_before_the_call_is_answered() {
    let log = Log::new();
    let server = Spawned::contrary(&log.path(), "").await;
    let gateway = at(server.server("contrary"), json!({})).await;
    let first = Attempt::at(PATH).of("ask_aside");
    let (state, key) = first.suspended(gateway.address()).await;
    goes_on(gateway.address(), &first.with(&state, oslo(&key))).await;
}

#[tokio::test]
async fn a_session_that_the_server_forgot_in_mid_call_is_no_fault_of_the_caller() {
    let log = Log::new();
    let server = Spawned::contrary(&log.path(), "forget").await;
    let gateway = at(server.server("contrary"), json!({})).await;
    let first = Attempt::at(PATH);
    let (state, key) = first.suspended(gateway.address()).await;
    let (status, answer) = first.with(&state, oslo(&key)).send(gateway.address()).await;
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32603)), "{answer:#}");
    assert_eq!(answer["error"]["data"].get("retryable"), None, "{answer:#}");
}

#[tokio::test]
async fn a_question_whose_call_is_over_is_refused_to_the_server() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({ "suspend": "1s" })).await;
    let hasty = Attempt::at(PATH).of("ask_and_answer");
    let (_, answer) = hasty.send(gateway.address()).await;
    assert_eq!(answer["result"]["content"][0]["text"], "did not wait", "{answer:#}");
    log.until("the question of a call that ended is refused", 1, is_refusal).await;
    Attempt::at(PATH).suspended(gateway.address()).await;
    log.until("the question of a call that expired is refused", 2, is_refusal).await;
    log.until("that call is cancelled", 1, is_cancellation).await;
}

#[tokio::test]
async fn what_a_server_says_while_its_questions_are_gathered_reaches_the_caller() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({})).await;
    let first = Attempt::at(PATH).of("ask_and_log");
    let mut answer = first.open(gateway.address()).await.unwrap();
    let said = answer.event().await.expect("a notification comes first").data;
    assert!(said.contains("notifications/message") && said.contains("in between"), "{said}");
    let (state, key) = asked(&answer.message().await);
    goes_on(gateway.address(), &first.with(&state, oslo(&key))).await;
}

#[tokio::test]
async fn a_caller_with_more_than_its_share_of_waiting_calls_loses_its_own_oldest() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({ "suspended": 8 })).await;
    let (greedy, modest) = (Attempt::at(PATH), Attempt::at(PATH).by("modest"));
    let (first, first_key) = greedy.suspended(gateway.address()).await;
    let (second, second_key) = greedy.suspended(gateway.address()).await;
    let (other, other_key) = modest.suspended(gateway.address()).await;
    greedy.suspended(gateway.address()).await;
    log.until("the oldest is refused", 1, is_refusal).await;
    log.until("and cancelled", 1, is_cancellation).await;
    refused(gateway.address(), &greedy.with(&first, oslo(&first_key)), "used already").await;
    goes_on(gateway.address(), &modest.with(&other, oslo(&other_key))).await;
    goes_on(gateway.address(), &greedy.with(&second, oslo(&second_key))).await;
}

#[tokio::test]
async fn a_caller_that_leaves_no_room_gives_way_to_others() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({ "suspended": 2 })).await;
    let (state, key) = Attempt::at(PATH).by("first").suspended(gateway.address()).await;
    Attempt::at(PATH).by("second").suspended(gateway.address()).await;
    let third = Attempt::at(PATH).by("third");
    let (last, last_key) = third.suspended(gateway.address()).await;
    refused(gateway.address(), &Attempt::at(PATH).by("first").with(&state, oslo(&key)), "used already").await;
    goes_on(gateway.address(), &third.with(&last, oslo(&last_key))).await;
}

#[tokio::test]
async fn a_connection_takes_its_waiting_calls_along() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({})).await;
    let url = format!("ws://{}/servers/contrary/ws", gateway.address());
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut socket, _) = client_async(url, stream).await.unwrap();
    socket.send(Message::text(Attempt::at(PATH).message().to_string())).await.unwrap();
    let answer = loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            break serde_json::from_str(&text).unwrap();
        }
    };
    let _ = asked(&answer);
    socket.close(None).await.unwrap();
    log.until("the question is refused", 1, is_refusal).await;
    log.until("the call is cancelled", 1, is_cancellation).await;
}

/// An answer with content that is nested so deep.
fn deep(key: &str, levels: usize) -> Value {
    let nested = (0..levels).fold(json!("core"), |inner, _| json!({ "in": inner }));
    json!({ key: { "action": "accept", "content": { "city": "Oslo", "more": nested } } })
}

#[tokio::test]
async fn an_answer_that_nests_too_deep_is_refused_and_can_be_given_better() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({ "depth": 1000 })).await;
    let first = Attempt::at(PATH);
    let (state, key) = first.suspended(gateway.address()).await;
    refused(gateway.address(), &first.with(&state, deep(&key, 300)), "inputResponses").await;
    goes_on(gateway.address(), &first.with(&state, deep(&key, 100))).await;
}

#[tokio::test]
async fn a_state_that_is_no_string_does_not_run_the_tool_anew() {
    let log = Log::new();
    let gateway = at(log.stdio("legacy"), json!({})).await;
    let mut odd = Attempt::at(PATH);
    odd.params["requestState"] = json!(12345);
    refused(gateway.address(), &odd, "requestState").await;
    assert!(!log.heard().iter().any(|message| message["method"] == "tools/call"), "the tool was run");
}

/// A call of `hold` has arrived at the server so often.
async fn held(log: &Log, times: usize) {
    let is = |message: &Value| message["params"]["name"] == "hold";
    log.until("the server holds a call", times, is).await;
}

#[tokio::test]
async fn a_legacy_client_that_loses_its_connection_at_once_cancels_nothing() {
    let log = Log::new();
    let gateway = at(log.stdio("modern"), json!({})).await;
    let session = Session::open(gateway.address(), PATH, "2025-11-25", json!({})).await.unwrap();
    let params = json!({ "name": "hold", "arguments": {} });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let lost = tokio::spawn(session.ask(&call).send());
    held(&log, 1).await;
    // For a modern caller the lost connection is a cancellation: when that one is heard, the other would have been.
    let (address, modern) = (gateway.address(), Attempt::at(PATH).of("hold"));
    let other = tokio::spawn(async move { modern.open(address).await });
    held(&log, 2).await;
    lost.abort();
    let _ = lost.await;
    other.abort();
    log.until("the modern caller's call is cancelled", 1, |message| message["held"] == "cancelled").await;
    session.call(2, "tools/call", json!({ "name": "release", "arguments": {} })).await.unwrap();
    log.until("the legacy client's call went on", 1, |message| message["held"] == "released").await;
}

/// What comes of a call of `ask` by a legacy client that takes only JSON and listens on no stream.
async fn asked_unheard(log: &Log, era: &str) -> String {
    let gateway = at(log.stdio(era), json!({})).await;
    let capabilities = json!({ "elicitation": {} });
    let session = Session::open(gateway.address(), PATH, "2025-11-25", capabilities).await.unwrap();
    let params = json!({ "name": "ask", "arguments": {} });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = session.ask(&call).header("accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.message().await;
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer:#}")).to_owned()
}

#[tokio::test]
async fn a_legacy_client_that_cannot_hear_a_question_is_not_waited_for() {
    let log = Log::new();
    let text = asked_unheard(&log, "modern").await;
    assert!(text.contains("cancel"), "{text}");
    let log = Log::new();
    asked_unheard(&log, "legacy").await;
    log.until("a legacy server is told", 1, is_refusal).await;
}

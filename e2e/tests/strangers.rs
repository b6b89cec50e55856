//! Callers who share a legacy server's process and know nothing of each other: what the server asks or tells one of
//! them reaches no other, also when that one has left, and nobody who stays away keeps the others out.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::{
    Gateway, Server, Setting,
    http::{Ask, Session},
    installed, wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATH: &str = "/servers/late/mcp";
const SECRET: &str = "a secret of the one who left";

/// The server, and the file in which it notes the calls that it has begun.
struct Late {
    server: Server,
    folder: TempDir,
}

impl Late {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let called = folder.path().join("called");
        let words = [installed::python(), installed::ours("servers/late.py"), called];
        Self { server: Server::of("late", &words.each_ref().map(|word| word.to_str().unwrap())), folder }
    }

    fn begun(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("called")).map_or(0, |text| text.lines().count())
    }

    /// Waits until the server has begun another call.
    async fn begins_another(&self) {
        let before = self.begun();
        let another = async || (self.begun() > before).then_some(());
        wait::until("the server is at the call", Duration::from_secs(60), another).await;
    }
}

fn modern(gateway: &Gateway, client: &str, tool: &str, arguments: Value) -> Ask {
    let params = json!({
        "name": tool,
        "arguments": arguments,
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": client, "version": "1.0.0" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
            "io.modelcontextprotocol/logLevel": "debug",
        },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let ask = Ask::post(gateway.address(), PATH, &body).header("mcp-protocol-version", "2026-07-28");
    ask.header("mcp-method", "tools/call").header("mcp-name", tool)
}

/// Makes a call and leaves it when the server is at it.
async fn leave(late: &Late, gateway: &Gateway, tool: &str) {
    let call = modern(gateway, "alice", tool, json!({ "after": 1.0, "message": SECRET })).send();
    tokio::select! { answer = call => panic!("it answered: {:?}", answer.is_ok()), () = late.begins_another() => {} }
}

async fn text_of(ask: Ask) -> String {
    String::from_utf8(ask.send().await.unwrap().bytes().await.to_vec()).unwrap()
}

#[tokio::test]
async fn what_a_server_asks_or_tells_a_caller_who_left_reaches_no_other_caller() {
    let late = Late::new();
    let gateway = Setting::of([late.server.clone()]).start().await;
    // Once before the server is known to ask, and once when it is.
    for tool in ["ask", "tell", "ask"] {
        leave(&late, &gateway, tool).await;
        let bobs = text_of(modern(&gateway, "bob", "wait", json!({ "for": 2.5 }))).await;
        assert!(bobs.contains("waited") && !bobs.contains(SECRET), "{tool}: {bobs}");
        let own = text_of(modern(&gateway, "bob", "ask", json!({ "message": "bob's own" }))).await;
        assert!(!own.contains(SECRET), "{tool}: {own}");
    }
    let own = text_of(modern(&gateway, "bob", "ask", json!({ "message": "bob's own" }))).await;
    assert!(own.contains("input_required") && own.contains("bob's own"), "{own}");
}

#[tokio::test]
async fn a_legacy_session_is_not_asked_what_was_another_sessions_question() {
    let late = Late::new();
    let gateway = Setting::of([late.server.clone()]).start().await;
    let capabilities = json!({ "elicitation": {} });
    let open = async || Session::open(gateway.address(), PATH, "2025-11-25", capabilities.clone()).await.unwrap();
    let (alice, bob) = (open().await, open().await);
    let asking =
        alice.call(5, "tools/call", json!({ "name": "ask", "arguments": { "after": 1.0, "message": SECRET } }));
    let left = async {
        late.begins_another().await;
        let enough = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } });
        alice.ask(&enough).send().await.unwrap();
    };
    let (cancelled, ()) = tokio::join!(asking, left);
    assert_eq!(cancelled.unwrap()["error"]["data"]["kind"], "cancelled");
    let wait = json!({ "name": "wait", "arguments": { "for": 2.5 } });
    let heard = text_of(bob.ask(&json!({ "jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": wait }))).await;
    assert!(heard.contains("waited") && !heard.contains(SECRET), "{heard}");
}

#[tokio::test]
async fn calls_whose_callers_stay_away_do_not_keep_others_out() {
    let late = Late::new();
    let gateway = Setting::of([late.server.clone().with("instances", json!(3))]).start().await;
    for number in 0..6 {
        text_of(modern(&gateway, &format!("client {number}"), "ask", json!({ "message": "?" }))).await;
    }
    for _ in 0..3 {
        let answer = text_of(modern(&gateway, "bob", "instance", json!({}))).await;
        assert!(answer.contains("\"complete\""), "{answer}");
    }
}

//! The demo server driven over its stream, in both eras.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    time::{Instant, timeout},
};
use wire::era::{LEGACY, MODERN};

use super::*;

/// A client on the other end of a copy's stream.
struct Client {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
    next_id: u64,
}

impl Client {
    fn of(notes: &Arc<Notes>) -> Self {
        let (reader, writer) = tokio::io::split(start_with(notes.clone()));
        Self { lines: BufReader::new(reader).lines(), writer, next_id: 1 }
    }

    fn new() -> Self {
        Self::of(&Arc::default())
    }

    async fn initialized(notes: &Arc<Notes>, version: &str) -> Self {
        let mut client = Self::of(notes);
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let answer = client.ask("initialize", params).await;
        assert_eq!(answer["result"]["protocolVersion"], version, "{answer}");
        client.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client
    }

    async fn say(&mut self, message: Value) {
        self.say_raw(&message.to_string()).await;
    }

    async fn say_raw(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
    }

    async fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.say(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        id
    }

    /// The answer to a request without notifications before it.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        let answer = self.hear().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    async fn ask_modern(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, modern(params)).await
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask_modern("tools/call", json!({ "name": tool, "arguments": arguments })).await["result"].take()
    }
}

/// Parameters with what the modern era wants in `_meta`.
fn modern(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn every_legacy_revision_is_settled_and_an_unknown_one_becomes_the_newest() {
    for version in LEGACY {
        Client::initialized(&Arc::default(), version).await;
    }
    let answer = Client::new().ask("initialize", json!({ "protocolVersion": "1999-01-01", "capabilities": {} })).await;
    assert_eq!(answer["result"]["protocolVersion"], LEGACY[0]);
    assert_eq!(answer["result"]["capabilities"]["resources"]["subscribe"], true);
    assert_eq!(answer["result"]["serverInfo"]["name"], "hostler-demo");
}

#[tokio::test]
async fn a_legacy_session_has_legacy_answers() {
    let mut client = Client::initialized(&Arc::default(), "2025-06-18").await;
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
    let tools = client.ask("tools/list", json!({})).await["result"].take();
    assert_eq!(tools["tools"].as_array().unwrap().len(), 7);
    for field in ["resultType", "ttlMs", "cacheScope", "_meta"] {
        assert_eq!(tools.get(field), None);
    }
    let said = client.ask("tools/call", json!({ "name": "echo", "arguments": { "text": "hé" } })).await;
    assert_eq!(text(&said["result"]), "hé");
    let missing = client.ask("resources/read", json!({ "uri": "demo://notes/none" })).await;
    assert_eq!(
        (&missing["error"]["code"], &missing["error"]["data"]["uri"]),
        (&json!(-32002), &json!("demo://notes/none"))
    );
    for method in ["server/discover", "subscriptions/listen", "nothing"] {
        assert_eq!(client.ask(method, json!({})).await["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn a_modern_answer_says_complete_who_and_how_long() {
    let mut client = Client::new();
    let found = client.ask_modern("server/discover", json!({})).await["result"].take();
    assert_eq!(found["supportedVersions"], json!([MODERN]));
    assert!(found["ttlMs"].as_u64().unwrap() > 0);
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        let result = client.ask_modern(method, json!({})).await["result"].take();
        assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("public")), "{method}");
        assert!(result["ttlMs"].is_u64(), "{method}");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "hostler-demo");
    }
    let said = client.call("echo", json!({ "text": "x" })).await;
    assert_eq!((&said["resultType"], said.get("ttlMs")), (&json!("complete"), None));
    for method in ["ping", "initialize", "logging/setLevel", "resources/subscribe", "nothing"] {
        assert_eq!(client.ask_modern(method, json!({})).await["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn a_modern_request_with_wrong_meta_is_refused() {
    let mut client = Client::new();
    let mut params = modern(json!({}));
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    let error = client.ask("tools/list", params).await["error"].take();
    assert_eq!(
        (&error["code"], &error["data"]),
        (&json!(-32022), &json!({ "supported": [MODERN], "requested": "2099-01-01" }))
    );
    for (key, value) in [
        ("io.modelcontextprotocol/protocolVersion", json!(1)),
        ("io.modelcontextprotocol/clientCapabilities", Value::Null),
        ("io.modelcontextprotocol/clientInfo", json!("me")),
        ("io.modelcontextprotocol/logLevel", json!("loud")),
    ] {
        let mut params = modern(json!({}));
        params["_meta"][key] = value;
        assert_eq!(client.ask("tools/list", params).await["error"]["code"], -32602, "{key}");
    }
    assert_eq!(client.ask("tools/list", json!({})).await["error"]["code"], -32602);
}

#[tokio::test]
async fn both_eras_are_served_on_one_stream() {
    let notes = Arc::default();
    let mut client = Client::initialized(&notes, LEGACY[0]).await;
    assert_eq!(client.ask("tools/list", json!({})).await["result"].get("resultType"), None);
    assert_eq!(client.ask_modern("tools/list", json!({})).await["result"]["resultType"], "complete");
    let missing = client.ask_modern("resources/read", json!({ "uri": "demo://none" })).await;
    assert_eq!(missing["error"]["code"], -32602);
}

#[tokio::test]
async fn ids_come_back_as_they_were() {
    let mut client = Client::new();
    for id in [json!("a\"b"), json!(-5), json!(9_007_199_254_740_993_u64)] {
        client.say(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": modern(json!({})) })).await;
        assert_eq!(client.hear().await["id"], id);
    }
}

#[tokio::test]
async fn what_is_no_message_is_told_and_nothing_else_happens() {
    let mut client = Client::initialized(&Arc::default(), LEGACY[0]).await;
    for (line, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("7", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
    ] {
        client.say_raw(line).await;
        let answer = client.hear().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &Value::Null), "{line}");
    }
    client.say(json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).await;
    client.say(json!({ "jsonrpc": "2.0", "method": "notifications/unheard-of" })).await;
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_batch_is_taken_in_the_one_revision_that_has_them() {
    let ping = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let mut client = Client::initialized(&Arc::default(), "2025-03-26").await;
    client.say(json!([ping("a"), ping("b")])).await;
    assert_eq!([client.hear().await["id"].take(), client.hear().await["id"].take()], ["a", "b"]);
    let mut client = Client::initialized(&Arc::default(), "2025-06-18").await;
    client.say(json!([ping("a")])).await;
    assert_eq!(client.hear().await["error"]["code"], -32600);
}

#[tokio::test]
async fn notes_are_remembered_recalled_listed_and_forgotten_by_any_copy() {
    let notes = Arc::default();
    let (mut one, mut other) = (Client::of(&notes), Client::of(&notes));
    assert_eq!(one.call("remember", json!({ "key": "a", "value": "1" })).await["structuredContent"]["created"], true);
    assert_eq!(
        other.call("remember", json!({ "key": "a", "value": "2" })).await["structuredContent"]["created"],
        false
    );
    assert_eq!(text(&one.call("recall", json!({ "key": "a" })).await), "2");
    let listed = one.call("list", json!({})).await;
    assert_eq!(listed["structuredContent"], json!({ "notes": [{ "key": "a", "bytes": 1 }] }));
    let read = other.ask_modern("resources/read", json!({ "uri": "demo://notes/a" })).await;
    assert_eq!(read["result"]["contents"][0]["text"], "2");
    assert_eq!(one.call("forget", json!({ "key": "a" })).await["structuredContent"]["forgotten"], true);
    assert_eq!(one.call("recall", json!({ "key": "a" })).await["isError"], true);
}

#[tokio::test]
async fn wrong_arguments_are_the_tools_own_error_and_wrong_calls_the_protocols() {
    let mut client = Client::new();
    for (tool, arguments) in [
        ("echo", json!({})),
        ("echo", json!({ "text": 1 })),
        ("time", json!({ "offset": "here" })),
        ("remember", json!({ "key": "a b", "value": "" })),
        ("countdown", json!({ "steps": 0 })),
        ("countdown", json!({ "steps": 1.5 })),
        ("countdown", json!({ "seconds": 1e9 })),
    ] {
        let result = client.call(tool, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{tool} {arguments}");
        assert!(!text(&result).is_empty());
    }
    for params in [json!({ "name": "none" }), json!({}), json!({ "name": "echo", "arguments": [] })] {
        assert_eq!(client.ask_modern("tools/call", params).await["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn every_structured_result_has_what_its_schema_requires() {
    let mut client = Client::new();
    let tools = client.ask_modern("tools/list", json!({})).await["result"]["tools"].take();
    let arguments = json!({ "key": "a", "value": "1", "text": "x", "steps": 1, "seconds": 0 });
    for tool in tools.as_array().unwrap() {
        let result = client.call(tool["name"].as_str().unwrap(), arguments.clone()).await;
        let required = tool["outputSchema"]["required"].as_array().cloned().unwrap_or_default();
        assert_eq!(tool.get("outputSchema").is_some(), result.get("structuredContent").is_some(), "{tool}");
        for field in required {
            assert!(result["structuredContent"].get(field.as_str().unwrap()).is_some(), "{field} of {tool}");
        }
    }
    let time = client.call("time", json!({ "offset": "+05:30" })).await["structuredContent"].take();
    assert!(time["time"].as_str().unwrap().ends_with("+05:30"), "{time}");
}

#[tokio::test(start_paused = true)]
async fn a_countdown_reports_every_step_to_the_token_of_its_caller() {
    let mut client = Client::initialized(&Arc::default(), LEGACY[0]).await;
    let begun = Instant::now();
    let params =
        json!({ "name": "countdown", "arguments": { "steps": 3, "seconds": 6 }, "_meta": { "progressToken": "t" } });
    let id = client.send("tools/call", params).await;
    for step in 1..=3 {
        let told = client.hear().await;
        assert_eq!(told["method"], "notifications/progress");
        let params = &told["params"];
        assert_eq!(
            (&params["progressToken"], &params["progress"], &params["total"]),
            (&json!("t"), &json!(step), &json!(3))
        );
    }
    let answer = client.hear().await;
    assert_eq!((&answer["id"], &answer["result"]["structuredContent"]["steps"]), (&json!(id), &json!(3)));
    assert!(begun.elapsed() >= Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_countdown_is_never_heard_of_again() {
    let mut client = Client::new();
    let call = modern(json!({ "name": "countdown", "arguments": { "steps": 2, "seconds": 10 } }));
    let id = client.send("tools/call", call.clone()).await;
    // While it runs, others are served, and its id is taken.
    assert_eq!(text(&client.call("echo", json!({ "text": "x" })).await), "x");
    client.say(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call })).await;
    assert_eq!(client.hear().await["error"]["code"], -32600);
    client.say(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })).await;
    assert!(timeout(Duration::from_secs(60), client.hear()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn log_messages_come_only_to_those_who_asked_and_as_severe_as_they_asked() {
    let mut client = Client::new();
    let mut params = modern(json!({ "name": "countdown", "arguments": { "steps": 1, "seconds": 1 } }));
    params["_meta"]["io.modelcontextprotocol/logLevel"] = "info".into();
    client.send("tools/call", params).await;
    let told = client.hear().await;
    assert_eq!((&told["method"], &told["params"]["level"]), (&json!("notifications/message"), &json!("info")));
    assert!(client.hear().await.get("result").is_some());

    let mut client = Client::initialized(&Arc::default(), LEGACY[0]).await;
    let params = json!({ "name": "countdown", "arguments": { "steps": 1, "seconds": 1 } });
    assert!(client.ask("tools/call", params.clone()).await.get("result").is_some());
    client.ask("logging/setLevel", json!({ "level": "debug" })).await;
    client.send("tools/call", params).await;
    assert_eq!(client.hear().await["params"]["level"], "info");
    assert_eq!(client.hear().await["params"]["level"], "debug");
    assert!(client.hear().await.get("result").is_some());
    assert_eq!(client.ask("logging/setLevel", json!({ "level": "loud" })).await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_legacy_session_hears_of_the_list_and_of_what_it_subscribed_to() {
    let notes: Arc<Notes> = Arc::default();
    let mut client = Client::initialized(&notes, LEGACY[0]).await;
    client.ask("resources/subscribe", json!({ "uri": "demo://notes/a" })).await;
    notes.remember("a", "1").unwrap();
    notes.remember("b", "1").unwrap();
    notes.remember("a", "2").unwrap();
    let list = json!({ "jsonrpc": "2.0", "method": "notifications/resources/list_changed", "params": {} });
    let updated =
        json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": "demo://notes/a" } });
    for expected in [&list, &updated, &list, &updated] {
        assert_eq!(client.hear().await, *expected);
    }
    client.ask("resources/unsubscribe", json!({ "uri": "demo://notes/a" })).await;
    notes.remember("a", "3").unwrap();
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
    assert_eq!(client.ask("resources/subscribe", json!({ "uri": "file:///x" })).await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_subscription_is_acknowledged_first_and_tagged_until_it_is_cancelled() {
    let notes: Arc<Notes> = Arc::default();
    let mut client = Client::of(&notes);
    let wanted = json!({
        "toolsListChanged": true,
        "resourcesListChanged": true,
        "resourceSubscriptions": ["demo://notes/a", "file:///x"],
    });
    client.next_id = 77;
    let id = client.send("subscriptions/listen", modern(json!({ "notifications": wanted }))).await;
    let tag = json!({ "io.modelcontextprotocol/subscriptionId": id });
    let first = client.hear().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    let honoured = json!({ "resourcesListChanged": true, "resourceSubscriptions": ["demo://notes/a"] });
    assert_eq!(first["params"], json!({ "notifications": honoured, "_meta": tag }));
    notes.remember("a", "1").unwrap();
    assert_eq!(client.hear().await["params"], json!({ "_meta": tag }));
    assert_eq!(client.hear().await["params"], json!({ "uri": "demo://notes/a", "_meta": tag }));
    client.say(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })).await;
    // The answer shows that the cancellation was read; only then is the change made.
    client.call("echo", json!({ "text": "x" })).await;
    notes.remember("a", "2").unwrap();
    assert!(client.call("list", json!({})).await.get("content").is_some());
}

#[tokio::test]
async fn resources_come_in_pages_and_prompts_and_keys_are_completed() {
    let notes: Arc<Notes> = Arc::default();
    for n in 0..150 {
        notes.remember(&format!("k{n:03}"), "v").unwrap();
    }
    let mut client = Client::of(&notes);
    let first = client.ask_modern("resources/list", json!({})).await["result"].take();
    let cursor = &first["nextCursor"];
    let second = client.ask_modern("resources/list", json!({ "cursor": cursor })).await["result"].take();
    let count = |page: &Value| page["resources"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second), second.get("nextCursor")), (101, 50, None));
    assert_eq!(second["resources"][0]["uri"], "demo://notes/k100");
    for method in ["resources/list", "tools/list"] {
        let answer = client.ask_modern(method, json!({ "cursor": "made up" })).await;
        assert_eq!(answer["error"]["code"], -32602, "{method}");
    }
    let complete = |reference: Value, name: &str, value: &str| json!({ "ref": reference, "argument": { "name": name, "value": value } });
    let key = json!({ "type": "ref/resource", "uri": "demo://notes/{key}" });
    let completed = client.ask_modern("completion/complete", complete(key.clone(), "key", "k14")).await;
    assert_eq!(completed["result"]["completion"]["total"], 10);
    let completed = client.ask_modern("completion/complete", complete(key, "key", "")).await;
    let completion = &completed["result"]["completion"];
    assert_eq!((completion["values"].as_array().unwrap().len(), &completion["hasMore"]), (100, &json!(true)));
    let style = json!({ "type": "ref/prompt", "name": "summarise" });
    let completed = client.ask_modern("completion/complete", complete(style.clone(), "style", "d")).await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["detailed"]));
    let refused = client.ask_modern("completion/complete", complete(style, "tone", "")).await;
    assert_eq!(refused["error"]["code"], -32602);
}

#[tokio::test]
async fn the_prompt_shows_the_notes_in_the_style_asked_for() {
    let notes: Arc<Notes> = Arc::default();
    notes.remember("plan", "ship it").unwrap();
    let mut client = Client::of(&notes);
    let prompt = json!({ "name": "summarise", "arguments": { "style": "haiku" } });
    let prompt = client.ask_modern("prompts/get", prompt).await["result"].take();
    let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.contains("haiku") && text.contains("ship it"), "{text}");
    for params in [json!({ "name": "none" }), json!({ "name": "summarise", "arguments": { "style": "loud" } })] {
        assert_eq!(client.ask_modern("prompts/get", params).await["error"]["code"], -32602);
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_ends_with_its_stream_and_its_calls_with_it() {
    let notes: Arc<Notes> = Arc::default();
    let mut client = Client::of(&notes);
    client.send("tools/call", modern(json!({ "name": "countdown", "arguments": { "seconds": 500 } }))).await;
    client.call("echo", json!({ "text": "x" })).await;
    assert!(Arc::strong_count(&notes) > 1);
    drop(client);
    while Arc::strong_count(&notes) > 1 {
        tokio::task::yield_now().await;
    }
}

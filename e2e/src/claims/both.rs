//! This crate's server of both eras: what the reference servers of the modern era do not do.
//!
//! Every claim here holds in the modern era; those that hold in the legacy era too say so.

use serde_json::{Value, json};

use super::{all_have_their_own, arrived_whole, each, holds_names, is_given_up, progress_is_whole, text};
use crate::{Client, Place, mark::Mark};

/// Its tools answer: texts, structure, its own failures. Both eras.
pub async fn answers_calls(client: Client, place: &Place) {
    let calls = json!([
        { "name": "echo", "arguments": { "message": "größer \u{1f98a}" } },
        { "name": "weather", "arguments": { "city": "Oslo" } },
        { "name": "fail" },
    ]);
    let seen = client.run(place, "tools", json!({ "calls": calls })).await;
    let observed = seen.observed();
    holds_names(&seen, &observed["tools"], place, &["echo", "count", "hold", "ask", "think", "weather"]);
    let [echo, weather, fail] = observed["calls"].as_array().unwrap().as_slice() else {
        panic!("{}: {observed:#}", seen.what())
    };
    assert_eq!(text(echo), "Echo: größer \u{1f98a}", "{}", seen.what());
    let structured = json!({ "city": "Oslo", "celsius": 21.5 });
    assert_eq!(weather["result"]["structuredContent"], structured, "{}", seen.what());
    assert_eq!(fail["result"]["isError"], true, "{}: {fail:#}", seen.what());
}

/// An argument that must stand in a header too arrives in both: HTTP from end to end only.
pub async fn takes_an_argument_in_a_header(client: Client, place: &Place) {
    let calls = json!([{ "name": "region", "arguments": { "name": "nørd" } }]);
    let seen = client.run(place, "tools", json!({ "calls": calls })).await;
    assert_eq!(text(&seen.observed()["calls"][0]), "nørd / =?base64?bsO4cmQ=?=", "{}", seen.what());
}

/// Its resources are listed and read. Both eras.
pub async fn gives_resources(client: Client, place: &Place) {
    let reads = json!(["note://fixed", "note://by-name/alpha", "note://bytes"]);
    let seen = client.run(place, "resources", json!({ "reads": reads })).await;
    let observed = seen.observed();
    let uris = each(&observed["resources"], "uri");
    assert!(uris.contains(&place.uri("note://fixed").as_str()), "{}: {uris:?}", seen.what());
    let templates = each(&observed["templates"], "uriTemplate");
    assert!(templates.contains(&place.uri("note://by-name/{name}").as_str()), "{}: {templates:?}", seen.what());
    let contents: Vec<&Value> =
        observed["reads"].as_array().unwrap().iter().map(|r| &r["result"]["contents"][0]).collect();
    assert_eq!(contents[0]["text"], "a fixed note", "{}", seen.what());
    assert_eq!(contents[0]["uri"], place.uri("note://fixed"), "{}", seen.what());
    assert_eq!(contents[1]["text"], "the note alpha", "{}", seen.what());
    assert!(contents[2]["blob"].as_str().unwrap().starts_with("AAECAwQF"), "{}: {}", seen.what(), contents[2]);
}

/// Its prompts are listed, filled in and completed. Both eras.
pub async fn gives_prompts(client: Client, place: &Place) {
    let gets = json!([{ "name": "greet", "arguments": { "name": "Ada", "tone": "curt" } }]);
    let seen = client.run(place, "prompts", json!({ "gets": gets })).await;
    let observed = seen.observed();
    holds_names(&seen, &observed["prompts"], place, &["greet"]);
    let said = &observed["gets"][0]["result"]["messages"][0]["content"]["text"];
    assert_eq!(said, "Greet Ada in a curt tone.", "{}", seen.what());
    let asks = json!([
        { "prompt": "greet", "argument": { "name": "tone", "value": "k" } },
        { "template": "note://by-name/{name}", "argument": { "name": "name", "value": "al" } },
    ]);
    let seen = client.run(place, "completion", json!({ "asks": asks })).await;
    let completions = &seen.observed()["completions"];
    assert_eq!(completions[0]["result"]["completion"]["values"], json!(["kind", "keen"]), "{}", seen.what());
    assert_eq!(completions[1]["result"]["completion"]["values"], json!(["alpha"]), "{}", seen.what());
}

/// A call reports each of its steps before its result. Both eras.
pub async fn reports_progress(client: Client, place: &Place) {
    let params = json!({ "name": "count", "arguments": { "steps": 5, "pause_ms": 60 }, "echo": "echo" });
    let seen = client.run(place, "progress", params).await;
    assert_eq!(text(seen.observed()), "Counted to 5.", "{}", seen.what());
    progress_is_whole(&seen, seen.observed(), 5);
}

/// Clients that call at once each have their own progress and result. Both eras.
pub async fn keeps_clients_apart(client: Client, place: &Place) {
    let each = json!([{ "steps": 5, "pause_ms": 80 }, { "steps": 8, "pause_ms": 50 }, { "steps": 3, "pause_ms": 130 }]);
    let seen = client.run(place, "crossing", json!({ "name": "count", "each": each })).await;
    for (run, steps) in seen.observed()["clients"].as_array().unwrap().iter().zip([5, 8, 3]) {
        assert_eq!(text(run), format!("Counted to {steps}."), "{}", seen.what());
        progress_is_whole(&seen, run, steps);
    }
}

/// A call that is given up is given up in the server too. Both eras.
pub async fn lets_a_call_be_cancelled(client: Client, place: &Place) {
    let tag = json!({ "tag": Mark::new().value() });
    let params = json!({ "name": "hold", "arguments": tag, "then": { "name": "was_cancelled", "arguments": tag } });
    is_given_up(&client.run(place, "cancellation", params).await, "true");
}

/// It asks the client's model. Both eras, each in its own way.
pub async fn samples(client: Client, place: &Place) {
    let answer = json!({ "model": "m", "role": "assistant", "content": { "type": "text", "text": "a thought" } });
    let params = json!({ "name": "think", "arguments": { "prompt": "say it" }, "answer": answer });
    let seen = client.run(place, "sampling", params).await;
    let observed = seen.observed();
    assert_eq!(observed["asked"][0]["messages"][0]["content"]["text"], "say it", "{}: {observed:#}", seen.what());
    assert_eq!(text(observed), "m: a thought", "{}", seen.what());
}

/// It asks the user; yes, no and go away are told apart. Both eras, each in its own way.
pub async fn elicits(client: Client, place: &Place) {
    let answers =
        json!([{ "action": "accept", "content": { "city": "Oslo" } }, { "action": "decline" }, { "action": "cancel" }]);
    let seen = client.run(place, "elicitation", json!({ "name": "ask", "answers": answers })).await;
    let observed = seen.observed();
    assert_eq!(observed["asked"].as_array().unwrap().len(), 3, "{}: {observed:#}", seen.what());
    let said: Vec<&str> = observed["results"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(said, ["accept: Oslo", "decline", "cancel"], "{}", seen.what());
}

/// It asks for the client's roots. Both eras, each in its own way.
pub async fn asks_for_roots(client: Client, place: &Place) {
    let roots = json!([{ "uri": "file:///one", "name": "One" }, { "uri": "file:///two", "name": "Two" }]);
    let seen = client.run(place, "roots", json!({ "name": "where", "before": roots })).await;
    assert_eq!(text(&seen.observed()["before"]), "file:///one file:///two", "{}", seen.what());
}

/// A request that asks for log messages gets those of its level, one that does not gets none.
pub async fn logs_when_asked(client: Client, place: &Place) {
    let levels = json!(["info", null, "debug"]);
    let seen = client.run(place, "logged_call", json!({ "name": "noisy", "levels": levels })).await;
    let rounds = seen.observed()["rounds"].as_array().unwrap();
    let heard: Vec<Vec<&str>> = rounds.iter().map(|round| each(&round["messages"], "level")).collect();
    assert_eq!(heard, [vec!["info", "error"], vec![], vec!["debug", "info", "error"]], "{}", seen.what());
}

/// A session hears log messages from the level on that it set. Legacy clients.
pub async fn logs_at_the_sessions_level(client: Client, place: &Place) {
    let params = json!({ "name": "noisy", "levels": ["info", "error", "debug"], "session": true });
    let seen = client.run(place, "logged_call", params).await;
    let rounds = seen.observed()["rounds"].as_array().unwrap();
    let heard: Vec<Vec<&str>> = rounds.iter().map(|round| each(&round["messages"], "level")).collect();
    assert_eq!(heard, [vec!["info", "error"], vec!["error"], vec!["debug", "info", "error"]], "{}", seen.what());
}

/// Who subscribed to a resource is told of its updates, under the name by which it knows the resource. Legacy clients at a
/// server of the modern era.
pub async fn updates_subscribed_sessions(client: Client, place: &Place) {
    let trigger = json!({ "name": "touch", "arguments": { "uri": "note://fixed" } });
    let seen = client.run(place, "subscription", json!({ "uri": "note://fixed", "trigger": trigger })).await;
    let observed = seen.observed();
    assert_eq!(observed["updates"][0]["uri"], place.uri("note://fixed"), "{}: {observed:#}", seen.what());
}

/// Who listens for a resource is told of its updates, under the name by which it knows the resource.
pub async fn updates_subscribers(client: Client, place: &Place) {
    // The tool takes the URI as the server knows it.
    let trigger = json!({ "name": "touch", "arguments": { "uri": "note://fixed" } });
    let seen = client.run(place, "subscription", json!({ "uri": "note://fixed", "trigger": trigger })).await;
    let observed = seen.observed();
    let uri = place.uri("note://fixed");
    assert_eq!(observed["honoured"]["resourceSubscriptions"], json!([uri]), "{}: {observed:#}", seen.what());
    assert_eq!(observed["updates"][0]["uri"], uri, "{}: {observed:#}", seen.what());
}

/// A list that grows is announced, and shows what is new. Both eras.
pub async fn announces_new_tools(client: Client, place: &Place) {
    let fresh = format!("grown-{}", Mark::new().value());
    let trigger = json!({ "name": "grow", "arguments": { "name": fresh } });
    let seen = client.run(place, "list_changed", json!({ "kind": "tools", "trigger": trigger })).await;
    let observed = seen.observed();
    let name = json!(place.name(&fresh));
    assert_eq!(observed["told"], 1, "{}: {observed:#}", seen.what());
    assert!(!observed["before"].as_array().unwrap().contains(&name), "{}: {observed:#}", seen.what());
    assert!(observed["after"].as_array().unwrap().contains(&name), "{}: {observed:#}", seen.what());
}

/// Twenty megabytes of answer arrive whole.
pub async fn answers_much(client: Client, place: &Place) {
    let bytes = 20_000_000;
    let arguments = json!({ "bytes": bytes });
    let params = json!({ "name": "large", "fill": "x", "bytes": bytes, "arguments": arguments, "waitMs": 60_000 });
    arrived_whole(&client.run(place, "large", params).await);
}

/// Two hundred calls at once are each answered with their own answer. Both eras.
pub async fn answers_many_at_once(client: Client, place: &Place) {
    let params = json!({ "name": "echo", "count": 200, "lead": "Echo: ", "waitMs": 60_000 });
    all_have_their_own(&client.run(place, "concurrent", params).await, 200);
}

/// A call whose stream was lost goes on: the client fetches what it missed. Legacy, Streamable HTTP, TypeScript only.
pub async fn is_resumed(client: Client, place: &Place) {
    let arguments = json!({ "steps": 12, "pause_ms": 120 });
    let params = json!({ "name": "count", "arguments": arguments, "cutAfter": 3, "waitMs": 30_000 });
    let seen = client.run(place, "resumption", params).await;
    let observed = seen.observed();
    assert_eq!(observed["cut"], true, "{}: {observed:#}", seen.what());
    assert!(observed["resumed"].as_i64() >= Some(1), "{}: it never asked for the rest: {observed:#}", seen.what());
    assert_eq!(text(observed), "Counted to 12.", "{}", seen.what());
    assert_eq!(observed["progress"], json!((1..=12).collect::<Vec<_>>()), "{}", seen.what());
}

/// All that holds in both eras, on every transport.
pub async fn holds(client: Client, place: &Place) {
    answers_calls(client, place).await;
    gives_resources(client, place).await;
    gives_prompts(client, place).await;
    reports_progress(client, place).await;
    keeps_clients_apart(client, place).await;
    lets_a_call_be_cancelled(client, place).await;
    samples(client, place).await;
    elicits(client, place).await;
    asks_for_roots(client, place).await;
    announces_new_tools(client, place).await;
    answers_many_at_once(client, place).await;
}

/// All of the modern era on every transport, but for the large answers, which not every client takes there.
pub async fn holds_in_the_modern_era(client: Client, place: &Place) {
    holds(client, place).await;
    logs_when_asked(client, place).await;
    updates_subscribers(client, place).await;
}

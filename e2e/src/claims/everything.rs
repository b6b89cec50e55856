//! server-everything, a server of the legacy era: tools, resources, prompts, and all that a server asks or tells.
//!
//! Never expects an order between a call's answer and a notification that has no part in the call.

use serde_json::{Value, json};

use super::{all_have_their_own, arrived_whole, each, holds_names, is_given_up, progress_is_whole, text, texts};
use crate::{Client, Place};

const TEXT: &str = "demo://resource/dynamic/text/3";
const BLOB: &str = "demo://resource/dynamic/blob/4";
const DOCUMENT: &str = "demo://resource/static/document/features.md";
const LONG: &str = "trigger-long-running-operation";

/// Its tools are listed and answer: texts, sums, structure, pictures, links, and its own errors.
pub async fn answers_calls(client: Client, place: &Place) {
    let calls = json!([
        { "name": "echo", "arguments": { "message": "größer \u{1f98a} \"quoted\"\n" } },
        { "name": "get-sum", "arguments": { "a": 2, "b": 40.5 } },
        { "name": "get-structured-content", "arguments": { "location": "Chicago" } },
        { "name": "get-tiny-image" },
        { "name": "get-sum", "arguments": { "a": "two", "b": 3 } },
        { "name": "get-resource-links", "arguments": { "count": 2 } },
        { "name": "get-resource-reference", "arguments": { "resourceType": "Text", "resourceId": 3 } },
    ]);
    let seen = client.run(place, "tools", json!({ "calls": calls })).await;
    let observed = seen.observed();
    holds_names(&seen, &observed["tools"], place, &["echo", "get-sum", "get-env", LONG, "gzip-file-as-resource"]);
    let [echo, sum, structured, image, wrong, links, embedded] = observed["calls"].as_array().unwrap().as_slice()
    else {
        panic!("{}: {observed:#}", seen.what())
    };
    assert_eq!(text(echo), "Echo: größer \u{1f98a} \"quoted\"\n", "{}", seen.what());
    assert_eq!(text(sum), "The sum of 2 and 40.5 is 42.5.", "{}", seen.what());
    let weather = json!({ "temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82 });
    assert_eq!(structured["result"]["structuredContent"], weather, "{}", seen.what());
    assert_eq!(image["result"]["content"][1]["mimeType"], "image/png", "{}", seen.what());
    assert!(image["result"]["content"][1]["data"].as_str().unwrap().starts_with("iVBORw0KGgo"), "{}", seen.what());
    assert_eq!(wrong["result"]["isError"], true, "{}: {wrong:#}", seen.what());
    assert!(text(wrong).contains("Invalid arguments for tool get-sum"), "{}: {wrong:#}", seen.what());
    let uris: Vec<Value> =
        links["result"]["content"].as_array().unwrap()[1..].iter().map(|l| l["uri"].clone()).collect();
    let expected = ["demo://resource/dynamic/blob/1", "demo://resource/dynamic/text/2"].map(|uri| place.uri(uri));
    assert_eq!(uris, expected, "{}", seen.what());
    let uri = &embedded["result"]["content"][1]["resource"]["uri"];
    assert_eq!(*uri, place.uri(TEXT), "{}", seen.what());
}

/// Its resources and templates are listed; text and bytes are read; what is not there is an error.
pub async fn gives_resources(client: Client, place: &Place) {
    let reads = json!([TEXT, BLOB, DOCUMENT, "demo://resource/nowhere"]);
    let seen = client.run(place, "resources", json!({ "reads": reads })).await;
    let observed = seen.observed();
    let uris = each(&observed["resources"], "uri");
    assert!(uris.contains(&place.uri(DOCUMENT).as_str()), "{}: {uris:?}", seen.what());
    let templates = each(&observed["templates"], "uriTemplate");
    let template = place.uri("demo://resource/dynamic/text/{resourceId}");
    assert!(templates.contains(&template.as_str()), "{}: {templates:?}", seen.what());
    let [text, blob, document, nowhere] = observed["reads"].as_array().unwrap().as_slice() else {
        panic!("{}: {observed:#}", seen.what())
    };
    for (read, uri) in [(text, TEXT), (blob, BLOB), (document, DOCUMENT)] {
        assert_eq!(read["result"]["contents"][0]["uri"], place.uri(uri), "{}: {read:#}", seen.what());
    }
    let first = text["result"]["contents"][0]["text"].as_str().unwrap();
    assert!(first.starts_with("Resource 3: This is a plaintext resource"), "{}: {first}", seen.what());
    assert!(blob["result"]["contents"][0]["blob"].as_str().unwrap().starts_with("UmVzb3VyY2UgND"), "{}", seen.what());
    let page = document["result"]["contents"][0]["text"].as_str().unwrap();
    assert!(page.starts_with("# Everything Server"), "{}: {page}", seen.what());
    let code = nowhere["error"]["code"].as_i64();
    assert!([Some(-32002), Some(-32602)].contains(&code), "{}: {nowhere:#}", seen.what());
}

/// Its prompts are listed and filled in; a missing argument is its own error.
pub async fn gives_prompts(client: Client, place: &Place) {
    let gets = json!([
        { "name": "simple-prompt" },
        { "name": "args-prompt", "arguments": { "city": "Oslo", "state": "NO" } },
        { "name": "resource-prompt", "arguments": { "resourceType": "Text", "resourceId": "3" } },
        { "name": "args-prompt", "arguments": {} },
    ]);
    let seen = client.run(place, "prompts", json!({ "gets": gets })).await;
    let observed = seen.observed();
    let names = ["simple-prompt", "args-prompt", "completable-prompt", "resource-prompt"];
    holds_names(&seen, &observed["prompts"], place, &names);
    let [simple, filled, embedded, wrong] = observed["gets"].as_array().unwrap().as_slice() else {
        panic!("{}: {observed:#}", seen.what())
    };
    let said = |get: &Value| get["result"]["messages"][0]["content"]["text"].as_str().unwrap_or_default().to_owned();
    assert_eq!(said(simple), "This is a simple prompt without arguments.", "{}", seen.what());
    assert_eq!(said(filled), "What's weather in Oslo, NO?", "{}", seen.what());
    let uri = &embedded["result"]["messages"][1]["content"]["resource"]["uri"];
    assert_eq!(*uri, place.uri(TEXT), "{}: {embedded:#}", seen.what());
    assert_eq!(wrong["error"]["code"], -32602, "{}: {wrong:#}", seen.what());
    assert!(wrong["error"]["message"].as_str().unwrap().contains("args-prompt"), "{}: {wrong:#}", seen.what());
}

/// Arguments of a prompt (one depending on another) and of a resource template are completed.
pub async fn completes(client: Client, place: &Place) {
    let asks = json!([
        { "prompt": "completable-prompt", "argument": { "name": "department", "value": "S" } },
        {
            "prompt": "completable-prompt",
            "argument": { "name": "name", "value": "" },
            "context": { "arguments": { "department": "Sales" } },
        },
        { "template": "demo://resource/dynamic/text/{resourceId}", "argument": { "name": "resourceId", "value": "12" } },
    ]);
    let seen = client.run(place, "completion", json!({ "asks": asks })).await;
    let completions = seen.observed()["completions"].as_array().unwrap();
    let values: Vec<&Value> = completions.iter().map(|one| &one["result"]["completion"]["values"]).collect();
    let expected = [json!(["Sales", "Support"]), json!(["David", "Eve", "Frank"]), json!(["12"])];
    assert_eq!(values, expected.iter().collect::<Vec<_>>(), "{}", seen.what());
}

/// A long operation reports each of its steps before its result.
pub async fn reports_progress(client: Client, place: &Place) {
    let params = json!({ "name": LONG, "arguments": { "duration": 0.8, "steps": 4 }, "echo": "echo" });
    let seen = client.run(place, "progress", params).await;
    let observed = seen.observed();
    assert_eq!(text(observed), "Long running operation completed. Duration: 0.8 seconds, Steps: 4.", "{}", seen.what());
    progress_is_whole(&seen, observed, 4);
}

/// Two clients call at once: each has its own progress and its own result.
pub async fn keeps_clients_apart(client: Client, place: &Place) {
    let each = json!([{ "duration": 1, "steps": 5 }, { "duration": 1, "steps": 7 }, { "duration": 1, "steps": 4 }]);
    let seen = client.run(place, "crossing", json!({ "name": LONG, "each": each })).await;
    for (run, steps) in seen.observed()["clients"].as_array().unwrap().iter().zip([5, 7, 4]) {
        let expected = format!("Long running operation completed. Duration: 1 seconds, Steps: {steps}.");
        assert_eq!(text(run), expected, "{}", seen.what());
        progress_is_whole(&seen, run, steps);
    }
}

/// A call is given up in the middle; the next one works.
pub async fn lets_a_call_be_cancelled(client: Client, place: &Place) {
    let then = json!({ "name": "echo", "arguments": { "message": "still here" } });
    let params = json!({ "name": LONG, "arguments": { "duration": 20, "steps": 100 }, "then": then });
    let seen = client.run(place, "cancellation", params).await;
    is_given_up(&seen, "Echo: still here");
}

/// It asks the client's model in the middle of a call, and gets that very answer.
pub async fn samples(client: Client, place: &Place) {
    let content = json!({ "type": "text", "text": "a thought – größer" });
    let answer = json!({ "model": "a-model", "role": "assistant", "content": content });
    let arguments = json!({ "prompt": "think", "maxTokens": 7 });
    let params = json!({ "name": "trigger-sampling-request", "arguments": arguments, "answer": answer });
    let seen = client.run(place, "sampling", params).await;
    let observed = seen.observed();
    let [asked] = observed["asked"].as_array().unwrap().as_slice() else {
        panic!("{}: asked not once: {observed:#}", seen.what())
    };
    assert_eq!(asked["maxTokens"], 7, "{}", seen.what());
    assert_eq!(asked["systemPrompt"], "You are a helpful test server.", "{}", seen.what());
    let question = asked["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(question.ends_with("context: think"), "{}: {question}", seen.what());
    assert!(text(observed).contains("a thought – größer"), "{}: {observed:#}", seen.what());
}

/// It asks the user in the middle of a call; yes, no and go away are told apart.
pub async fn elicits(client: Client, place: &Place) {
    let answers =
        json!([{ "action": "accept", "content": { "name": "Ada" } }, { "action": "decline" }, { "action": "cancel" }]);
    let params = json!({ "name": "trigger-elicitation-request", "answers": answers });
    let seen = client.run(place, "elicitation", params).await;
    let observed = seen.observed();
    let asked = observed["asked"].as_array().unwrap();
    assert_eq!(asked.len(), 3, "{}: {observed:#}", seen.what());
    assert_eq!(asked[0]["requestedSchema"]["required"], json!(["name"]), "{}", seen.what());
    let [yes, no, gone] = observed["results"].as_array().unwrap().as_slice() else {
        panic!("{}: {observed:#}", seen.what())
    };
    assert!(texts(yes)[1].contains("- Name: Ada"), "{}: {yes:#}", seen.what());
    assert!(text(no).contains("declined"), "{}: {no:#}", seen.what());
    assert!(text(gone).contains("cancelled"), "{}: {gone:#}", seen.what());
}

/// It asks for the client's roots, and again when the client says that they changed.
pub async fn asks_for_roots(client: Client, place: &Place) {
    let one = json!([{ "uri": "file:///one", "name": "One" }]);
    let two = json!([{ "uri": "file:///two", "name": "Two" }, { "uri": "file:///three", "name": "Three" }]);
    let seen = client.run(place, "roots", json!({ "name": "get-roots-list", "before": one, "after": two })).await;
    let observed = seen.observed();
    let (before, after) = (text(&observed["before"]), text(&observed["after"]));
    assert!(before.contains("(1 total)") && before.contains("file:///one"), "{}: {before}", seen.what());
    assert!(after.contains("(2 total)") && after.contains("file:///three"), "{}: {after}", seen.what());
}

/// Log messages come at the level that was set, and only then.
pub async fn logs(client: Client, place: &Place) {
    let params = json!({ "uri": TEXT, "toggle": "toggle-subscriber-updates", "levels": ["debug", "error", "info"] });
    let seen = client.run(place, "logging", params).await;
    let rounds = seen.observed()["rounds"].as_array().unwrap();
    for (round, heard) in rounds.iter().zip([true, false, true]) {
        assert!(round["set"].get("result").is_some(), "{}: {round:#}", seen.what());
        assert_eq!(round["fenced"], true, "{}: no update came: {round:#}", seen.what());
        let messages = round["messages"].as_array().unwrap();
        assert_eq!(!messages.is_empty(), heard, "{}: {round:#}", seen.what());
        assert!(messages.iter().all(|message| message["level"] == "info"), "{}: {round:#}", seen.what());
    }
}

/// Who subscribed to a resource is told of its updates, under the name by which it knows the resource.
pub async fn updates_subscribers(client: Client, place: &Place) {
    let trigger = json!({ "name": "toggle-subscriber-updates" });
    let params = json!({ "uri": TEXT, "trigger": trigger, "untrigger": "toggle-subscriber-updates" });
    let seen = client.run(place, "subscription", params).await;
    let observed = seen.observed();
    assert_eq!(observed["updates"][0]["uri"], place.uri(TEXT), "{}: {observed:#}", seen.what());
}

/// A list that grows is announced, and shows what is new. `fresh` is a name that was not used before.
pub async fn announces_new_resources(client: Client, place: &Place, fresh: &str) {
    let arguments = json!({ "name": fresh, "data": "data:text/plain,hello", "outputType": "resourceLink" });
    let trigger = json!({ "name": "gzip-file-as-resource", "arguments": arguments });
    let seen = client.run(place, "list_changed", json!({ "kind": "resources", "trigger": trigger })).await;
    let observed = seen.observed();
    let uri = json!(place.uri(&format!("demo://resource/session/{fresh}")));
    assert_eq!(observed["told"], 1, "{}: {observed:#}", seen.what());
    assert!(!observed["before"].as_array().unwrap().contains(&uri), "{}: {observed:#}", seen.what());
    assert!(observed["after"].as_array().unwrap().contains(&uri), "{}: {observed:#}", seen.what());
}

/// Two megabytes go there and back unharmed.
pub async fn echoes_much(client: Client, place: &Place) {
    let params = json!({ "name": "echo", "bytes": 2_000_000, "lead": "Echo: ", "waitMs": 60_000 });
    arrived_whole(&client.run(place, "large", params).await);
}

/// Two hundred calls at once on one connection are each answered with their own answer.
pub async fn answers_many_at_once(client: Client, place: &Place) {
    let params = json!({ "name": "echo", "count": 200, "lead": "Echo: ", "waitMs": 60_000 });
    all_have_their_own(&client.run(place, "concurrent", params).await, 200);
}

/// All of it but the large messages, which not every client takes. `fresh` is a name that was not used before.
pub async fn holds(client: Client, place: &Place, fresh: &str) {
    answers_calls(client, place).await;
    gives_resources(client, place).await;
    gives_prompts(client, place).await;
    completes(client, place).await;
    reports_progress(client, place).await;
    keeps_clients_apart(client, place).await;
    lets_a_call_be_cancelled(client, place).await;
    samples(client, place).await;
    elicits(client, place).await;
    asks_for_roots(client, place).await;
    logs(client, place).await;
    updates_subscribers(client, place).await;
    announces_new_resources(client, place, fresh).await;
    answers_many_at_once(client, place).await;
}

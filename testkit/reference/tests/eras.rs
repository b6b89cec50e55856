//! The reference server over stdio: what it is in each era, and that the same tools ask in both.
//!
//! Never tests what the official suites test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::Pipe;

fn reference(era: &str) -> Pipe {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reference"));
    Pipe::start(command.args(["--stdio", "--era", era]).stderr(Stdio::null()))
}

fn initialize(server: &mut Pipe) -> Value {
    let info = json!({ "name": "test", "version": "1" });
    let capabilities = json!({ "elicitation": {}, "sampling": {}, "roots": {} });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": info });
    let (greeting, _) = server.request("initialize", params);
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    greeting
}

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {}, "sampling": {}, "roots": {} },
    });
    params
}

fn text(response: &Value) -> &str {
    response["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {response}"))
}

/// Answers what the server asks until it answers the call.
fn legacy_call(server: &mut Pipe, tool: &str, answer: impl Fn(&Value) -> Value) -> Value {
    server.send(&json!({ "jsonrpc": "2.0", "id": "call", "method": "tools/call", "params": { "name": tool } }));
    loop {
        let message = server.message();
        if message["id"] == "call" && message.get("method").is_none() {
            return message;
        }
        if message.get("id").is_some() {
            server.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer(&message) }));
        }
    }
}

/// Repeats the call with what the server asked for until it is complete.
fn modern_call(server: &mut Pipe, tool: &str, answer: impl Fn(&Value) -> Value) -> Value {
    let mut params = modern(json!({ "name": tool }));
    loop {
        let (response, _) = server.request("tools/call", params.clone());
        let Some(asked) = response["result"]["inputRequests"].as_object() else { return response };
        params["inputResponses"] = asked.iter().map(|(key, request)| (key.clone(), answer(request))).collect();
        params["requestState"] = response["result"]["requestState"].clone();
    }
}

fn answer(request: &Value) -> Value {
    match request["method"].as_str().unwrap() {
        "elicitation/create" => {
            let fields = request["params"]["requestedSchema"]["properties"].as_object().unwrap();
            let content: Value = fields.keys().map(|field| (field.clone(), json!(format!("a {field}")))).collect();
            json!({ "action": "accept", "content": content })
        }
        "sampling/createMessage" => {
            json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "Paris" } })
        }
        "roots/list" => json!({ "roots": [{ "uri": "file:///work" }] }),
        other => panic!("asked for {other}"),
    }
}

#[test]
fn a_server_of_one_era_refuses_the_other() {
    let (refused, _) = reference("legacy").request("server/discover", modern(json!({})));
    assert_eq!(refused["error"]["code"], -32022, "{refused}");
    let refused = initialize(&mut reference("modern"));
    assert_eq!(refused["error"]["code"], -32022, "{refused}");
    let mut both = reference("dual");
    let (discovered, _) = both.request("server/discover", modern(json!({})));
    assert_eq!(discovered["result"]["supportedVersions"].as_array().unwrap().last().unwrap(), "2026-07-28");
    assert_eq!(initialize(&mut both)["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_tool_asks_in_both_eras_and_answers_with_what_it_was_told() {
    let (mut legacy, mut new) = (reference("legacy"), reference("modern"));
    initialize(&mut legacy);
    for (tool, part) in [
        ("test_input_required_result_elicitation", "Hello, a name!"),
        ("test_input_required_result_multiple_inputs", "file:///work"),
        ("test_input_required_result_multi_round", "a color"),
        ("test_sampling", "LLM response: Paris"),
        ("test_elicitation_sep1034_defaults", "action=accept"),
    ] {
        let by_request = legacy_call(&mut legacy, tool, answer);
        let by_result = modern_call(&mut new, tool, answer);
        assert!(text(&by_request).contains(part), "{tool}: {by_request}");
        assert!(text(&by_result).contains(part), "{tool}: {by_result}");
    }
}

#[test]
fn a_changed_list_is_told_and_is_another_list() {
    let mut server = reference("legacy");
    initialize(&mut server);
    let count = |server: &mut Pipe| {
        let (response, _) = server.request("tools/list", json!({}));
        response["result"]["tools"].as_array().unwrap().len()
    };
    let first = count(&mut server);
    let (_, told) = server.request("tools/call", json!({ "name": "test_trigger_tool_change" }));
    assert!(told.iter().any(|message| message["method"] == "notifications/tools/list_changed"), "{told:?}");
    assert_eq!(count(&mut server), first + 1);
}

#[test]
fn a_resource_that_was_subscribed_to_is_told_of_and_no_other() {
    let mut server = reference("legacy");
    initialize(&mut server);
    server.request("resources/subscribe", json!({ "uri": "test://watched-resource" }));
    let mut update = |uri: &str| {
        let params = json!({ "name": "test_trigger_resource_update", "arguments": { "uri": uri } });
        server.request("tools/call", params).1
    };
    let told = update("test://watched-resource");
    assert_eq!(told[0]["params"]["uri"], "test://watched-resource", "{told:?}");
    assert_eq!(update("test://static-text"), Vec::<Value>::new());
}

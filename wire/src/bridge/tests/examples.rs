//! Messages as the specification shows them (examples of the schema of revision 2026-07-28), through the bridge.

use serde_json::json;

use super::*;

#[test]
fn the_filter_of_the_specification_is_read_and_acknowledged() {
    let params = br#"{"_meta":{},"notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///project/config.json"]}}"#;
    let acknowledged = value(Filter::read(params).unwrap().acknowledgement(b"1"));
    assert_eq!(
        acknowledged["params"],
        json!({
            "_meta": { "io.modelcontextprotocol/subscriptionId": 1 },
            "notifications": {
                "toolsListChanged": true,
                "resourceSubscriptions": ["file:///project/config.json"],
            },
        })
    );
}

#[test]
fn the_input_requests_of_the_specification_are_read_as_they_were_made() {
    let login = r#"{"method":"elicitation/create","params":{"mode":"form","message":"Please provide your GitHub username","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}}"#;
    let capital = r#"{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"What is the capital of France?"}}],"systemPrompt":"You are a helpful assistant.","maxTokens":100}}"#;
    let entries = [("github_login", login.as_bytes()), ("capital_of_france", capital.as_bytes())];
    let result = input_required(&entries, Some("AEAD-protected blob"), None);
    let required = InputRequired::read(&result).unwrap();
    let found: Vec<_> = required.requests.iter().map(|request| (&*request.key, request.ask)).collect();
    assert_eq!(found, [("github_login", Ask::Form), ("capital_of_france", Ask::Sampling { tools: false })]);
    assert_eq!(required.state, Some(&b"\"AEAD-protected blob\""[..]));
}

#[test]
fn a_missing_resource_is_told_as_the_specification_shows_it() {
    let legacy = r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32002,"message":"Resource not found","data":{"uri":"file:///nonexistent.txt"}}}"#;
    let modern = edited(legacy, |splice, envelope| modern_error(splice, envelope, None));
    assert_eq!(modern, legacy.replace("-32002", "-32602"));
}

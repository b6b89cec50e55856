//! What the tools ask before they can answer, and what they answer then.
//!
//! Never asks by itself: how a question reaches the client depends on the era (`rounds`).

use serde_json::{Map, Value, json};

/// What is asked at once: requests of a client, by their keys.
pub type Round = Map<String, Value>;

/// What a tool asks.
#[derive(Default)]
pub struct Asking {
    /// The questions, in order; the next ones are asked when all of one round are answered.
    pub rounds: Vec<Round>,
    /// Has its state handed back in the modern era.
    pub sealed: bool,
    /// Leaves out what the client did not say it can answer.
    pub modest: bool,
}

/// The client's capability that a request needs.
pub fn capability(request: &Value) -> &'static str {
    match request["method"].as_str() {
        Some("sampling/createMessage") => "sampling",
        Some("roots/list") => "roots",
        _ => "elicitation",
    }
}

/// What a tool asks; nothing for one that asks nothing.
pub fn of_tool(name: &str, arguments: &Value) -> Option<Asking> {
    let argument = |name: &str| arguments[name].as_str().unwrap_or_default();
    let name_of_user = || ("user_name", form("What is your name?", "name"));
    let roots = || ("client_roots", json!({ "method": "roots/list", "params": {} }));
    let rounds = match name.strip_prefix("test_input_required_result_").unwrap_or(name) {
        "test_sampling" => vec![round([("answer", sample(argument("prompt")))])],
        "test_elicitation" => vec![round([("answer", form(argument("message"), "response"))])],
        "test_elicitation_sep1034_defaults" => vec![round([("answer", elicit("Please check.", with_defaults()))])],
        "test_elicitation_sep1330_enums" => vec![round([("answer", elicit("Please choose.", with_enums()))])],
        "test_streaming_elicitation" => vec![round([("answer", form("Which value?", "value"))])],
        "test_tool_with_task" | "elicitation" => vec![round([name_of_user()])],
        "sampling" => vec![round([("capital_question", sample("What is the capital of France?"))])],
        "list_roots" => vec![round([roots()])],
        "request_state" | "tampered_state" => vec![round([("confirm", yes_or_no("Please confirm", "ok"))])],
        "multiple_inputs" | "capabilities" => {
            vec![round([name_of_user(), ("greeting", sample("Generate a greeting")), roots()])]
        }
        "multi_round" => vec![
            round([("step1", form("Step 1: What is your name?", "name"))]),
            round([("step2", form("Step 2: What is your favorite color?", "color"))]),
        ],
        _ => return None,
    };
    let sealed = ["state", "multi", "capabilities"].iter().any(|part| name.contains(part));
    Some(Asking { rounds, sealed, modest: name.ends_with("_capabilities") })
}

/// What a tool answers when it knows all.
pub fn answer(name: &str, answers: &Round) -> String {
    let given = &answers.get("answer").cloned().unwrap_or_default();
    let action = given["action"].as_str().unwrap_or_default();
    match name {
        "test_sampling" => format!("LLM response: {}", given["content"]["text"].as_str().unwrap_or_default()),
        "test_elicitation" => format!("User response: action={action}, content={}", given["content"]),
        _ if !action.is_empty() => format!("Elicitation completed: action={action}, content={}", given["content"]),
        "test_input_required_result_elicitation" => format!("Hello, {}!", name_in(answers)),
        _ => format!("state-ok: {}", json!(answers)),
    }
}

/// The name that the user gave.
pub fn name_in(answers: &Round) -> &str {
    answers.get("user_name").and_then(|given| given["content"]["name"].as_str()).unwrap_or("whoever you are")
}

/// The request for a yes or a no.
pub fn yes_or_no(message: &str, field: &str) -> Value {
    elicit(message, json!({ "type": "object", "properties": { field: { "type": "boolean" } }, "required": [field] }))
}

/// The request for a text.
pub fn form(message: &str, field: &str) -> Value {
    elicit(message, json!({ "type": "object", "properties": { field: { "type": "string" } }, "required": [field] }))
}

fn round<const N: usize>(requests: [(&str, Value); N]) -> Round {
    requests.into_iter().map(|(key, request)| (key.to_owned(), request)).collect()
}

fn elicit(message: &str, schema: Value) -> Value {
    json!({ "method": "elicitation/create", "params": { "mode": "form", "message": message, "requestedSchema": schema } })
}

fn sample(prompt: &str) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 100 } })
}

/// A default of every primitive type (SEP-1034).
fn with_defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "Name", "default": "John Doe" },
            "age": { "type": "integer", "description": "Age", "default": 30 },
            "score": { "type": "number", "description": "Score", "default": 95.5 },
            "status": {
                "type": "string",
                "description": "Status",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": { "type": "boolean", "description": "Verified", "default": true },
        },
        "required": [],
    })
}

/// All five ways to offer a choice (SEP-1330).
fn with_enums() -> Value {
    let titled = |word: &str| {
        let title = |number: &str| json!({ "const": format!("value{number}"), "title": format!("{word} {number}") });
        json!([title("1"), title("2"), title("3")])
    };
    let untitled = json!(["option1", "option2", "option3"]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": untitled },
            "titledSingle": { "type": "string", "oneOf": titled("Option") },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "minItems": 1,
                "maxItems": 3,
                "items": { "type": "string", "enum": untitled },
            },
            "titledMulti": { "type": "array", "minItems": 1, "maxItems": 3, "items": { "anyOf": titled("Choice") } },
        },
        "required": [],
    })
}

//! The tools of the fake servers that need no connection: their definitions, their answers, their questions.
//!
//! Never waits and never sends: tools that do are in the servers themselves.

use serde_json::{Value, json};

use crate::protocol::{Outcome, Refusal, key, meta};

/// What a tool asks of the client before it can answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The client's capability that it needs.
    pub capability: &'static str,
    /// The request's method.
    pub method: &'static str,
    /// The request's parameters.
    pub params: Value,
}

impl Question {
    /// The question as the modern era has it: a first call's result asks, the repeated call brings the answer
    /// (2026-07-28, patterns/mrtr).
    ///
    /// # Errors
    /// -32021 when the client did not declare the capability, -32602 when the state is not the one handed out.
    pub fn over_rounds(&self, params: &Value) -> Outcome {
        if meta(params)[key::CLIENT_CAPABILITIES].get(self.capability).is_none() {
            return Err(Refusal::capability(self.capability));
        }
        match params["inputResponses"].get("answer") {
            Some(_) if params["requestState"] != STATE => Err(Refusal::params("requestState is not what it was")),
            Some(answer) => Ok(text(&answer.to_string())),
            None => Ok(json!({
                "resultType": "input_required",
                "inputRequests": {"answer": {"method": self.method, "params": self.params}},
                "requestState": STATE
            })),
        }
    }
}

/// What a client must hand back unchanged; characters of all kinds, since it is opaque.
const STATE: &str = "asked once: \u{e9}\u{20ac} {\"n\": 1} +/=";

/// Largest text that a tool makes, in bytes: a wrong argument must not fill the machine's memory.
pub const MOST_TEXT: u64 = 512 << 20;

/// The definitions, in the order of the list. `extra` is the tool that `toggle` adds, `many` the number of fillers.
pub fn definitions(extra: bool, many: usize) -> Vec<Value> {
    let mut tools = vec![
        tool(
            "echo",
            "Answers with the text it was given, or with `size` bytes of text.",
            json!({"text": {"type": "string"}, "size": {"type": "integer"}}),
            json!([]),
        ),
        adding(),
        tool(
            "slow",
            "Answers after `ms`, reporting progress `steps` times.",
            json!({"ms": {"type": "integer"}, "steps": {"type": "integer"}}),
            json!([]),
        ),
        tool("big", "Answers with `bytes` bytes of text.", json!({"bytes": {"type": "integer"}}), json!(["bytes"])),
        tool("fail", "Answers with isError.", json!({}), json!([])),
        tool(
            "log",
            "Sends a log message of `level`.",
            json!({"level": {"type": "string"}, "text": {"type": "string"}}),
            json!([]),
        ),
        tool(
            "ask",
            "Asks the user a question and answers with what was said.",
            json!({"question": {"type": "string"}}),
            json!([]),
        ),
        tool("sample", "Has the client's model answer `prompt`.", json!({"prompt": {"type": "string"}}), json!([])),
        tool("roots", "Answers with the client's roots.", json!({}), json!([])),
        tool("toggle", "Adds the tool `extra`, or takes it away again.", json!({}), json!([])),
        tool("update", "Says that the resource `uri` changed.", json!({"uri": {"type": "string"}}), json!(["uri"])),
        tool(
            "pending",
            "Answers with the calls in flight, those cancelled, what is subscribed to, and the client's answers outside calls.",
            json!({}),
            json!([]),
        ),
        tool(
            "env",
            "Answers with one environment variable, or with all of them.",
            json!({"name": {"type": "string"}}),
            json!([]),
        ),
        tool("pid", "Answers with the process id.", json!({}), json!([])),
    ];
    if extra {
        tools.push(tool("extra", "Is there only sometimes.", json!({}), json!([])));
    }
    let fillers = (1..=many)
        .map(|n| tool(&format!("tool_{n:05}"), "One of many.", json!({"text": {"type": "string"}}), json!([])));
    tools.extend(fillers);
    tools
}

/// One definition with an input schema of these properties.
pub fn tool(name: &str, description: &str, properties: Value, required: Value) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": properties, "required": required},
    })
}

/// The one with everything that a definition may have, unknown members included.
fn adding() -> Value {
    json!({
        "name": "add",
        "title": "Adding",
        "description": "Adds two numbers.",
        "inputSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}},
            "required": ["a", "b"],
            "$defs": {"n": {"type": "number"}},
            "unevaluatedProperties": false
        },
        "outputSchema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
        "annotations": {"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false},
        "x-unknown": {"kept": 9007199254740993_u64}
    })
}

/// The result of a tool that only looks at its arguments; nothing for the others.
pub fn plain(name: &str, arguments: &Value) -> Option<Value> {
    Some(match name {
        "echo" => match arguments["size"].as_u64() {
            Some(size) => text(&filler(size)),
            None => text(arguments["text"].as_str().unwrap_or_default()),
        },
        "add" => {
            let sum = arguments["a"].as_f64().unwrap_or_default() + arguments["b"].as_f64().unwrap_or_default();
            let mut result = text(&sum.to_string());
            result["structuredContent"] = json!({ "sum": sum });
            result
        }
        "big" => text(&filler(arguments["bytes"].as_u64().unwrap_or_default())),
        "fail" => failed("it failed, as it was told to"),
        "env" => match arguments["name"].as_str() {
            Some(name) => std::env::var(name).map_or_else(|_| failed("not set"), |value| text(&value)),
            None => text(&json!(std::env::vars().collect::<std::collections::BTreeMap<_, _>>()).to_string()),
        },
        "pid" => text(&std::process::id().to_string()),
        "extra" => text("extra"),
        name if name.starts_with("tool_") => text(name),
        _ => return None,
    })
}

/// What the tool asks of the client; nothing for those that ask nothing.
pub fn question(name: &str, arguments: &Value) -> Option<Question> {
    Some(match name {
        "ask" => Question {
            capability: "elicitation",
            method: "elicitation/create",
            params: json!({
                "mode": "form",
                "message": arguments["question"].as_str().unwrap_or("What is your name?"),
                "requestedSchema": {
                    "type": "object",
                    "properties": {"answer": {"type": "string"}},
                    "required": ["answer"]
                }
            }),
        },
        "sample" => Question {
            capability: "sampling",
            method: "sampling/createMessage",
            params: json!({
                "messages": [{
                    "role": "user",
                    "content": {"type": "text", "text": arguments["prompt"].as_str().unwrap_or("Say hello.")}
                }],
                "maxTokens": 100
            }),
        },
        "roots" => Question { capability: "roots", method: "roots/list", params: json!({}) },
        _ => return None,
    })
}

/// A result of one text.
pub fn text(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

/// A result that says that the tool failed.
pub fn failed(why: &str) -> Value {
    json!({"content": [{"type": "text", "text": why}], "isError": true})
}

/// Text of so many bytes, at most [`MOST_TEXT`].
pub fn filler(bytes: u64) -> String {
    "x".repeat(usize::try_from(bytes.min(MOST_TEXT)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_answers_with_its_text_or_with_as_much_as_was_asked() {
        assert_eq!(plain("echo", &json!({"text": "hé"})), Some(text("hé")));
        assert_eq!(plain("echo", &json!({"size": 3})), Some(text("xxx")));
        assert_eq!(plain("slow", &json!({})), None);
    }

    #[test]
    fn every_tool_has_its_own_name() {
        let tools = definitions(true, 1000);
        let names: std::collections::HashSet<_> = tools.iter().map(|tool| tool["name"].to_string()).collect();
        assert_eq!(names.len(), tools.len());
    }
}

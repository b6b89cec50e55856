//! The demo server's tools: what they are, and those that answer at once. Never fails on wrong arguments: they are told
//! as the tool's own error, from which a model can learn (2026-07-28, server/tools, "Error Handling").

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{
    countdown,
    message::{Object, Outcome, Refusal, STEADY},
    notes::{self, Notes},
};
use crate::clock::{Offset, rfc3339};

/// What a call needs.
pub(super) enum Call {
    /// It is done.
    Done(Outcome),
    /// It takes its time.
    Countdown(countdown::Countdown),
}

/// The answer to `tools/list`.
pub(super) fn list() -> Outcome {
    let tools =
        [echo_tool(), time_tool(), remember_tool(), recall_tool(), forget_tool(), list_tool(), countdown::tool()];
    Outcome::cacheable(json!({ "tools": tools }), STEADY)
}

fn echo_tool() -> Value {
    json!({
        "name": "echo",
        "title": "Echo",
        "description": "Says back what it is told.",
        "inputSchema": {
            "type": "object",
            "properties": { "text": { "type": "string", "description": "What to say back" } },
            "required": ["text"],
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false },
    })
}

fn time_tool() -> Value {
    let offset = json!({
        "type": "string",
        "description": "Distance from UTC, such as +02:00 or -05:30; UTC when left out",
        "pattern": "^(Z|[+-][0-9]{2}:[0-9]{2})$",
    });
    json!({
        "name": "time",
        "title": "Time",
        "description": "Tells the date and time.",
        "inputSchema": { "type": "object", "properties": { "offset": offset }, "additionalProperties": false },
        "outputSchema": {
            "type": "object",
            "properties": {
                "time": { "type": "string", "format": "date-time" },
                "offset": { "type": "string" },
                "unixSeconds": { "type": "integer" },
            },
            "required": ["time", "offset", "unixSeconds"],
        },
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    })
}

fn key_schema() -> Value {
    json!({
        "type": "string",
        "description": "The note's name",
        "pattern": format!("^[A-Za-z0-9_.-]{{1,{}}}$", notes::KEY),
    })
}

fn remember_tool() -> Value {
    json!({
        "name": "remember",
        "title": "Remember",
        "description": "Keeps a short text under a key for as long as Hostler runs; replaces what was there.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "key": key_schema(),
                "value": { "type": "string", "description": "The text", "maxLength": notes::VALUE },
            },
            "required": ["key", "value"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": { "key": { "type": "string" }, "created": { "type": "boolean" } },
            "required": ["key", "created"],
        },
        "annotations": { "destructiveHint": true, "idempotentHint": true, "openWorldHint": false },
    })
}

fn recall_tool() -> Value {
    json!({
        "name": "recall",
        "title": "Recall",
        "description": "Tells what was remembered under a key.",
        "inputSchema": {
            "type": "object",
            "properties": { "key": key_schema() },
            "required": ["key"],
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false },
    })
}

fn forget_tool() -> Value {
    json!({
        "name": "forget",
        "title": "Forget",
        "description": "Drops what was remembered under a key.",
        "inputSchema": {
            "type": "object",
            "properties": { "key": key_schema() },
            "required": ["key"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": { "key": { "type": "string" }, "forgotten": { "type": "boolean" } },
            "required": ["key", "forgotten"],
        },
        "annotations": { "destructiveHint": true, "idempotentHint": true, "openWorldHint": false },
    })
}

fn list_tool() -> Value {
    let note = json!({
        "type": "object",
        "properties": { "key": { "type": "string" }, "bytes": { "type": "integer" } },
        "required": ["key", "bytes"],
    });
    json!({
        "name": "list",
        "title": "List",
        "description": "Lists the keys of all notes.",
        "inputSchema": { "type": "object", "additionalProperties": false },
        "outputSchema": {
            "type": "object",
            "properties": { "notes": { "type": "array", "items": note } },
            "required": ["notes"],
        },
        "annotations": { "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false },
    })
}

/// Takes a call. Refuses only what is no call: an unknown tool, arguments that are no object.
pub(super) fn call(params: &Object, notes: &Notes) -> Result<Call, Refusal> {
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| Refusal::params("`name` must be a string"))?;
    let none = Object::new();
    let arguments = match params.get("arguments") {
        None => &none,
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err(Refusal::params("`arguments` must be an object")),
    };
    let done = match name {
        "echo" => echo(arguments),
        "time" => time(arguments),
        "remember" => remember(arguments, notes),
        "recall" => recall(arguments, notes),
        "forget" => forget(arguments, notes),
        "list" => Ok(list_notes(notes)),
        "countdown" => match countdown::Countdown::read(arguments) {
            Ok(countdown) => return Ok(Call::Countdown(countdown)),
            Err(sentence) => Err(sentence),
        },
        _ => return Err(Refusal::params(format!("there is no tool `{name}`"))),
    };
    Ok(Call::Done(done.unwrap_or_else(|sentence| failed(&sentence))))
}

fn echo(arguments: &Object) -> Result<Outcome, String> {
    Ok(said(text(arguments, "text")?))
}

fn time(arguments: &Object) -> Result<Outcome, String> {
    let offset = match arguments.get("offset") {
        None => Offset::UTC,
        Some(_) => {
            Offset::parse(text(arguments, "offset")?).ok_or("`offset` is written like +02:00, at most 14 hours")?
        }
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = rfc3339(i64::try_from(since.as_millis()).unwrap_or(i64::MAX), offset);
    let structured = json!({ "time": time, "offset": offset.to_string(), "unixSeconds": since.as_secs() });
    Ok(structured_too(&time, structured))
}

fn remember(arguments: &Object, notes: &Notes) -> Result<Outcome, String> {
    let (key, value) = (text(arguments, "key")?, text(arguments, "value")?);
    let created = notes.remember(key, value)?;
    let sentence = if created { format!("Remembered `{key}`.") } else { format!("Replaced `{key}`.") };
    Ok(structured_too(&sentence, json!({ "key": key, "created": created })))
}

fn recall(arguments: &Object, notes: &Notes) -> Result<Outcome, String> {
    let key = text(arguments, "key")?;
    match notes.recall(key) {
        Some(value) => Ok(said(&value)),
        None => Err(format!("There is no note `{key}`; `list` tells which there are.")),
    }
}

fn forget(arguments: &Object, notes: &Notes) -> Result<Outcome, String> {
    let key = text(arguments, "key")?;
    let forgotten = notes.forget(key);
    let sentence = if forgotten { format!("Forgot `{key}`.") } else { format!("There was no note `{key}`.") };
    Ok(structured_too(&sentence, json!({ "key": key, "forgotten": forgotten })))
}

fn list_notes(notes: &Notes) -> Outcome {
    let all = notes.list();
    let keys: Vec<_> = all.iter().map(|(key, _)| key.as_str()).collect();
    let sentence = if keys.is_empty() { "There are no notes.".to_owned() } else { keys.join("\n") };
    let entries: Vec<_> = all.iter().map(|(key, bytes)| json!({ "key": key, "bytes": bytes })).collect();
    structured_too(&sentence, json!({ "notes": entries }))
}

/// A text argument that must be there.
fn text<'a>(arguments: &'a Object, name: &str) -> Result<&'a str, String> {
    arguments.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` must be given, as a string"))
}

fn said(text: &str) -> Outcome {
    Outcome::new(json!({ "content": [{ "type": "text", "text": text }] }))
}

/// A result for people and for programs.
pub(super) fn structured_too(text: &str, structured: Value) -> Outcome {
    Outcome::new(json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured }))
}

/// A result that says what went wrong.
fn failed(sentence: &str) -> Outcome {
    Outcome::new(json!({ "content": [{ "type": "text", "text": sentence }], "isError": true }))
}

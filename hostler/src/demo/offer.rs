//! What the demo server offers beside its tools: its identity, resources, one template, one prompt, completion.
//!
//! Never changes anything: all of this only reads the notes.

use serde_json::{Value, json};
use wire::era::{Era, LEGACY, MODERN, code};

use super::{
    message::{Object, Outcome, Refusal, STEADY},
    notes::Notes,
};

/// Where notes are read as resources.
pub(super) const NOTES_URI: &str = "demo://notes/";
const TEMPLATE: &str = "demo://notes/{key}";
const ABOUT: &str = "demo://about";
const PROMPT: &str = "summarise";
const STYLES: [&str; 3] = ["brief", "detailed", "haiku"];

/// Entries on a page of the list of resources.
const PAGE: usize = 100;
/// Most values of one completion (2026-07-28, server/utilities/completion).
const COMPLETIONS: usize = 100;

const INSTRUCTIONS: &str = "A demonstration server inside Hostler. `remember`, `recall`, `forget` and `list` keep \
    short notes for as long as Hostler runs; each note is also a resource under demo://notes/. `countdown` takes its \
    time and reports progress.";

pub(super) fn server_info() -> Value {
    json!({ "name": "hostler-demo", "title": "Hostler demo", "version": ground::VERSION })
}

fn capabilities() -> Value {
    json!({
        "tools": {},
        "prompts": {},
        "resources": { "listChanged": true, "subscribe": true },
        "completions": {},
        "logging": {},
    })
}

/// The answer to `initialize`, with the revision asked for or else the newest that has a handshake.
pub(super) fn initialize(params: &Object) -> (&'static str, Outcome) {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let version = LEGACY.into_iter().find(|version| Some(*version) == asked).unwrap_or(LEGACY[0]);
    let result = json!({
        "protocolVersion": version,
        "capabilities": capabilities(),
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    });
    (version, Outcome::new(result))
}

/// The answer to `server/discover`.
pub(super) fn discover() -> Outcome {
    let result = json!({
        "supportedVersions": [MODERN],
        "capabilities": capabilities(),
        "instructions": INSTRUCTIONS,
    });
    Outcome::cacheable(result, STEADY)
}

/// Refuses a cursor where all fits on one page.
pub(super) fn one_page(params: &Object) -> Result<(), Refusal> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(bad_cursor()),
    }
}

fn bad_cursor() -> Refusal {
    Refusal::params("the cursor is not one that this server gave")
}

/// A page of resources. The cursor is the key after which the next page begins.
pub(super) fn resources(params: &Object, notes: &Notes) -> Result<Outcome, Refusal> {
    let after = match params.get("cursor") {
        None | Some(Value::Null) => None,
        Some(cursor) => Some(cursor.as_str().and_then(|cursor| cursor.strip_prefix("after:")).ok_or_else(bad_cursor)?),
    };
    let mut entries = Vec::new();
    if after.is_none() {
        entries.push(json!({
            "uri": ABOUT,
            "name": "about",
            "title": "About this server",
            "description": "What this server is for",
            "mimeType": "text/plain",
        }));
    }
    let all = notes.list();
    let mut rest = all.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after)).peekable();
    let mut last = None;
    for (key, size) in rest.by_ref().take(PAGE) {
        last = Some(key);
        entries.push(json!({
            "uri": format!("{NOTES_URI}{key}"),
            "name": key,
            "title": format!("Note `{key}`"),
            "mimeType": "text/plain",
            "size": size,
        }));
    }
    let mut result = json!({ "resources": entries });
    if let Some(last) = last.filter(|_| rest.peek().is_some()) {
        result["nextCursor"] = format!("after:{last}").into();
    }
    // Stale at once: the next note may come at any time.
    Ok(Outcome::cacheable(result, 0))
}

pub(super) fn templates() -> Outcome {
    let template = json!({
        "uriTemplate": TEMPLATE,
        "name": "note",
        "title": "A note",
        "description": "What was remembered under a key",
        "mimeType": "text/plain",
    });
    Outcome::cacheable(json!({ "resourceTemplates": [template] }), STEADY)
}

/// The answer to `resources/read`. The eras have different codes for a resource that does not exist.
pub(super) fn read(params: &Object, notes: &Notes, era: Era) -> Result<Outcome, Refusal> {
    let uri = params.get("uri").and_then(Value::as_str).ok_or_else(|| Refusal::params("`uri` must be a string"))?;
    let (text, ttl) = match uri.strip_prefix(NOTES_URI) {
        Some(key) => (notes.recall(key), 0),
        None => ((uri == ABOUT).then(|| INSTRUCTIONS.to_owned()), STEADY),
    };
    let text = text.ok_or_else(|| {
        let code = if era == Era::Modern { code::INVALID_PARAMS } else { code::RESOURCE_NOT_FOUND };
        let refusal = Refusal::new(code, format!("there is no resource `{uri}`"));
        Refusal { data: Some(json!({ "uri": uri })), ..refusal }
    })?;
    let contents = json!([{ "uri": uri, "mimeType": "text/plain", "text": text }]);
    Ok(Outcome::cacheable(json!({ "contents": contents }), ttl))
}

/// The URI, if it may be watched.
pub(super) fn watchable(uri: &Value) -> Option<&str> {
    uri.as_str().filter(|uri| uri.starts_with(NOTES_URI) || *uri == ABOUT)
}

pub(super) fn prompts() -> Outcome {
    let style = json!({
        "name": "style",
        "description": format!("One of {}; brief when left out", STYLES.join(", ")),
        "required": false,
    });
    let prompt = json!({
        "name": PROMPT,
        "title": "Summarise the notes",
        "description": "Asks for a summary of everything that was remembered",
        "arguments": [style],
    });
    Outcome::cacheable(json!({ "prompts": [prompt] }), STEADY)
}

/// The answer to `prompts/get`.
pub(super) fn prompt(params: &Object, notes: &Notes) -> Result<Outcome, Refusal> {
    match params.get("name").and_then(Value::as_str) {
        Some(PROMPT) => {}
        Some(other) => return Err(Refusal::params(format!("there is no prompt `{other}`"))),
        None => return Err(Refusal::params("`name` must be a string")),
    }
    let style = params.get("arguments").and_then(|arguments| arguments.get("style")).unwrap_or(&Value::Null);
    let how = match style.as_str() {
        None if style.is_null() => "briefly",
        Some("brief") => "briefly",
        Some("detailed") => "in detail",
        Some("haiku") => "as a haiku",
        _ => return Err(Refusal::params(format!("`style` must be one of {}", STYLES.join(", ")))),
    };
    let mut text = format!("Summarise {how} what these notes say.\n");
    for (key, _) in notes.list() {
        text.push_str(&format!("\n## {key}\n{}\n", notes.recall(&key).unwrap_or_default()));
    }
    Ok(Outcome::new(json!({
        "description": "A summary of the notes",
        "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
    })))
}

/// The answer to `completion/complete`.
pub(super) fn complete(params: &Object, notes: &Notes) -> Result<Outcome, Refusal> {
    let text =
        |pointer: [&str; 2]| params.get(pointer[0]).and_then(|part| part.get(pointer[1])).and_then(Value::as_str);
    let begun = text(["argument", "value"]).ok_or_else(|| Refusal::params("`argument.value` must be a string"))?;
    let argument = text(["argument", "name"]).ok_or_else(|| Refusal::params("`argument.name` must be a string"))?;
    let candidates: Vec<String> = match (text(["ref", "type"]), text(["ref", "name"]), text(["ref", "uri"]), argument) {
        (Some("ref/prompt"), Some(PROMPT), _, "style") => STYLES.map(str::to_owned).into(),
        (Some("ref/resource"), _, Some(TEMPLATE), "key") => notes.list().into_iter().map(|(key, _)| key).collect(),
        _ => return Err(Refusal::params("there is no such prompt or resource template, or it has no such argument")),
    };
    let mut values: Vec<_> = candidates.into_iter().filter(|value| value.starts_with(begun)).collect();
    let total = values.len();
    values.truncate(COMPLETIONS);
    let completion = json!({ "values": values, "total": total, "hasMore": total > COMPLETIONS });
    Ok(Outcome::new(json!({ "completion": completion })))
}

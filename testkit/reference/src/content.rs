//! Resources, prompts and completions, and the bytes that stand in them.
//!
//! Never changes: the same question has the same answer in every session and era.

use serde_json::{Value, json};

/// A PNG of one pixel.
pub const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNQSFgAAAHEASFcollRAAAAAElFTkSuQmCC";
/// A WAV of eight samples of silence.
pub const WAV: &str = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==";

/// What `resources/list` shows.
pub fn resources() -> Vec<Value> {
    vec![
        json!({ "uri": "test://static-text", "name": "static-text", "description": "A text.", "mimeType": "text/plain" }),
        json!({ "uri": "test://static-binary", "name": "static-binary", "description": "An image.", "mimeType": "image/png" }),
        json!({
            "uri": "test://watched-resource",
            "name": "watched-resource",
            "description": "A text that can be subscribed to.",
            "mimeType": "text/plain",
        }),
    ]
}

/// What `resources/templates/list` shows.
pub fn templates() -> Value {
    json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "What is known of an id.",
        "mimeType": "application/json",
    }])
}

/// The contents of a resource; nothing when there is none of that URI.
pub fn read(uri: &str) -> Option<Value> {
    match uri {
        "test://static-text" => Some(text(uri, "This is the content of the static text resource.")),
        "test://static-binary" => Some(json!({ "uri": uri, "mimeType": "image/png", "blob": PNG })),
        "test://watched-resource" => Some(text(uri, "This is the content of the watched resource.")),
        _ => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let known = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            Some(json!({ "uri": uri, "mimeType": "application/json", "text": known.to_string() }))
        }
    }
}

/// A text resource's contents.
pub fn text(uri: &str, text: &str) -> Value {
    json!({ "uri": uri, "mimeType": "text/plain", "text": text })
}

/// What `prompts/list` shows.
pub fn prompts() -> Vec<Value> {
    let argument = |name: &str| json!({ "name": name, "description": "Any text.", "required": true });
    vec![
        json!({ "name": "test_simple_prompt", "description": "A text." }),
        json!({
            "name": "test_prompt_with_arguments",
            "description": "A text with two arguments in it.",
            "arguments": [argument("arg1"), argument("arg2")],
        }),
        json!({
            "name": "test_prompt_with_embedded_resource",
            "description": "A resource and a text.",
            "arguments": [argument("resourceUri")],
        }),
        json!({ "name": "test_prompt_with_image", "description": "An image and a text." }),
        json!({ "name": crate::rounds::PROMPT, "description": "A text for which the user is asked first." }),
    ]
}

/// The messages of a prompt; nothing when there is none of that name.
pub fn prompt(name: &str, arguments: &Value) -> Option<Value> {
    let argument = |name: &str| arguments[name].as_str().unwrap_or_default();
    let said = |content: Value| json!({ "role": "user", "content": content });
    let words = |text: &str| said(json!({ "type": "text", "text": text }));
    match name {
        "test_simple_prompt" => Some(json!([words("This is a simple prompt for testing.")])),
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1"), argument("arg2"));
            Some(json!([words(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]))
        }
        "test_prompt_with_embedded_resource" => {
            let resource = text(argument("resourceUri"), "Embedded resource content for testing.");
            let embedded = said(json!({ "type": "resource", "resource": resource }));
            Some(json!([embedded, words("Please process the embedded resource above.")]))
        }
        "test_prompt_with_image" => {
            let image = said(json!({ "type": "image", "data": PNG, "mimeType": "image/png" }));
            Some(json!([image, words("Please analyze the image above.")]))
        }
        _ => None,
    }
}

/// What an argument may be, given how it begins; ids of the template, or words.
pub fn completions(argument: &str, begun: &str) -> Vec<&'static str> {
    let known: &[&str] = if argument == "id" { &["123", "124", "205"] } else { &["test", "testing", "text"] };
    known.iter().filter(|value| value.starts_with(begun)).copied().collect()
}

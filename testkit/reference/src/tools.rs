//! The definitions of all tools, in the order of the list.
//!
//! Never answers a call.

use std::sync::OnceLock;

use serde_json::{Value, json};

/// What `tools/list` shows.
pub fn all() -> &'static [Value] {
    static TOOLS: OnceLock<Vec<Value>> = OnceLock::new();
    TOOLS.get_or_init(|| [plain(), changing(), asking(), running_on()].concat())
}

fn tool(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "description": description, "inputSchema": schema })
}

/// A tool that takes nothing.
fn bare(name: &str, description: &str) -> Value {
    tool(name, description, json!({ "type": "object", "properties": {} }))
}

/// A tool that takes some texts; the required ones come first.
fn takes(name: &str, description: &str, required: &[&str], optional: &[(&str, &str)]) -> Value {
    let required_texts = required.iter().map(|name| (*name, "string"));
    let properties = required_texts.chain(optional.iter().copied());
    let properties: serde_json::Map<String, Value> =
        properties.map(|(name, kind)| (name.to_owned(), json!({ "type": kind }))).collect();
    tool(name, description, json!({ "type": "object", "properties": properties, "required": required }))
}

fn plain() -> Vec<Value> {
    vec![
        bare("test_simple_text", "Answers with a text."),
        bare("test_image_content", "Answers with an image."),
        bare("test_audio_content", "Answers with a sound."),
        bare("test_embedded_resource", "Answers with a resource."),
        bare("test_multiple_content_types", "Answers with a text, an image and a resource."),
        bare("test_error_handling", "Answers that it failed."),
        bare("test_tool_with_logging", "Sends three log messages before it answers."),
        bare("test_logging_tool", "Sends a log message before it answers."),
        bare("test_tool_with_progress", "Reports progress three times before it answers."),
        bare("test_reconnection", "Ends the stream of its own call before it answers."),
        bare("test_missing_capability", "Answers those alone who declared that they can sample."),
        tool(
            "test_x_mcp_header",
            "Answers with its argument, which stands in a header too.",
            json!({
                "type": "object",
                "properties": { "value": { "type": "string", "x-mcp-header": "Value" } },
                "required": ["value"],
            }),
        ),
        tool("json_schema_2020_12_tool", "Takes what only JSON Schema 2020-12 can describe.", whole_vocabulary()),
    ]
}

/// A schema with a word of every kind: reference, composition, condition.
fn whole_vocabulary() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}

fn changing() -> Vec<Value> {
    vec![
        bare("test_trigger_tool_change", "Changes the list of tools, and tells all who watch."),
        bare("test_trigger_prompt_change", "Changes the list of prompts, and tells all who watch."),
        bare("test_trigger_resource_change", "Changes the list of resources, and tells all who watch."),
        takes("test_trigger_resource_update", "Tells all who watch that a resource was updated.", &["uri"], &[]),
    ]
}

fn asking() -> Vec<Value> {
    vec![
        takes("test_sampling", "Has the client's model answer.", &["prompt"], &[]),
        takes("test_elicitation", "Asks the user.", &["message"], &[]),
        bare("test_elicitation_sep1034_defaults", "Asks the user, with a default for each field."),
        bare("test_elicitation_sep1330_enums", "Asks the user to choose, in five ways."),
        bare("test_streaming_elicitation", "Asks the user for a value."),
        bare("test_input_required_result_elicitation", "Asks the user for a name."),
        bare("test_input_required_result_sampling", "Has the client's model answer a question."),
        bare("test_input_required_result_list_roots", "Asks the client for its roots."),
        bare("test_input_required_result_request_state", "Asks the user, and has its state handed back."),
        bare("test_input_required_result_tampered_state", "Asks the user, and refuses a state that is not its own."),
        bare("test_input_required_result_multiple_inputs", "Asks user, model and client at once."),
        bare("test_input_required_result_multi_round", "Asks the user twice."),
        bare("test_input_required_result_capabilities", "Asks for as much as the client can answer."),
    ]
}

fn running_on() -> Vec<Value> {
    vec![
        takes("greet", "Greets; never a task.", &["name"], &[]),
        takes("slow_compute", "Answers after some time.", &[], &[("seconds", "number"), ("label", "string")]),
        bare("failing_job", "Fails after a while; always a task."),
        bare("protocol_error_job", "Breaks after a while."),
        takes("confirm_delete", "Asks the user first; always a task.", &[], &[("filename", "string")]),
        bare("multi_input", "Asks the user two things at once; always a task."),
        bare("test_tool_with_task", "Asks the user, then goes on as a task; always a task."),
    ]
}

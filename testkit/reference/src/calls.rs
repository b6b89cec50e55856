//! The tools that answer by themselves, and those that say something on the way.
//!
//! Never asks the client anything.
#![allow(deprecated, reason = "log messages are what the legacy suite looks at")]

use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, LoggingLevel, LoggingMessageNotificationParam,
        ProgressNotificationParam,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::{
    content::{self, PNG, WAV},
    era::is_modern,
    polling::OwnStream,
    server::{Reference, complete},
    watch::{Change, rank},
};

/// Between two messages of one call: enough that each travels alone.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a call waits for its client to come back, after it ended the stream: ten times what the client was told to
/// wait, because the SDK keeps no answer that is made while nobody is there.
const ABSENCE: Duration = Duration::from_secs(1);

/// Answers a call.
///
/// # Errors
/// -32602 for an unknown tool.
pub async fn call(
    server: &Reference,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let argument = |name: &str| call.arguments.as_ref().and_then(|given| given.get(name)?.as_str()).unwrap_or_default();
    let changed = match call.name.as_ref() {
        "test_trigger_tool_change" => Some(Change::Tools),
        "test_trigger_prompt_change" => Some(Change::Prompts),
        "test_trigger_resource_change" => Some(Change::Resources),
        "test_trigger_resource_update" => Some(Change::Resource(argument("uri"))),
        _ => None,
    };
    if let Some(changed) = changed {
        server.shared.toggles.turn(changed);
        server.shared.watchers.tell(changed).await;
        return said("All who watch were told.");
    }
    match call.name.as_ref() {
        "test_x_mcp_header" => said(argument("value")),
        "json_schema_2020_12_tool" => said(&format!("Called with {}", json!(call.arguments))),
        "test_missing_capability" => needs_sampling(context),
        "test_tool_with_logging" => {
            for step in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(server, context, step).await;
                tokio::time::sleep(PAUSE).await;
            }
            said("Tool with logging executed successfully")
        }
        "test_logging_tool" => {
            log(server, context, "Called").await;
            said("Whoever asked for it was told.")
        }
        "test_tool_with_progress" => progress(context).await,
        "test_reconnection" => {
            if let Some(stream) = context.extensions.get::<OwnStream>() {
                stream.close().await;
                tokio::time::sleep(ABSENCE).await;
            }
            said("The answer came after the stream had ended.")
        }
        name => match plain(name) {
            Some(result) => complete(result),
            None => Err(ErrorData::invalid_params(format!("no tool {name}"), None)),
        },
    }
}

/// A result that is one text.
///
/// # Errors
/// None; it is what handlers return.
pub fn said(text: &str) -> Result<CallToolResult, ErrorData> {
    complete(json!({ "content": [{ "type": "text", "text": text }], "isError": false }))
}

/// The tools that always answer the same.
fn plain(name: &str) -> Option<Value> {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let image = json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
    let resource = |contents: Value| json!({ "type": "resource", "resource": contents });
    let content = match name {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_image_content" => json!([image]),
        "test_audio_content" => json!([{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }]),
        "test_embedded_resource" => {
            json!([resource(content::text("test://embedded-resource", "This is an embedded resource content."))])
        }
        "test_multiple_content_types" => {
            let data = json!({
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": json!({ "test": "data", "value": 123 }).to_string(),
            });
            json!([text("Multiple content types test:"), image, resource(data)])
        }
        "test_error_handling" => json!([text("This tool intentionally returns an error for testing")]),
        _ => return None,
    };
    Some(json!({ "content": content, "isError": name == "test_error_handling" }))
}

fn needs_sampling(context: &RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
    if context.client_capabilities().is_some_and(|declared| declared.sampling.is_some()) {
        return said("The capability was declared.");
    }
    Err(ErrorData::missing_required_client_capability(ClientCapabilities::builder().enable_sampling().build()))
}

/// Tells a client that wants to be told: in the modern era the request says so, in the legacy era the session.
async fn log(server: &Reference, context: &RequestContext<RoleServer>, text: &str) {
    let level = LoggingLevel::Info;
    let wanted = match is_modern(context) {
        true => context.meta.log_level().is_some_and(|least| rank(level) >= rank(least)),
        false => server.session.wants(level),
    };
    if wanted {
        let message = LoggingMessageNotificationParam::new(level, json!(text)).with_logger("reference");
        let _ = context.peer.notify_logging_message(message).await;
    }
}

async fn progress(context: &RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
    let token = context.meta.get_progress_token();
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = token.clone() {
            let message = format!("{done} of 100");
            let report = ProgressNotificationParam::new(token, done).with_total(100.0).with_message(message);
            let _ = context.peer.notify_progress(report).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    said("Counted to 100.")
}

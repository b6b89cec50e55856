//! Asks the client what a tool or a prompt needs to know: in the modern era the result asks and the repeated request
//! brings the answers (SEP-2322), in the legacy era a request goes to the client in mid-call.
//!
//! Never keeps anything between two rounds: what it must know again, the client hands back, sealed.
#![allow(deprecated, reason = "sampling and roots are what the legacy suite looks at")]

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, ClientCapabilities, GetPromptRequestParams, GetPromptResponse,
        InputRequiredResult, InputResponses,
    },
    service::{RequestContext, ServiceError},
};
use serde_json::{Value, json};

use crate::{
    calls::said,
    era::is_modern,
    questions::{self, Asking, Round},
    server::{Reference, complete, typed},
};

/// The prompt that asks first.
pub const PROMPT: &str = "test_input_required_result_prompt";

/// Where a call is.
pub enum Known {
    /// The client must be asked this first.
    NotYet(InputRequiredResult),
    /// All answers, by their keys.
    All(Round),
}

/// Answers a call of a tool that asks; nothing for the others.
///
/// # Errors
/// -32602 for a state that is not the server's own, -32021 when the client cannot answer.
pub async fn call(
    server: &Reference,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResponse>, ErrorData> {
    let Some(asking) = questions::of_tool(&call.name, &json!(call.arguments)) else { return Ok(None) };
    match ask(server, asking, call, context).await? {
        Known::NotYet(result) => Ok(Some(result.into())),
        Known::All(answers) => said(&questions::answer(&call.name, &answers)).map(|result| Some(result.into())),
    }
}

/// Gathers the answers, or says what is still to be asked.
///
/// # Errors
/// As [`call`].
pub async fn ask(
    server: &Reference,
    mut asking: Asking,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Known, ErrorData> {
    let declared = json!(context.client_capabilities());
    for round in &mut asking.rounds {
        if asking.modest {
            round.retain(|_, request| !declared[questions::capability(request)].is_null());
        }
        if let Some(lacking) = round.values().map(questions::capability).find(|needed| declared[needed].is_null()) {
            return Err(lacks(lacking));
        }
    }
    asking.rounds.retain(|round| !round.is_empty());
    if is_modern(context) {
        return over_rounds(server, &asking, call.input_responses.as_ref(), call.request_state.as_deref());
    }
    let mut answers = Round::new();
    for (key, request) in asking.rounds.into_iter().flatten() {
        answers.insert(key, in_mid_call(request, context).await?);
    }
    Ok(Known::All(answers))
}

fn lacks(capability: &str) -> ErrorData {
    let needed = typed::<ClientCapabilities>(json!({ capability: {} })).unwrap_or_default();
    ErrorData::missing_required_client_capability(needed)
}

/// The modern way. The state says which round was asked last, and what was answered before.
fn over_rounds(
    server: &Reference,
    asking: &Asking,
    given: Option<&InputResponses>,
    state: Option<&str>,
) -> Result<Known, ErrorData> {
    let states = &server.shared.states;
    let state: Option<Value> = state
        .map(|state| states.open_json(state))
        .transpose()
        .map_err(|_| ErrorData::invalid_params("requestState is not what it was", None))?;
    let mut answers: Round = state.as_ref().and_then(|state| state["answers"].as_object().cloned()).unwrap_or_default();
    let mut at = state.as_ref().and_then(|state| state["round"].as_u64()).unwrap_or(0) as usize;
    let known = state.is_some() || !asking.sealed;
    while let Some(round) = asking.rounds.get(at) {
        let answer = |key: &String| Some((key.clone(), given?.get(key).filter(|answer| answer.is_object())?.clone()));
        let Some(all) = round.keys().map(answer).collect::<Option<Round>>().filter(|_| known) else {
            return asked(server, asking, at, &answers);
        };
        answers.extend(all);
        at += 1;
    }
    Ok(Known::All(answers))
}

fn asked(server: &Reference, asking: &Asking, at: usize, answers: &Round) -> Result<Known, ErrorData> {
    let state = asking.sealed.then(|| server.shared.states.seal_json(&json!({ "round": at, "answers": answers })));
    let state = state.transpose().map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let requests = typed(json!(asking.rounds[at]))?;
    Ok(Known::NotYet(InputRequiredResult::new(Some(requests), state)))
}

/// The legacy way.
async fn in_mid_call(request: Value, context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    let answer = context.peer.send_request(typed(request)?).await;
    answer.map(|answer| json!(answer)).map_err(|error| match error {
        ServiceError::McpError(error) => error,
        error => ErrorData::internal_error(error.to_string(), None),
    })
}

/// Answers the prompt that asks first.
///
/// # Errors
/// As [`call`].
pub async fn prompt(
    server: &Reference,
    params: &GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    let request = questions::form("What context should the prompt use?", "context");
    let asking = Asking { rounds: vec![Round::from_iter([("user_context".to_owned(), request)])], ..Asking::default() };
    let mut call = CallToolRequestParams::new(PROMPT);
    call.input_responses.clone_from(&params.input_responses);
    call.request_state.clone_from(&params.request_state);
    match ask(server, asking, &call, context).await? {
        Known::NotYet(result) => Ok(result.into()),
        Known::All(answers) => {
            let chosen = answers["user_context"]["content"]["context"].as_str().unwrap_or("none");
            let content = json!({ "type": "text", "text": format!("The context is {chosen}.") });
            complete(json!({ "messages": [{ "role": "user", "content": content }] })).map(GetPromptResponse::Complete)
        }
    }
}

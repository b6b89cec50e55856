//! Suspending a call and taking it up again: the sealed state is made here, checked here, and used once.
//!
//! A state names the node that holds the call. Another node that is given it passes the request on to that node, over
//! HTTP, and its answer back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ground::{Failure, Kind};
use tokio::time::Instant;
use wire::bridge;

use super::{
    peer_node,
    run::Run,
    seal::{Claims, Digest, digest_of},
    suspended::{self, Question},
};
use crate::{call::Call, forward::Outcome, gateway::Lane};

/// What a request resumes.
pub enum Resumed {
    /// Nothing: it is a call of its own.
    No,
    /// A call that waits, and the questions that still have no answer.
    Run(Box<Run>, Vec<Question>),
    /// A call that waits at another node, and what came of it there.
    Elsewhere(Outcome),
}

/// Keeps a call until its caller comes back; the sealed state by which it will.
///
/// # Errors
/// `Overloaded` when too many calls wait.
pub fn suspend(lane: &Lane, call: &Call, run: Run, questions: Vec<Question>) -> Result<String, Failure> {
    let limits = &lane.gateway.plan.load().limits;
    let id = ground::fresh::secret_id();
    let seal = &lane.gateway.seal;
    let claims = Claims {
        call: id.clone(),
        caller: caller(call),
        request: request(call),
        expires: (since_1970() + limits.suspend).as_secs(),
        node: seal.node.clone(),
    };
    let state = seal.close(&claims)?;
    let until = Instant::now() + limits.suspend;
    lane.gateway.suspended.keep(id, suspended::Call { run, questions, until }, limits.suspended)?;
    Ok(state)
}

/// Takes up the call that a request's state names.
///
/// # Errors
/// `InvalidParams` for a state that is forged, expired, used, or another's, and for answers that are none. A call whose
/// answers were refused can still be taken up.
pub async fn of(lane: &Lane, call: &Call) -> Result<Resumed, Failure> {
    let state = bridge::request_state(&call.body, &call.envelope).filter(|_| bridge::may_require_input(&call.method));
    let Some(state) = state else { return Ok(Resumed::No) };
    let claims = lane.gateway.seal.open(&state).ok_or_else(|| refused("is not one that this gateway gave out"))?;
    if claims.expires <= since_1970().as_secs() {
        return Err(refused("has expired"));
    }
    if claims.caller != caller(call) {
        return Err(refused("was given to another caller"));
    }
    if claims.request != request(call) {
        return Err(refused("belongs to another request"));
    }
    if claims.node != lane.gateway.seal.node {
        return peer_node::ask(lane, call, &claims.node).await.map(Resumed::Elsewhere);
    }
    let gone = || refused("has been used already, or the call it belongs to has ended");
    let waiting = lane.gateway.suspended.take(&claims.call).ok_or_else(gone)?;
    let questions: Vec<_> = waiting.questions.iter().map(Question::waiting).collect();
    let params = call.envelope.params.map_or(&b"{}"[..], |span| call.part(span));
    let answers = match bridge::answers(params, &questions) {
        Ok(answers) => answers,
        Err(unfit) => {
            let text = format!("`inputResponses`: {unfit}");
            lane.gateway.suspended.put_back(claims.call, waiting);
            return Err(Failure::client(Kind::InvalidParams, text));
        }
    };
    if answers.unknown > 0 {
        tracing::debug!(unknown = answers.unknown, "answers to nothing that was asked are left out of account");
    }
    let missing = answers.missing.iter().filter_map(|at| waiting.questions.get(*at).cloned()).collect();
    waiting.run.answer(answers.given).await?;
    Ok(Resumed::Run(Box::new(waiting.run), missing))
}

fn refused(what: &str) -> Failure {
    Failure::client(Kind::InvalidParams, format!("the `requestState` {what}"))
}

/// Who makes a request, as far as it can be told: where, with which credential, on which connection, as which client.
fn caller(call: &Call) -> Digest {
    let part = |span: Option<wire::Span>| span.map_or(&b""[..], |span| call.part(span));
    let capabilities = bridge::canonical(part(call.envelope.client_capabilities));
    let connection = call.session.as_ref().map_or("", |session| session.id.as_str());
    digest_of([
        call.place.path("").as_bytes(),
        call.credential.as_ref().map_or(&b""[..], |credential| credential.as_bytes()),
        connection.as_bytes(),
        &bridge::canonical(part(call.envelope.client_info)),
        &capabilities,
    ])
}

/// What is asked: the method and its parameters, but for what belongs to one attempt alone.
fn request(call: &Call) -> Digest {
    let params = call.envelope.params.map_or(&b"{}"[..], |span| call.part(span));
    let mut parts = vec![call.method.as_bytes().to_vec()];
    let lasting =
        wire::members(params).filter(|(key, ..)| !matches!(&**key, "_meta" | "inputResponses" | "requestState"));
    let mut members: Vec<_> =
        lasting.map(|(key, value, _)| (key.into_owned(), bridge::canonical(value.of(params)))).collect();
    members.sort();
    for (key, value) in members {
        parts.extend([key.into_bytes(), value]);
    }
    digest_of(parts.iter().map(Vec::as_slice))
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

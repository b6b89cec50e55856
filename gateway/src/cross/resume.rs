//! Suspending a call and taking it up again: the sealed state is made here, checked here, and used once.
//!
//! A state names the node that holds the call. Another node that is given it passes the request on to that node, over
//! HTTP, and its answer back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ground::{Failure, Kind};
use tokio::time::Instant;
use upstream::Outgoing;
use wire::{bridge, era::Era};

use super::{
    peer_node,
    run::Run,
    seal::{Claims, Digest, digest_of},
    suspended::{self, Question},
};
use crate::{call::Call, forward::Outcome, gateway::Lane, route::Trip};

/// What a request resumes.
pub enum Resumed {
    /// Nothing: it is a call of its own.
    No,
    /// A call that waited. Its answers are on their way; questions without one are still its questions.
    Run(Box<Run>),
    /// A call that waits at another node, and what came of it there.
    Elsewhere(Outcome),
}

/// Keeps a call until its caller comes back; the sealed state by which it will.
///
/// # Errors
/// When no state can be sealed.
pub fn suspend(lane: &Lane, call: &Call, run: Run) -> Result<String, Failure> {
    let limits = &lane.gateway.plan.load().limits;
    let id = ground::fresh::secret_id();
    let seal = &lane.gateway.seal;
    let caller = caller(call);
    let claims = Claims {
        call: id.clone(),
        caller,
        request: request(call),
        expires: (since_1970() + limits.suspend).as_secs(),
        node: seal.node.clone(),
    };
    let state = seal.close(&claims)?;
    let until = Instant::now() + limits.suspend;
    let connection = call.session.as_ref().map(|session| session.closing.clone());
    lane.gateway.suspended.keep(id, suspended::Call { run, caller, until, connection }, limits.suspended);
    Ok(state)
}

/// Takes up the call that a request's state names.
///
/// # Errors
/// `InvalidParams` for a state that is forged, expired, used, or another's, and for answers that are none. A call whose
/// answers were refused can still be taken up.
pub async fn of(lane: &Lane, call: &Call, trip: &Trip) -> Result<Resumed, Failure> {
    if !bridge::may_require_input(&call.method) {
        return Ok(Resumed::No);
    }
    let state = bridge::request_state(&call.body, &call.envelope);
    let state = state.map_err(|unfit| Failure::client(Kind::InvalidParams, unfit.to_string()))?;
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
    let mut waiting = lane.gateway.suspended.take(&claims.call).ok_or_else(gone)?;
    match answers(call, waiting.run.questions()) {
        Ok((answers, missing)) => {
            waiting.run.answer(trip, answers, &missing);
            Ok(Resumed::Run(Box::new(waiting.run)))
        }
        Err(why) => {
            lane.gateway.suspended.put_back(claims.call, waiting);
            Err(Failure::client(Kind::InvalidParams, format!("`inputResponses`: {why}")))
        }
    }
}

/// The answers that a retry brings, as messages for the server, and the positions of questions without one.
fn answers(call: &Call, questions: &[Question]) -> Result<(Vec<Outgoing>, Vec<usize>), String> {
    let questions: Vec<_> = questions.iter().map(Question::waiting).collect();
    let params = call.envelope.params.map_or(&b"{}"[..], |span| call.part(span));
    let answers = bridge::answers(params, &questions).map_err(|unfit| unfit.to_string())?;
    if answers.unknown > 0 {
        tracing::debug!(unknown = answers.unknown, "answers to nothing that was asked are left out of account");
    }
    let given = answers.given.into_iter().map(|answer| Outgoing::own(answer, Era::Legacy).map(|out| *out));
    Ok((given.collect::<Result<_, _>>().map_err(|fault| fault.to_string())?, answers.missing))
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

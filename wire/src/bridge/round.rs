//! A modern server's `input_required`, as a legacy client sees it: requests on the stream of its own call, and their
//! answers carried back in a repeated request. Never asks a client by itself, and never reads what is asked.
//!
//! "Multi Round-Trip Requests" of revision 2026-07-28; elicitation, sampling and roots of both revisions.

use std::borrow::Cow;

use bytes::Bytes;

use super::{ask::Ask, compose::Composer, object::Object, suspended::MOST, unfit::Unfit};
use crate::{Envelope, Shape, Splice, build, field, members, quote};

/// What a modern server wants to know before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRequired<'a> {
    /// Its requests; none when the call is to be repeated as it is, later.
    pub requests: Vec<InputRequest<'a>>,
    /// The raw string `requestState`, to be given back as it is.
    pub state: Option<&'a [u8]>,
}

/// One entry of `inputRequests`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRequest<'a> {
    /// The server's key.
    pub key: Cow<'a, str>,
    /// What it asks.
    pub ask: Ask,
    /// The raw object `params`.
    pub params: Option<&'a [u8]>,
}

/// Whether a modern server's answer asks for input.
#[must_use]
pub fn is_input_required(body: &[u8], envelope: &Envelope) -> bool {
    let kind = envelope.result_type.and_then(|span| crate::text(span.of(body)));
    envelope.kind == Shape::Response && kind.as_deref() == Some("input_required")
}

impl<'a> InputRequired<'a> {
    /// Reads a raw result whose type is `input_required`.
    ///
    /// # Errors
    /// `NotAnObject` for requests or an entry that are none, `Lacks` when an entry has no method, `requestState` is no
    /// string, or neither requests nor state are given; `NotAnAsk` for a request that no client can be asked; `TooMany`
    /// beyond [`MOST`]. The server broke the protocol then.
    pub fn read(result: &'a [u8]) -> Result<Self, Unfit> {
        let mut requests = Vec::new();
        let listed = field(result, "inputRequests");
        if listed.is_some_and(|listed| listed.first() != Some(&b'{')) {
            return Err(Unfit::NotAnObject("`inputRequests`"));
        }
        for (key, value, _) in members(listed.unwrap_or_default()) {
            if requests.len() == MOST {
                return Err(Unfit::TooMany(MOST));
            }
            requests.push(InputRequest::read(key, value.of(listed.unwrap_or_default()))?);
        }
        let state = field(result, "requestState");
        match state {
            None if listed.is_none() => Err(Unfit::Lacks("inputRequests")),
            Some(state) if state.first() != Some(&b'"') => Err(Unfit::Lacks("requestState")),
            _ => Ok(Self { requests, state }),
        }
    }
}

impl<'a> InputRequest<'a> {
    fn read(key: Cow<'a, str>, entry: &'a [u8]) -> Result<Self, Unfit> {
        if entry.first() != Some(&b'{') {
            return Err(Unfit::NotAnObject("an input request"));
        }
        let method = field(entry, "method").and_then(crate::text).ok_or(Unfit::Lacks("method"))?;
        let params = field(entry, "params");
        if params.is_some_and(|params| params.first() != Some(&b'{')) {
            return Err(Unfit::NotAnObject("`params` of an input request"));
        }
        Ok(Self { key, ask: Ask::read(&method, params)?, params })
    }

    /// The request as the client gets it, under a raw id of the gateway's. The URL mode of revision 2025-11-25 requires an
    /// `elicitationId`, unique for the session, which the modern era no longer has; other requests do not use it.
    #[must_use]
    pub fn to_client(&self, id: &[u8], elicitation_id: &str) -> Vec<u8> {
        match (self.ask, self.params) {
            (Ask::Url, Some(params)) => {
                let body = Bytes::copy_from_slice(params);
                let mut splice = Splice::new(body.clone());
                if let Some(mut object) = Object::whole(&body) {
                    object.put("elicitationId", quote(elicitation_id));
                    object.write(&mut splice);
                }
                build::request(id, self.ask.method(), Some(&splice.into_bytes()))
            }
            (ask, params) => build::request(id, ask.method(), params),
        }
    }
}

/// A client's answer as the value of an `inputResponses` entry.
///
/// A result passes as it is. An error, or a result that is none of its kind, becomes `{"action":"cancel"}` for an
/// elicitation: dismissed without a choice. Sampling and roots have no such answer: the specification lets the call end
/// there ("Error Handling" of sampling and roots), because no server is waiting.
///
/// # Errors
/// `Refused`, upon which the client's own call is answered with an error.
pub fn response(ask: Ask, body: &Bytes, envelope: &Envelope) -> Result<Bytes, Unfit> {
    if let Some(span) = envelope.result
        && ask.check(span.of(body)).is_ok()
    {
        return Ok(body.slice(span.start as usize..span.end as usize));
    }
    unanswered(ask)
}

/// What stands in `inputResponses` for a client that cannot or will not answer.
///
/// # Errors
/// `Refused` where no answer says so: sampling and roots.
pub fn unanswered(ask: Ask) -> Result<Bytes, Unfit> {
    match ask {
        Ask::Form | Ask::Url => Ok(Bytes::from_static(b"{\"action\":\"cancel\"}")),
        Ask::Sampling { .. } | Ask::Roots => Err(Unfit::Refused(ask.method())),
    }
}

/// What a repeated request brings along; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    responses: Option<Bytes>,
    state: Option<Bytes>,
}

impl Round {
    /// The answers to one `input_required`, by the server's keys, and its raw `requestState`. Answers to earlier ones are
    /// not repeated: the server keeps what it needs of them in the state.
    #[must_use]
    pub fn new(responses: &[(&str, &[u8])], state: Option<&[u8]>) -> Self {
        let mut all = Composer::new();
        responses.iter().for_each(|(key, value)| _ = all.member(key, value));
        Self {
            responses: (!responses.is_empty()).then(|| all.finish().into()),
            state: state.map(Bytes::copy_from_slice),
        }
    }

    /// The members that `params` gains.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'static str, &Bytes)> {
        let responses = self.responses.as_ref().map(|json| ("inputResponses", json));
        responses.into_iter().chain(self.state.as_ref().map(|json| ("requestState", json)))
    }
}

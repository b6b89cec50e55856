//! A call that a legacy server interrupts with requests, as a modern client sees it: `input_required`, and a retry with
//! answers. Never keeps the call or seals its state: what waits is handed in, and so is the sealed string.
//!
//! "Multi Round-Trip Requests" of revision 2026-07-28; elicitation, sampling and roots of both revisions.

use std::borrow::Cow;

use super::{ask::Ask, compose::Composer, object::Object, unfit::Unfit, words::SERVER_INFO};
use crate::{Envelope, Splice, build, elements, field, members, quote, text};

/// Entries taken of one `inputRequests`, `inputResponses` or list of elicitations.
pub const MOST: usize = 100;

/// What a legacy server's request asks of the client.
///
/// # Errors
/// `NotAnAsk` for any other request.
pub fn asked(body: &[u8], envelope: &Envelope) -> Result<Ask, Unfit> {
    Ask::read(&envelope.method(body), envelope.params.map(|params| params.of(body)))
}

/// The value of an `inputRequests` entry for a legacy server's request: its method, and its `params` as they are. Only
/// `elicitationId` goes, which the modern era does not have.
///
/// # Errors
/// `NotAnAsk` for any other request.
pub fn input_request(body: &[u8], envelope: &Envelope) -> Result<Vec<u8>, Unfit> {
    let ask = asked(body, envelope)?;
    Ok(entry(ask, envelope.params.map(|params| params.of(body))))
}

fn entry(ask: Ask, params: Option<&[u8]>) -> Vec<u8> {
    let mut entry = Composer::new();
    entry.member("method", quote(ask.method()));
    match params {
        Some(params) if ask == Ask::Url => _ = entry.member("params", without_id(params)),
        Some(params) => _ = entry.member("params", params),
        None => {}
    }
    entry.finish()
}

fn without_id(params: &[u8]) -> Vec<u8> {
    let body = bytes::Bytes::copy_from_slice(params);
    let mut splice = Splice::new(body.clone());
    if let Some(mut object) = Object::whole(&body) {
        object.take("elicitationId");
        object.write(&mut splice);
    }
    splice.into_bytes().to_vec()
}

/// The entries for an error -32042, with which a server of revision 2025-11-25 says that URLs must be visited before the
/// call is made again ("URL Elicitation Required Error", elicitation). The modern era has no such error: it requires
/// input, and the retry is a new call. `None` for other errors, and for one that does not say what it requires; a client
/// that did not declare URL mode gets the error that `modern_error` makes of it.
#[must_use]
pub fn url_elicitations(body: &[u8], envelope: &Envelope) -> Option<Vec<Vec<u8>>> {
    if envelope.error_code != Some(super::error::URL_ELICITATION_REQUIRED) {
        return None;
    }
    let list = field(field(envelope.error?.of(body), "data")?, "elicitations")?;
    let mut entries = Vec::new();
    for params in elements(list).take(MOST) {
        let ask = Ask::read("elicitation/create", Some(params)).ok()?;
        if ask != Ask::Url || params.first() != Some(&b'{') {
            return None;
        }
        entries.push(entry(ask, Some(params)));
    }
    (!entries.is_empty()).then_some(entries)
}

/// The result that asks for input: entries (key, raw value) for `inputRequests`, the sealed `requestState`, the raw
/// identity of the server. At least one of the first two must be there, which is the caller's business; keys must differ.
#[must_use]
pub fn input_required(entries: &[(&str, &[u8])], state: Option<&str>, server_info: Option<&[u8]>) -> Vec<u8> {
    let mut result = Composer::new();
    result.member("resultType", b"\"input_required\"");
    if !entries.is_empty() {
        let mut requests = Composer::new();
        entries.iter().for_each(|(key, value)| _ = requests.member(key, value));
        result.member("inputRequests", requests.finish());
    }
    if let Some(state) = state {
        result.member("requestState", quote(state));
    }
    if let Some(info) = server_info {
        result.member("_meta", Composer::new().member(SERVER_INFO, info).finish());
    }
    result.finish()
}

/// `params.requestState` of a retry, decoded; `None` where there is none.
///
/// # Errors
/// `Lacks` for one that is no string: a retry with it is answered with -32602, not taken for a call of its own.
pub fn request_state<'a>(body: &'a [u8], envelope: &Envelope) -> Result<Option<Cow<'a, str>>, Unfit> {
    let state = envelope.params.and_then(|params| field(params.of(body), "requestState"));
    state.map(|state| text(state).ok_or(Unfit::Lacks("requestState"))).transpose()
}

/// A legacy server's request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// Its key in `inputRequests`.
    pub key: &'a str,
    /// What it asks.
    pub ask: Ask,
    /// Its raw JSON-RPC id.
    pub id: &'a [u8],
}

/// What a retry brought.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Answers {
    /// JSON-RPC responses for the server, in the order in which the requests were given.
    pub given: Vec<Vec<u8>>,
    /// Positions of requests without an answer. The client is to be asked for them again ("Error Handling").
    pub missing: Vec<usize>,
    /// Answers to nothing that waits. They are left out of account, as the specification wants it; the number is for the
    /// log.
    pub unknown: usize,
}

/// The answers in `inputResponses` of a retry's raw `params`, as responses to the requests that wait.
///
/// # Errors
/// `NotAnObject` when `inputResponses` or an answer in it is no object, `Lacks` when an answer lacks what its kind
/// requires, `TooMany` beyond [`MOST`]. Then nothing may be sent to the server: the retry is answered with -32602.
pub fn answers(params: &[u8], waiting: &[Waiting<'_>]) -> Result<Answers, Unfit> {
    let given = field(params, "inputResponses").unwrap_or(b"{}");
    if given.first() != Some(&b'{') {
        return Err(Unfit::NotAnObject("`inputResponses`"));
    }
    let mut found: Vec<Option<&[u8]>> = vec![None; waiting.len()];
    let mut answers = Answers::default();
    for (number, (key, value, _)) in members(given).enumerate() {
        if number == MOST {
            return Err(Unfit::TooMany(MOST));
        }
        match waiting.iter().position(|request| request.key == key) {
            Some(at) => {
                waiting[at].ask.check(value.of(given))?;
                found[at].get_or_insert(value.of(given));
            }
            None => answers.unknown += 1,
        }
    }
    for (at, (request, value)) in waiting.iter().zip(found).enumerate() {
        match value {
            Some(value) => answers.given.push(build::result(request.id, value)),
            None => answers.missing.push(at),
        }
    }
    Ok(answers)
}

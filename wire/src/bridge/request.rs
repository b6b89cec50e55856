//! A client's request in the words of the other era, as edits. Never touches arguments, ids or progress tokens, so that
//! the edits of a route and of a transport find their places free.
//!
//! "`_meta`" and "Per-request protocol fields" (basic) and "Multi Round-Trip Requests" (patterns) of revision
//! 2026-07-28; lifecycle of revision 2025-11-25, where a session knows what each modern request says.

use crate::{Envelope, Level, Shape, Splice, Version, build, quote};

use super::{
    compose::Composer,
    object::Object,
    round::Round,
    words::{CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, PER_REQUEST, VERSION, may_require_input},
};

/// On whose behalf a request goes to a modern server.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The revision that the server speaks.
    pub version: Version,
    /// Raw `ClientCapabilities` in their modern shape; see [`modern_capabilities`](super::modern_capabilities).
    pub capabilities: &'a [u8],
    /// Raw `Implementation`: the client's own name and version.
    pub info: &'a [u8],
    /// What the session set with `logging/setLevel`, if anything.
    pub level: Option<Level>,
}

impl Caller<'_> {
    fn meta(&self) -> Vec<u8> {
        build::modern_meta(self.version.as_str(), self.info, self.capabilities, self.level.map(Level::as_str))
    }
}

/// Makes a modern request or notification one that a legacy server takes: without the protocol fields of `_meta`, and
/// without `inputResponses` and `requestState`, which the gateway answers itself. `_meta` and `params` go too if nothing
/// is left in them. All else stays, the progress token with it.
pub fn legacy_request(splice: &mut Splice, envelope: &Envelope) {
    let body = splice.body().clone();
    let Some(mut message) = Object::whole(&body) else { return };
    let Some(mut params) = message.object(&body, "params") else { return };
    if may_require_input(&envelope.method(&body)) {
        params.take("inputResponses");
        params.take("requestState");
    }
    if let Some(mut meta) = params.object(&body, "_meta") {
        PER_REQUEST.into_iter().for_each(|key| meta.take(key));
        meta.write_within(&mut params, "_meta", splice);
    }
    params.write_within(&mut message, "params", splice);
    message.write(splice);
}

/// Makes a legacy request one that stands alone: `_meta` says revision, capabilities, identity and log level, in place
/// of whatever it said of them. `round` is what a server that required input is given, in place of an earlier round's;
/// the default for a first attempt. Anything but a request stays as it is.
///
/// The JSON-RPC id of a repeated request must be another than the first one's, which is the link's business.
pub fn modern_request(splice: &mut Splice, envelope: &Envelope, caller: &Caller<'_>, round: &Round) {
    let body = splice.body().clone();
    let message = Object::whole(&body).filter(|_| envelope.kind == Shape::Request);
    let Some(mut message) = message else { return };
    let Some(mut params) = message.object(&body, "params") else {
        let mut params = Composer::new();
        params.member("_meta", caller.meta());
        round.members().for_each(|(key, json)| _ = params.member(key, json));
        message.put("params", params.finish());
        return message.write(splice);
    };
    match params.object(&body, "_meta") {
        Some(mut meta) => {
            meta.put(VERSION, quote(caller.version.as_str()));
            meta.put(CLIENT_INFO, caller.info.to_vec());
            meta.put(CLIENT_CAPABILITIES, caller.capabilities.to_vec());
            match caller.level {
                Some(level) => meta.put(LOG_LEVEL, quote(level.as_str())),
                None => meta.take(LOG_LEVEL),
            }
            meta.write(splice);
        }
        None => params.put("_meta", caller.meta()),
    }
    if may_require_input(&envelope.method(&body)) {
        params.take("inputResponses");
        params.take("requestState");
    }
    round.members().for_each(|(key, json)| params.put(key, json.clone()));
    params.write(splice);
}

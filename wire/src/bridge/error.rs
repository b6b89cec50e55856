//! A server's error in the words of the other era, as edits, and the HTTP status that goes with it. Never changes a
//! message, and no code that both eras read alike.
//!
//! "Error Codes" (basic), "Error Handling" of resources and "Server Validation" (Streamable HTTP) of revision
//! 2026-07-28; "Error Handling" of resources and elicitation of revision 2025-11-25.

use super::{ask::Ask, compose::Composer, object::Object};
use crate::{
    Envelope, Splice,
    era::{Era, code},
    field, quote,
};

/// Revision 2025-11-25 alone: URLs must be visited first. The modern era requires input instead; see
/// [`url_elicitations`](super::url_elicitations).
pub(super) const URL_ELICITATION_REQUIRED: i64 = -32042;

/// Makes a legacy server's error a modern one. -32002 (no such resource) becomes -32602 with `data.uri`: the server's, or
/// the given one where it told none. -32042, which could not become `input_required` because the client did not declare
/// URL mode, becomes -32021. All others pass.
pub fn modern_error(splice: &mut Splice, envelope: &Envelope, uri: Option<&str>) {
    let change = match envelope.error_code {
        Some(code::RESOURCE_NOT_FOUND) => {
            let datum = uri.map(|uri| ("uri", quote(uri)));
            Change { code: code::INVALID_PARAMS, datum }
        }
        Some(URL_ELICITATION_REQUIRED) => {
            let datum = Some(("requiredCapabilities", Ask::Url.required().to_owned()));
            Change { code: code::MISSING_CAPABILITY, datum }
        }
        _ => return,
    };
    change.make(splice, envelope);
}

/// Makes a modern server's error a legacy one. The -32602 of a `resources/read` becomes -32002 when its `data.uri` says
/// that it means the resource. A capability that the client lacks (-32021) is a request it may not make (-32600); that
/// headers or revision do not suit the server (-32020, -32022) is no fault of a legacy client, which sent neither, but
/// an internal one (-32603). All others pass, `data` in any case.
pub fn legacy_error(splice: &mut Splice, envelope: &Envelope, method: &str) {
    let code = match envelope.error_code {
        Some(code::INVALID_PARAMS) if method == "resources/read" && names_a_resource(splice.body(), envelope) => {
            code::RESOURCE_NOT_FOUND
        }
        Some(code::MISSING_CAPABILITY) => code::INVALID_REQUEST,
        Some(code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION) => code::INTERNAL,
        _ => return,
    };
    Change { code, datum: None }.make(splice, envelope);
}

fn names_a_resource(body: &[u8], envelope: &Envelope) -> bool {
    let data = envelope.error.and_then(|error| field(error.of(body), "data"));
    data.and_then(|data| field(data, "uri")).is_some_and(|uri| uri.first() == Some(&b'"'))
}

/// The HTTP status of an answer that is a JSON-RPC error. The modern era has a status for some codes; in the legacy one a
/// request that was understood is answered with 200, whatever the answer.
#[must_use]
pub fn error_status(era: Era, code: i64) -> u16 {
    match (era, code) {
        (Era::Modern, code::METHOD_NOT_FOUND) => 404,
        (
            Era::Modern,
            code::INVALID_PARAMS | code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION,
        ) => 400,
        _ => 200,
    }
}

/// What becomes of an error object.
struct Change {
    code: i64,
    /// A member that `data` gains unless it has it, with its raw value.
    datum: Option<(&'static str, String)>,
}

impl Change {
    fn make(self, splice: &mut Splice, envelope: &Envelope) {
        let body = splice.body().clone();
        let Some(mut error) = envelope.error.and_then(|span| Object::at(&body, span)) else { return };
        error.put("code", self.code.to_string());
        if let Some((key, json)) = self.datum {
            match (error.object(&body, "data"), error.value("data")) {
                (Some(mut data), _) => {
                    data.put_new(key, json);
                    data.write(splice);
                }
                (None, None) => error.put("data", Composer::new().member(key, json).finish()),
                (None, Some(null)) if null.of(&body) == b"null" => {
                    error.put("data", Composer::new().member(key, json).finish());
                }
                // Data of another kind is the server's own words, which nobody may rewrite.
                (None, Some(_)) => {}
            }
        }
        error.write(splice);
    }
}

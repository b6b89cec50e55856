//! Notifications that cross eras: which of them a caller may hear, and the edits that make them its own. Never decides
//! when one is sent.
//!
//! Subscriptions, logging and progress of revision 2026-07-28; logging and progress of revision 2025-11-25.

use bytes::Bytes;

use super::{compose::Composer, object::Object, words::SUBSCRIPTION};
use crate::{Envelope, Level, Shape, Splice};

/// Whether a legacy server's notification may stand on the stream of a modern caller's own request, whose
/// `io.modelcontextprotocol/logLevel` is given.
///
/// Log messages only from the wanted level on, and none at all to a caller that did not ask. Changes of lists and
/// resources are told to listeners alone; `notifications/elicitation/complete`, `notifications/cancelled` and the task
/// states of revision 2025-11-25 have no place in the modern era. Progress and what is unknown pass.
#[must_use]
pub fn is_for_caller(body: &[u8], envelope: &Envelope, level: Option<Level>) -> bool {
    match &*envelope.method(body) {
        "notifications/message" => level.is_some_and(|level| level.wants(envelope.level.map(|span| span.of(body)))),
        "notifications/tools/list_changed"
        | "notifications/prompts/list_changed"
        | "notifications/resources/list_changed"
        | "notifications/resources/updated"
        | "notifications/elicitation/complete"
        | "notifications/cancelled"
        | "notifications/tasks/status" => false,
        _ => true,
    }
}

/// Makes a notification one of a stream that a modern client opened: `_meta` names the raw id of its
/// `subscriptions/listen`. Anything but a notification stays as it is.
pub fn modern_notification(splice: &mut Splice, envelope: &Envelope, subscription: &[u8]) {
    let body = splice.body().clone();
    let message = Object::whole(&body).filter(|_| envelope.kind == Shape::Notification);
    let Some(mut message) = message else { return };
    let meta = || Composer::new().member(SUBSCRIPTION, subscription).finish();
    match message.object(&body, "params") {
        None => message.put("params", Composer::new().member("_meta", meta()).finish()),
        Some(mut params) => {
            match params.object(&body, "_meta") {
                None => params.put("_meta", meta()),
                Some(mut found) => {
                    found.put(SUBSCRIPTION, subscription.to_vec());
                    found.write(splice);
                }
            }
            params.write(splice);
        }
    }
    message.write(splice);
}

/// Makes a notification of a stream that the gateway opened at a modern server one for a legacy session: `_meta` no longer
/// names the stream. `_meta` and `params` go too if nothing is left in them.
pub fn legacy_notification(splice: &mut Splice, envelope: &Envelope) {
    let body = splice.body().clone();
    let message = Object::whole(&body).filter(|_| envelope.kind == Shape::Notification);
    let Some(mut message) = message else { return };
    let Some(mut params) = message.object(&body, "params") else { return };
    if let Some(mut meta) = params.object(&body, "_meta") {
        meta.take(SUBSCRIPTION);
        meta.write_within(&mut params, "_meta", splice);
    }
    params.write_within(&mut message, "params", splice);
    message.write(splice);
}

/// Puts another progress token (raw) in the place of that of a request, or of a `notifications/progress`: a legacy session
/// shared by several callers needs tokens that differ, and each caller its own back. Nothing happens where there is none.
pub fn progress_token(splice: &mut Splice, envelope: &Envelope, token: impl Into<Bytes>) {
    let at = match envelope.kind {
        Shape::Request => envelope.progress_token,
        _ if envelope.method(splice.body()) == "notifications/progress" => envelope.progress_token_param,
        _ => None,
    };
    if let Some(span) = at {
        splice.replace(span, token);
    }
}

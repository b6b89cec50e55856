//! The envelope against a second reader. Never looks at what a message means.

use serde_json::{Value, from_str};
use wire::{Envelope, Fault, Span};

/// Levels that the second reader follows as well.
const DEPTH: usize = 100;

/// Any body: read as a message, a batch, an object and an array.
///
/// # Panics
/// When the envelope takes what is no JSON or refuses what is, when a part is not where it is told, or when a walk leaves
/// its bytes.
pub fn envelope(data: &[u8]) {
    let is_json = std::str::from_utf8(data).is_ok_and(|text| from_str::<serde::de::IgnoredAny>(text).is_ok());
    match Envelope::parse(data, DEPTH) {
        Ok(found) => {
            assert!(is_json, "taken for JSON");
            parts_are_values(data, &found);
            let _ = found.method(data);
        }
        Err(Fault::Syntax { at, .. }) => assert!(!is_json && at <= data.len(), "not taken for JSON"),
        Err(Fault::DuplicateKey { .. } | Fault::NotAMessage(_)) => assert!(is_json, "told to be JSON"),
        Err(Fault::TooDeep { .. } | Fault::TooLarge) => {}
    }
    walks_stay_within(data);
    if is_json {
        walks_agree(data);
    }
    if let Some(text) = wire::text(data) {
        assert_eq!(wire::text(wire::quote(&text).as_bytes()).as_deref(), Some(&*text), "quoted and read again");
    }
}

fn parts_are_values(body: &[u8], found: &Envelope) {
    let parts = [
        found.id,
        found.params,
        found.result,
        found.error,
        found.name,
        found.uri,
        found.arguments,
        found.cursor,
        found.level,
        found.request_id,
        found.progress_token,
        found.progress_token_param,
        found.ref_name,
        found.ref_uri,
        found.meta,
        found.protocol_version,
        found.client_info,
        found.client_capabilities,
        found.log_level,
        found.subscription_id,
        found.result_type,
    ];
    for part in parts.into_iter().flatten() {
        assert!(part.start < part.end && part.end as usize <= body.len(), "a part outside the body");
        assert!(is_value(part.of(body)), "a part that is no value");
    }
}

fn is_value(raw: &[u8]) -> bool {
    std::str::from_utf8(raw).is_ok_and(|text| from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// On any bytes walks end, and tell ranges of these bytes.
fn walks_stay_within(data: &[u8]) {
    let within = |span: Span| span.start <= span.end && span.end as usize <= data.len();
    for (_, value, member) in wire::members(data) {
        assert!(within(value) && within(member) && member.start <= value.start && value.end == member.end);
    }
    for element in wire::elements(data) {
        assert!(Span::within(data, element).is_some_and(within));
    }
    let _ = wire::batch(data, DEPTH, 64);
    let _ = wire::field(data, "result");
}

/// On JSON walks find what the second reader finds.
fn walks_agree(data: &[u8]) {
    match std::str::from_utf8(data).ok().and_then(|text| from_str::<Value>(text).ok()) {
        Some(Value::Array(all)) => assert_eq!(wire::elements(data).count(), all.len()),
        Some(Value::Object(all)) => {
            assert!(all.keys().all(|key| wire::field(data, key).is_some()), "a key that is not found");
            assert!(wire::members(data).all(|(key, value, _)| all.contains_key(&*key) && is_value(value.of(data))));
        }
        _ => {}
    }
}

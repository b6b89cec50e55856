//! Client and server capabilities in the shape of the other era, and the introductions that carry them.
//!
//! Never grants what was not declared: what only one era has is left out, all that neither knows stays.
//!
//! `ClientCapabilities`, `ServerCapabilities` and `InitializeRequestParams` of the schemas; lifecycle of revision
//! 2025-11-25.

use super::{compose::Composer, object::Object};
use crate::{Splice, Version, elements, field, members, text, write_quoted};

/// Levels of arrays and objects that are put in canonical order; what lies deeper counts as written.
const ORDERED: usize = 16;

/// The capability of a name, where it is declared: as an object.
pub(super) fn declared<'a>(capabilities: &'a [u8], key: &str) -> Option<&'a [u8]> {
    field(capabilities, key).filter(|value| value.first() == Some(&b'{'))
}

/// Whether an `elicitation` capability has form mode: told, or meant because no mode is told.
pub(super) fn elicits_forms(modes: &[u8]) -> bool {
    declared(modes, "form").is_some() || field(modes, "url").is_none() && field(modes, "form").is_none()
}

/// Raw client capabilities of the modern era as a session of the given legacy revision declares them.
///
/// `roots.listChanged` goes, because modern clients never say that roots changed; so does `tasks`, which no modern client
/// can keep. `elicitation` came with 2025-06-18, its modes and the kinds of `sampling` with 2025-11-25. `experimental`,
/// `extensions` and what is unknown stay.
#[must_use]
pub fn legacy_capabilities(capabilities: &[u8], version: Version) -> Vec<u8> {
    carried(capabilities, |object| {
        let detailed = version >= Version::V2025_11_25;
        if !detailed && declared(capabilities, "sampling").is_some() {
            object.put("sampling", "{}");
        }
        match declared(capabilities, "elicitation") {
            Some(_) if detailed => {}
            Some(modes) if version >= Version::V2025_06_18 && elicits_forms(modes) => object.put("elicitation", "{}"),
            _ => object.take("elicitation"),
        }
    })
}

/// Raw client capabilities of a legacy session as each modern request declares them: without `roots.listChanged` and
/// without the `tasks` of revision 2025-11-25, which the modern era has as an extension of another shape.
#[must_use]
pub fn modern_capabilities(capabilities: &[u8]) -> Vec<u8> {
    carried(capabilities, |_| ())
}

/// What both directions have in common.
fn carried(capabilities: &[u8], edit: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let body = bytes::Bytes::copy_from_slice(capabilities);
    let Some(mut object) = Object::whole(&body) else { return b"{}".to_vec() };
    let mut splice = Splice::new(body.clone());
    object.take("tasks");
    for key in ["roots", "sampling", "elicitation"] {
        if declared(capabilities, key).is_none() {
            object.take(key);
        }
    }
    if let Some(mut roots) = object.object(&body, "roots") {
        roots.take("listChanged");
        roots.write(&mut splice);
    }
    edit(&mut object);
    object.write(&mut splice);
    splice.into_bytes().to_vec()
}

/// Raw server capabilities of a legacy session as `server/discover` tells them: without the `tasks` of revision
/// 2025-11-25. In the other direction nothing changes.
#[must_use]
pub fn modern_server_capabilities(capabilities: &[u8]) -> Vec<u8> {
    let body = bytes::Bytes::copy_from_slice(capabilities);
    let Some(mut object) = Object::whole(&body) else { return b"{}".to_vec() };
    let mut splice = Splice::new(body.clone());
    object.take("tasks");
    object.write(&mut splice);
    splice.into_bytes().to_vec()
}

/// Raw `params` of the `initialize` that a gateway sends in a modern caller's name. Capabilities are those of its request
/// and are brought into the revision's shape.
#[must_use]
pub fn initialize_params(version: Version, capabilities: &[u8], client_info: &[u8]) -> Vec<u8> {
    Composer::new()
        .member("protocolVersion", crate::quote(version.as_str()))
        .member("capabilities", legacy_capabilities(capabilities, version))
        .member("clientInfo", client_info)
        .finish()
}

/// JSON in one spelling, for comparing and hashing: keys in the order of their decoded bytes, no white space, strings with
/// no escape more than they need. Numbers stay as written. Equal spellings mean equal values; the reverse holds for
/// values without numbers down to sixteen levels, below which they count as written.
///
/// Callers whose `legacy_capabilities` have the same canonical form can share a session.
#[must_use]
pub fn canonical(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    write_canonical(json.trim_ascii(), ORDERED, &mut out);
    out
}

fn write_canonical(json: &[u8], levels: usize, out: &mut Vec<u8>) {
    match json.first() {
        Some(b'{') if levels > 0 => {
            let mut all: Vec<_> = members(json).map(|(key, value, _)| (key, value.of(json))).collect();
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            out.push(b'{');
            for (index, (key, value)) in all.into_iter().enumerate() {
                separate(index, out);
                write_quoted(&key, out);
                out.push(b':');
                write_canonical(value, levels - 1, out);
            }
            out.push(b'}');
        }
        Some(b'[') if levels > 0 => {
            out.push(b'[');
            for (index, element) in elements(json).enumerate() {
                separate(index, out);
                write_canonical(element, levels - 1, out);
            }
            out.push(b']');
        }
        Some(b'"') => match text(json) {
            Some(text) => write_quoted(&text, out),
            None => out.extend_from_slice(json),
        },
        _ => out.extend_from_slice(json),
    }
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

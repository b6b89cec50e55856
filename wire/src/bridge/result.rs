//! A server's result in the words of the other era, as edits. Never touches contents, lists or any member that both eras
//! know.
//!
//! "Responses", "`_meta`" (basic) and caching of revision 2026-07-28.

use bytes::Bytes;

use super::{
    compose::Composer,
    object::Object,
    words::{SERVER_INFO, is_cacheable},
};
use crate::{Envelope, Span, Splice, elements, field, text};

/// Who may share a cached result (`cacheScope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scope {
    /// Only callers of the same authorization.
    #[default]
    Private,
    /// Anybody.
    Public,
}

/// What the modern era says of the freshness of a list or of a resource. By default stale at once and private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hints {
    /// `ttlMs`, in milliseconds.
    pub ttl_ms: u64,
    /// `cacheScope`
    pub scope: Scope,
}

impl Hints {
    pub(super) fn ttl_json(self) -> String {
        self.ttl_ms.to_string()
    }

    pub(super) fn scope_json(self) -> &'static str {
        match self.scope {
            Scope::Private => "\"private\"",
            Scope::Public => "\"public\"",
        }
    }
}

/// Makes a legacy server's result a modern one: `resultType` and, in `_meta`, the server's raw identity; lists and reads
/// gain the hints. What is there already stays; a result that is not complete gains no hints. A result that is no object,
/// which no revision knows, stays as it is.
pub fn modern_result(splice: &mut Splice, envelope: &Envelope, method: &str, server_info: Option<&[u8]>, hints: Hints) {
    let body = splice.body().clone();
    let Some(mut result) = envelope.result.and_then(|span| Object::at(&body, span)) else { return };
    let complete = result.value("resultType").is_none_or(|span| is_complete(span.of(&body)));
    result.put_new("resultType", "\"complete\"");
    if complete && is_cacheable(method) {
        result.put_new("ttlMs", hints.ttl_json());
        result.put_new("cacheScope", hints.scope_json());
    }
    if let Some(info) = server_info {
        match result.object(&body, "_meta") {
            Some(mut meta) => {
                meta.put_new(SERVER_INFO, info.to_vec());
                meta.write(splice);
            }
            None => result.put("_meta", Composer::new().member(SERVER_INFO, info).finish()),
        }
    }
    result.write(splice);
}

/// Makes a modern server's result a legacy one: without `resultType: "complete"`, the hints of lists and reads, and the
/// server's identity in `_meta`, which goes too if nothing is left in it.
///
/// What legacy clients refuse goes as well: `structuredContent` that is no object, and an `outputSchema` that is not of
/// type `object` ("Backward Compatibility", SEP-2106: such servers say the same as text). Other result types stay: they
/// are those of extensions that the client declared.
pub fn legacy_result(splice: &mut Splice, envelope: &Envelope, method: &str) {
    let body = splice.body().clone();
    let Some(mut result) = envelope.result.and_then(|span| Object::at(&body, span)) else { return };
    if result.value("resultType").is_some_and(|span| is_complete(span.of(&body))) {
        result.take("resultType");
    }
    if is_cacheable(method) {
        result.take("ttlMs");
        result.take("cacheScope");
    }
    if let Some(mut meta) = result.object(&body, "_meta") {
        meta.take(SERVER_INFO);
        meta.write_within(&mut result, "_meta", splice);
    }
    match method {
        "tools/call" if result.value("structuredContent").is_some_and(|span| body[span.start as usize] != b'{') => {
            result.take("structuredContent");
        }
        "tools/list" => {
            let tools = result.value("tools").map(|span| elements(span.of(&body)));
            tools.into_iter().flatten().for_each(|tool| legacy_tool(splice, &body, tool));
        }
        _ => {}
    }
    result.write(splice);
}

/// Takes from a tool what legacy clients refuse. `tool` is a part of the body.
fn legacy_tool(splice: &mut Splice, body: &Bytes, tool: &[u8]) {
    let Some(schema) = field(tool, "outputSchema") else { return };
    let is_object = schema.first() == Some(&b'{') && field(schema, "type").and_then(text).as_deref() == Some("object");
    if is_object {
        return;
    }
    let Some(span) = Span::within(body, tool) else { return };
    if let Some(mut tool) = Object::at(body, span) {
        tool.take("outputSchema");
        tool.write(splice);
    }
}

fn is_complete(raw: &[u8]) -> bool {
    text(raw).as_deref() == Some("complete")
}

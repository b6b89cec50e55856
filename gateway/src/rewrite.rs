//! Putting a server's name into the URIs that its messages carry, where many servers share an endpoint.
//!
//! Only the places that the specification names are touched: `resources/updated`, the contents of a resource, links
//! and embedded resources in the content of tools and prompts. All else passes as it is. The edits are splices.

use ground::ServerName;
use memchr::memmem;
use upstream::Message;
use wire::{Span, Splice, names::federated_uri};

/// Rewrites a notification.
pub fn message(splice: &mut Splice, message: &Message, server: &ServerName) {
    if let Some(uri) = message.envelope.uri
        && message.method() == "notifications/resources/updated"
    {
        put(splice, &message.body, uri.of(&message.body), server);
    }
}

/// Rewrites the result of a method.
pub fn result(splice: &mut Splice, message: &Message, method: &str, server: &ServerName) {
    let Some(result) = message.envelope.result else { return };
    let body = &message.body[..];
    let result = result.of(body);
    if !may_carry_uris(result) {
        return;
    }
    match method {
        "resources/read" => {
            for content in list(result, "contents") {
                uri_of(splice, body, content, server);
            }
        }
        "tools/call" => {
            for content in list(result, "content") {
                block(splice, body, content, server);
            }
        }
        "prompts/get" => {
            for message in list(result, "messages") {
                match wire::field(message, "content") {
                    Some(content) if content.first() == Some(&b'[') => {
                        wire::elements(content).for_each(|content| block(splice, body, content, server));
                    }
                    Some(content) => block(splice, body, content, server),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

/// Nearly all results carry no URI at all; this look costs less than reading them. A key may be spelled with escapes, of
/// which only those of its own letters (`\u0075`, `\u0072`, `\u0069`) can stand in it.
fn may_carry_uris(result: &[u8]) -> bool {
    let letter = |at: usize| matches!(result.get(at + 4..at + 6), Some(b"75" | b"72" | b"69"));
    memmem::find(result, b"\"uri\"").is_some() || memmem::find_iter(result, b"\\u00").any(letter)
}

/// A content block: a link carries its URI itself, an embedded resource within.
fn block(splice: &mut Splice, body: &[u8], content: &[u8], server: &ServerName) {
    if content.first() != Some(&b'{') {
        return;
    }
    match wire::field(content, "type").and_then(wire::text).as_deref() {
        Some("resource_link") => uri_of(splice, body, content, server),
        Some("resource") => {
            if let Some(resource) = wire::field(content, "resource") {
                uri_of(splice, body, resource, server);
            }
        }
        _ => {}
    }
}

fn uri_of(splice: &mut Splice, body: &[u8], object: &[u8], server: &ServerName) {
    if object.first() == Some(&b'{')
        && let Some(uri) = wire::field(object, "uri")
    {
        put(splice, body, uri, server);
    }
}

fn list<'a>(object: &'a [u8], key: &str) -> impl Iterator<Item = &'a [u8]> {
    let array = wire::field(object, key).filter(|value| value.first() == Some(&b'['));
    array.into_iter().flat_map(wire::elements)
}

fn put(splice: &mut Splice, body: &[u8], raw: &[u8], server: &ServerName) {
    if let (Some(uri), Some(span)) = (wire::text(raw), Span::within(body, raw)) {
        splice.replace(span, wire::quote(&federated_uri(server, &uri)).into_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::*;

    fn rewritten(method: &str, result_json: &str) -> String {
        let body = Bytes::from(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result_json}}}"));
        let message = Message::parse(body.clone(), 64).unwrap();
        let mut splice = Splice::new(body);
        result(&mut splice, &message, method, &ServerName::new("s").unwrap());
        let out = splice.into_bytes();
        String::from_utf8(out.to_vec()).unwrap().replace("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":", "")
    }

    #[test]
    fn uris_of_links_and_embedded_resources_are_prefixed_and_nothing_else() {
        let cases = [
            (
                "resources/read",
                r#"{"contents":[{"uri":"a://1","text":"\"uri\":"}]}"#,
                r#"{"contents":[{"uri":"s+a://1","text":"\"uri\":"}]}"#,
            ),
            (
                "tools/call",
                r#"{"content":[{"type":"resource_link","uri":"a://1","name":"n"}]}"#,
                r#"{"content":[{"type":"resource_link","uri":"s+a://1","name":"n"}]}"#,
            ),
            (
                "tools/call",
                r#"{"content":[{"type":"resource","resource":{"uri":"a://1","text":"x"}}]}"#,
                r#"{"content":[{"type":"resource","resource":{"uri":"s+a://1","text":"x"}}]}"#,
            ),
            (
                "tools/call",
                r#"{"structuredContent":{"uri":"a://1"},"content":[]}"#,
                r#"{"structuredContent":{"uri":"a://1"},"content":[]}"#,
            ),
            (
                "prompts/get",
                r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a://1"}}}]}"#,
                r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"s+a://1"}}}]}"#,
            ),
        ];
        for (method, before, after) in cases {
            assert_eq!(rewritten(method, before), format!("{after}}}"), "{method}");
        }
    }

    #[test]
    fn keys_and_kinds_are_known_however_they_are_spelled() {
        for key in [r"\u0075ri", r"u\u0072i", r"ur\u0069", r"\u0075\u0072\u0069"] {
            let link = |uri: &str| {
                format!(r#"{{"c\u006fntent":[{{"t\u0079pe":"resource\u005flink","{key}":"{uri}","name":"n"}}]}}"#)
            };
            assert_eq!(rewritten("tools/call", &link("a://1")), format!("{}}}", link("s+a://1")), "{key}");
        }
        for other in [r"\u0055ri", r"\\u0075ri", r"uri\u0000"] {
            let none = format!(r#"{{"contents":[{{"{other}":"a://1"}}]}}"#);
            assert_eq!(rewritten("resources/read", &none), format!("{none}}}"), "{other}");
        }
    }
}

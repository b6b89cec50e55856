//! Values in HTTP headers: "Value Encoding" of the Streamable HTTP transport, revision 2026-07-28.
//!
//! For `Mcp-Name` and `Mcp-Param-*`. Never compares a header with a body; that is the reader's business.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// The value as a header carries it: as it is when it is plain ASCII without white space at its ends, else in Base64
/// between `=?base64?` and `?=`. So is a value that only looks encoded.
#[must_use]
pub fn encode_header(value: &str) -> Cow<'_, str> {
    let padded = value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']);
    let looks_encoded = value.starts_with(OPEN) && value.ends_with(CLOSE);
    if value.bytes().all(is_safe) && !padded && !looks_encoded {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{OPEN}{}{CLOSE}", STANDARD.encode(value)))
}

/// The value that a header carries. `None` when it has characters a header may not have, or is marked as Base64 and is
/// not canonical Base64 of UTF-8 text.
#[must_use]
pub fn decode_header(value: &str) -> Option<Cow<'_, str>> {
    if let Some(encoded) = value.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) {
        let bytes = STANDARD.decode(encoded).ok()?;
        return String::from_utf8(bytes).ok().map(Cow::Owned);
    }
    value.bytes().all(is_safe).then_some(Cow::Borrowed(value))
}

/// The member of `params` that `Mcp-Name` tells for a method ("Standard Request Headers"; "Routing Headers" of the Tasks
/// extension, SEP-2663); `None` for methods that have no such header.
#[must_use]
pub fn name_param(method: &str) -> Option<&'static str> {
    Some(match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    })
}

/// Visible ASCII, space and tab.
fn is_safe(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_hold() {
        for (value, encoded) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode_header(value), encoded);
            assert_eq!(decode_header(encoded).as_deref(), Some(value));
        }
    }

    #[test]
    fn what_is_not_base64_of_text_is_refused() {
        for bad in ["=?base64?SGVsbG8?=", "=?base64?!!!!?=", "=?base64?//8=?=", "=?base64?SGVsbG9=?=", "a\u{7f}", "ä"]
        {
            assert_eq!(decode_header(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_method_that_is_routed_by_name_has_its_source() {
        let named = ["tools/call", "prompts/get", "resources/read", "tasks/get", "tasks/update", "tasks/cancel"];
        let sources: Vec<_> = named.into_iter().filter_map(name_param).collect();
        assert_eq!(sources, ["name", "name", "uri", "taskId", "taskId", "taskId"]);
        assert_eq!(name_param("tools/list"), None);
    }

    #[test]
    fn markers_in_other_letters_or_places_mark_nothing() {
        for plain in ["=?BASE64?SGVsbG8=?=", "x=?base64?SGVsbG8=?=", "=?base64?SGVsbG8=", "=?base64?="] {
            assert_eq!(decode_header(plain).as_deref(), Some(plain));
        }
    }

    #[test]
    fn an_encoded_value_is_safe_and_decodes_to_itself() {
        let odd = ["", " ", "\t", "a b", "=?base64?=", "=?base64??=", "\0", "é", "a\r\nX-Evil: 1", "file:///a%20b"];
        for value in odd {
            let encoded = encode_header(value);
            assert!(encoded.bytes().all(is_safe), "{value:?}");
            assert_eq!(decode_header(&encoded).as_deref(), Some(value), "{value:?}");
        }
    }
}

//! Messages of the gateway's own are messages.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::{Envelope, Shape, era::code};

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap()
}

#[test]
fn errors_are_written_for_both_eras() {
    let body = error(Some(b"\"a\\\"b\""), code::INTERNAL, "no \"way\"\n", Some(b"{\"uri\":\"x\"}"), false);
    let expected =
        r#"{"jsonrpc":"2.0","id":"a\"b","error":{"code":-32603,"message":"no \"way\"\n","data":{"uri":"x"}}}"#;
    assert_eq!(text(&body), expected);
    let found = Envelope::parse(&body, 8).unwrap();
    assert_eq!((found.kind, found.error_code), (Shape::Error, Some(code::INTERNAL)));
    let body = error(None, code::PARSE, "", None, true);
    assert_eq!(text(&body), r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}"#);
    let body = error(None, code::PARSE, "", None, false);
    assert_eq!(text(&body), r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":""}}"#);
    let body = error(Some(b"7"), code::PARSE, "", None, true);
    assert_eq!(text(&body), r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32700,"message":""}}"#);
}

#[test]
fn results_requests_and_notifications_are_written() {
    assert_eq!(text(&result(b"1", b"{}")), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let body = request(b"1", "tools/call", Some(b"{\"name\":\"x\"}"));
    assert_eq!(text(&body), r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#);
    assert_eq!(text(&request(b"\"p\"", "ping", None)), r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    let body = notification("notifications/\"x\"", None);
    assert_eq!(text(&body), r#"{"jsonrpc":"2.0","method":"notifications/\"x\""}"#);
    assert_eq!(Envelope::parse(&body, 8).unwrap().method(&body), "notifications/\"x\"");
}

#[test]
fn the_modern_meta_is_read_back_by_the_envelope() {
    let meta = modern_meta("2026-07-28", b"{\"name\":\"c\",\"version\":\"1\"}", b"{\"roots\":{}}", Some("info"));
    let body = request(b"1", "m", Some(&[b"{\"_meta\":", &meta[..], b"}"].concat()));
    let found = Envelope::parse(&body, 8).unwrap();
    assert_eq!(found.protocol_version.unwrap().of(&body), b"\"2026-07-28\"");
    assert_eq!(found.client_info.unwrap().of(&body), b"{\"name\":\"c\",\"version\":\"1\"}");
    assert_eq!(found.client_capabilities.unwrap().of(&body), b"{\"roots\":{}}");
    assert_eq!(found.log_level.unwrap().of(&body), b"\"info\"");
    let meta = modern_meta("2026-07-28", b"{}", b"{}", None);
    assert!(!text(&meta).contains("logLevel"));
}

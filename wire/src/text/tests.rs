//! Strings out of JSON and into it, against serde_json where it has an opinion.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

#[test]
fn a_string_without_escapes_is_borrowed() {
    assert!(matches!(text("\"tools/call é世\"".as_bytes()), Some(Cow::Borrowed("tools/call é世"))));
    assert!(matches!(text(b"\"\""), Some(Cow::Borrowed(""))));
}

#[test]
fn escapes_are_decoded() {
    let raw = br#""\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\ude00""#;
    assert_eq!(text(raw).as_deref(), Some("\"\\/\u{8}\u{c}\n\r\tAé😀"));
    assert_eq!(text(br#""a\u0000b""#).as_deref(), Some("a\0b"));
}

#[test]
fn unpaired_surrogates_become_the_replacement_character() {
    for (raw, decoded) in [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00""#, "\u{fffd}"),
        (r#""\udc00\ud800""#, "\u{fffd}\u{fffd}"),
        (r#""\ud800\ud800\udc00""#, "\u{fffd}\u{10000}"),
        (r#""\ud800A""#, "\u{fffd}A"),
        (r#""\ud800\u0041""#, "\u{fffd}A"),
        (r#""\ud800\n""#, "\u{fffd}\n"),
        (r#""\udbff\udfff""#, "\u{10ffff}"),
    ] {
        assert_eq!(text(raw.as_bytes()).as_deref(), Some(decoded), "{raw}");
    }
}

#[test]
fn what_is_no_string_is_none() {
    let bad: &[&[u8]] = &[
        b"",
        b"\"",
        b"a",
        b"1",
        b"null",
        b"\"a",
        b"a\"",
        b" \"a\"",
        b"\"a\" ",
        b"\"a\"b\"",
        b"\"\\\"",
        b"\"\\x\"",
        b"\"\\u12\"",
        b"\"\\u+123\"",
        b"\"\\u00\xc3\xa9\"",
        b"\"\\\xc3\xa9\"",
        b"\"\n\"",
        b"\"\0\"",
        b"\"\xff\"",
        b"\"\\ud800\\u12\"",
    ];
    for raw in bad {
        assert_eq!(text(raw), None, "{:?}", String::from_utf8_lossy(raw));
    }
}

proptest! {
    #[test]
    fn quoting_and_decoding_give_the_text_back(given in any::<String>()) {
        let quoted = quote(&given);
        prop_assert_eq!(&quoted, &serde_json::to_string(&given).unwrap());
        let decoded = text(quoted.as_bytes());
        prop_assert_eq!(decoded.as_deref(), Some(&*given));
        let mut written = b"x".to_vec();
        write_quoted(&given, &mut written);
        prop_assert_eq!(&written[1..], quoted.as_bytes());
    }

    #[test]
    fn what_the_reference_decodes_is_decoded_alike(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "é", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\n", "\\\\", "\\", "\"", "\\u", "12", "\t", "\\/",
        ]), 0..8)
    ) {
        let raw = format!("\"{}\"", pieces.concat());
        let ours = text(raw.as_bytes());
        match serde_json::from_str::<String>(&raw) {
            Ok(theirs) => prop_assert_eq!(ours.as_deref(), Some(&*theirs)),
            // The reference refuses unpaired surrogates; everything else that it refuses, so do we.
            Err(_) => prop_assert!(ours.is_none_or(|decoded| decoded.contains('\u{fffd}')), "{}", raw),
        }
    }
}

//! The scanner against serde_json: whole documents, well-formed and spoiled.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::{Envelope, Fault, MAX_DEPTH};

/// What the scanner says about a document as JSON, whether or not it is a message.
fn verdict(body: &[u8], depth: usize) -> Result<(), Fault> {
    match Envelope::parse(body, depth) {
        Err(fault @ (Fault::Syntax { .. } | Fault::TooDeep { .. } | Fault::TooLarge)) => Err(fault),
        _ => Ok(()),
    }
}

fn reference(body: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(body).is_ok()
}

#[track_caller]
fn same_as_reference(body: &[u8]) {
    let ours = verdict(body, MAX_DEPTH);
    assert_eq!(ours.is_ok(), reference(body), "{:?}: {ours:?}", String::from_utf8_lossy(body));
    if let Err(Fault::Syntax { at, .. }) = ours {
        assert!(at <= body.len(), "a fault beyond the body");
    }
}

/// Deepest nesting of a well-formed document.
fn depth_of(body: &[u8]) -> usize {
    let (mut depth, mut most, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    most
}

const SEEDS: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"}}}"#,
    r#" [ 1 , -0 , 0.5 , -1.25e+10 , 1E-2 , 9007199254740993 , true , false , null , "" , {} , [] ] "#,
    r#"{"a":{"b":[{"c":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800"}]},"é世界😀":"plain text that is longer than a word"}"#,
    "{\"k\"\t:\r\n[\n{ }\n,\n[ ]\n]\n}",
    r#""a string alone, long enough to pass the words and to reach the blocks of thirty-two bytes, twice over""#,
    "-0.0e-0",
    r#"{"x":[[[[[[[[[[1]]]]]]]]]]}"#,
];

#[test]
fn well_formed_documents_are_accepted() {
    for seed in SEEDS {
        assert_eq!(verdict(seed.as_bytes(), MAX_DEPTH), Ok(()), "{seed}");
        same_as_reference(seed.as_bytes());
    }
}

#[test]
fn a_document_cut_anywhere_is_judged_as_by_the_reference() {
    for seed in SEEDS {
        for end in 0..seed.len() {
            same_as_reference(&seed.as_bytes()[..end]);
        }
    }
}

#[test]
fn a_document_with_any_byte_replaced_is_judged_as_by_the_reference() {
    for seed in SEEDS {
        for at in 0..seed.len() {
            for byte in 0..=255u8 {
                let mut body = seed.as_bytes().to_vec();
                body[at] = byte;
                same_as_reference(&body);
            }
        }
    }
}

#[test]
fn a_document_with_a_byte_less_or_more_is_judged_as_by_the_reference() {
    for seed in SEEDS {
        for at in 0..seed.len() {
            let mut less = seed.as_bytes().to_vec();
            less.remove(at);
            same_as_reference(&less);
            for byte in b"\"\\{}[],:0-.eE \n\0\x1f\x7f\x80\xc3\xff" {
                let mut more = seed.as_bytes().to_vec();
                more.insert(at, *byte);
                same_as_reference(&more);
            }
        }
    }
}

#[test]
fn a_stop_is_found_at_every_place_of_a_long_string() {
    for length in 0..150 {
        for stop in [&b"\""[..], b"\\n", b"\x00", b"\x1f", b"\n", b"\x7f", b"\x80", b"\xc3\xa9", b"\xf0\x9f\x98\x80"] {
            for after in [0, 1, 7, 40] {
                let mut body = b"\"".to_vec();
                body.resize(1 + length, b'a');
                body.extend_from_slice(stop);
                body.resize(body.len() + after, b'~');
                body.push(b'"');
                same_as_reference(&body);
            }
        }
    }
}

#[test]
fn odd_documents_are_judged_as_by_the_reference() {
    let odd: &[&[u8]] = &[
        b"",
        b" ",
        b"\0",
        b"\xef\xbb\xbf{}",
        b"{}\0",
        b"{} {}",
        b"nul",
        b"nulll",
        b"tru\xc3\xa9",
        b"truefalse",
        b"01",
        b"-",
        b"-01",
        b"+1",
        b".5",
        b"1.",
        b"1.e5",
        b"1e",
        b"1e+",
        b"0x10",
        b"NaN",
        b"Infinity",
        b"1e999999999",
        b"\"\\u12\"",
        b"\"\\u123g\"",
        b"\"\\x41\"",
        b"\"\\uD800\"",
        b"\"\\ud83d\\u0041\"",
        b"\"\x7f\"",
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"'a'",
        b"{a:1}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{,}",
        b"[,]",
        b"[1,]",
        b"[1 2]",
        b"[}",
        b"{]",
        b"[1}",
        b"{\"a\":1]",
        b"{\"a\":[}",
        b"/* */1",
        b"\x0b1",
        b"\xc2\xa01",
        b"\"\\",
        b"\"\\\"",
    ];
    for body in odd {
        same_as_reference(body);
    }
}

#[test]
fn numbers_of_any_length_are_accepted() {
    let long = "9".repeat(1 << 20);
    for number in [long.clone(), format!("-{long}"), format!("0.{long}"), format!("1e{long}"), format!("1E-{long}")] {
        assert_eq!(verdict(number.as_bytes(), 1), Ok(()));
    }
}

#[test]
fn nesting_is_allowed_to_the_limit_and_not_beyond() {
    for limit in [1, 2, 63, 64, 65, 127, 128, 129, 191, 192, 511, MAX_DEPTH] {
        let nested = |n: usize| ["[".repeat(n), "]".repeat(n)].concat();
        assert_eq!(verdict(nested(limit).as_bytes(), limit), Ok(()));
        let too_deep = Fault::TooDeep { at: limit, limit };
        assert_eq!(verdict(nested(limit + 1).as_bytes(), limit), Err(too_deep));
        let objects = |n: usize| [r#"{"a":"#.repeat(n), "1".into(), "}".repeat(n)].concat();
        assert_eq!(verdict(objects(limit).as_bytes(), limit), Ok(()));
        assert!(matches!(verdict(objects(limit + 1).as_bytes(), limit), Err(Fault::TooDeep { .. })));
    }
    assert!(matches!(verdict(b"{}", 0), Err(Fault::TooDeep { at: 0, limit: 0 })));
}

#[test]
fn a_limit_above_the_greatest_means_the_greatest() {
    let body = "[".repeat(10_000_000);
    let too_deep = Fault::TooDeep { at: MAX_DEPTH, limit: MAX_DEPTH };
    assert_eq!(verdict(body.as_bytes(), usize::MAX), Err(too_deep));
    let body = r#"{"a":"#.repeat(1_000_000);
    assert!(matches!(verdict(body.as_bytes(), usize::MAX), Err(Fault::TooDeep { limit: MAX_DEPTH, .. })));
}

#[test]
fn levels_of_both_kinds_close_in_their_order_at_any_depth() {
    for depth in [3, 64, 65, 130, 400] {
        // A pattern that no period of a word hides.
        let object = |level: usize| (level * level + level / 3).is_multiple_of(3);
        let open: String = (0..depth).map(|l| if object(l) { r#"{"k":"# } else { "[" }).collect();
        let close: Vec<u8> = (0..depth).rev().map(|l| if object(l) { b'}' } else { b']' }).collect();
        let good = [open.as_bytes(), b"1", &close].concat();
        assert_eq!(verdict(&good, MAX_DEPTH), Ok(()));
        for at in 0..depth {
            let mut bad = good.clone();
            let place = bad.len() - depth + at;
            bad[place] = if bad[place] == b'}' { b']' } else { b'}' };
            assert!(matches!(verdict(&bad, MAX_DEPTH), Err(Fault::Syntax { .. })), "depth {depth}, closing {at}");
        }
    }
}

/// Well-formed JSON with white space and escapes in all the places that may have them.
fn document() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(vec!["", "", "", " ", "\n", "\t \r\n"]);
    let string = || {
        let piece = prop_oneof![
            4 => "[ -!#-\\[\\]-~]{0,40}",
            1 => "[à-ÿ世界😀]{1,12}",
            1 => prop::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\uD83D\\uDE00", "\\udc00", "\u{7f}"])
                .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
    };
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,5})?";
    let leaf = prop_oneof![
        string(),
        number,
        prop::sample::select(vec!["true", "false", "null", "{}", "[ ]"]).prop_map(str::to_owned),
    ];
    let nested = leaf.prop_recursive(8, 64, 6, move |inner| {
        let inner = (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member =
            (space(), string(), space(), inner.clone()).prop_map(|(a, key, b, value)| format!("{a}{key}{b}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    });
    nested.prop_filter("white space alone inside brackets", |text| reference(text.as_bytes()))
}

fn spoil() -> impl Strategy<Value = (prop::sample::Index, u8, Option<u8>)> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\"\\{}[],:0-+.eEtfnu \n\t\0\x1f\x7f\x80\xc3\xa9\xed\xf0\xff".to_vec()),
    ];
    (any::<prop::sample::Index>(), 0..3u8, prop::option::of(byte))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_document_is_accepted_just_at_its_own_depth(document in document()) {
        let depth = depth_of(document.as_bytes());
        prop_assert_eq!(verdict(document.as_bytes(), depth), Ok(()));
        if depth > 0 {
            let shallow = verdict(document.as_bytes(), depth - 1);
            prop_assert!(matches!(shallow, Err(Fault::TooDeep { .. })), "{:?}", shallow);
        }
    }

    #[test]
    fn a_spoiled_document_is_judged_as_by_the_reference(document in document(), spoils in prop::collection::vec(spoil(), 1..4)) {
        let mut body = document.into_bytes();
        for (index, how, byte) in spoils {
            let at = index.index(body.len() + 1);
            match (how, byte) {
                (0, Some(byte)) => body.insert(at, byte),
                (1, Some(byte)) if at < body.len() => body[at] = byte,
                (_, None) if at < body.len() => { body.remove(at); }
                _ => body.truncate(at),
            }
        }
        same_as_reference(&body);
    }

    #[test]
    fn any_bytes_are_judged_as_by_the_reference(body in prop::collection::vec(any::<u8>(), 0..80)) {
        same_as_reference(&body);
    }

    #[test]
    fn a_soup_of_tokens_is_judged_as_by_the_reference(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u0061\"", "1", "-2.5e3", "true", "null", " ", "\"", "\\",
        ]), 0..16)
    ) {
        same_as_reference(tokens.concat().as_bytes());
    }
}

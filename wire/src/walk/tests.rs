//! Walks over raw JSON.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn a_field_is_found_at_the_top_level_only() {
    let object = br#" { "a" : {"b":1} , "b" : [ 2 ] , "\u0063" : "x" } "#;
    assert_eq!(field(object, "a"), Some(&br#"{"b":1}"#[..]));
    assert_eq!(field(object, "b"), Some(&b"[ 2 ]"[..]));
    assert_eq!(field(object, "c"), Some(&br#""x""#[..]));
    assert_eq!(field(object, "d"), None);
}

#[test]
fn a_field_of_something_else_is_none() {
    for raw in [&b""[..], b"[1]", b"1", b"\"a\"", b"{", b"{\"a\"", b"{\"b\":1 \"a\":2}", b"{\"a\":"] {
        assert_eq!(field(raw, "a"), None);
    }
}

#[test]
fn elements_come_raw_and_in_order() {
    let found: Vec<_> = elements(br#" [1, "a,b" ,[2,3],{"k":[]} ,null] "#).collect();
    assert_eq!(found, [&b"1"[..], br#""a,b""#, b"[2,3]", br#"{"k":[]}"#, b"null"]);
    for raw in [&b"[]"[..], b"{}", b"", b"[", b"[,1]"] {
        assert_eq!(elements(raw).count(), 0);
    }
    assert_eq!(elements(b"[1,2").count(), 2, "ends where the bytes stop being an array");
}

#[test]
fn members_tell_value_and_whole_member() {
    let object = br#"{ "a" : 1,"\u0062":{"c":2} }"#;
    let found: Vec<_> = members(object).map(|(k, v, m)| (k.into_owned(), v.of(object), m.of(object))).collect();
    assert_eq!(
        found,
        [("a".to_owned(), &b"1"[..], &br#""a" : 1"#[..]), ("b".to_owned(), br#"{"c":2}"#, br#""\u0062":{"c":2}"#),]
    );
    assert_eq!(members(b"[]").count(), 0);
}

#[test]
fn a_batch_is_known_by_its_first_byte() {
    assert!(is_batch(b" \r\n\t[{}]"));
    for body in [&b"{}"[..], b"", b"  ", b"\0[", b"\"[\""] {
        assert!(!is_batch(body));
    }
}

#[test]
fn a_batch_tells_its_messages() {
    let body = br#" [ {"a":1} ,{"b":[2]}, 3 ] "#;
    let found: Vec<_> = batch(body, 8, 3).unwrap().into_iter().map(|s| s.of(body)).collect();
    assert_eq!(found, [&br#"{"a":1}"#[..], br#"{"b":[2]}"#, b"3"]);
}

#[test]
fn a_batch_is_bounded_and_validated() {
    assert_eq!(batch(b"[1,2,3]", 8, 2), Err(Fault::TooLarge));
    assert_eq!(batch(b"[ ]", 8, 2), Err(Fault::NotAMessage("an empty batch")));
    assert_eq!(batch(b"{}", 8, 2), Err(Fault::NotAMessage("not a batch")));
    assert!(matches!(batch(b"[1,]", 8, 2), Err(Fault::Syntax { .. })));
    assert!(matches!(batch(b"[1] 2", 8, 2), Err(Fault::Syntax { .. })));
    assert!(matches!(batch(b"[\"\xff\"]", 8, 2), Err(Fault::Syntax { .. })));
    assert!(matches!(batch(b"[1", 8, 2), Err(Fault::Syntax { .. })));
}

#[test]
fn a_message_in_a_batch_may_be_as_deep_as_one_alone() {
    for depth in [1, 2, 100, MAX_DEPTH] {
        let deep = |n: usize| format!("[{}{}]", "[".repeat(n), "]".repeat(n));
        assert!(batch(deep(depth).as_bytes(), depth, 1).is_ok());
        assert!(matches!(batch(deep(depth + 1).as_bytes(), depth, 1), Err(Fault::TooDeep { .. })));
    }
}

proptest! {
    #[test]
    fn walks_agree_with_the_reference(value in crate::envelope::tests::json()) {
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        if let Value::Array(all) = &value {
            let found: Vec<Value> = elements(&pretty).map(|raw| serde_json::from_slice(raw).unwrap()).collect();
            prop_assert_eq!(all, &found);
        }
        if let Value::Object(all) = &value {
            let mut found = serde_json::Map::new();
            for (key, value, member) in members(&pretty) {
                let whole = [b"{", member.of(&pretty), b"}"].concat();
                let alone: Value = serde_json::from_slice(&whole).unwrap();
                prop_assert_eq!(&alone[&*key], &serde_json::from_slice::<Value>(value.of(&pretty)).unwrap());
                prop_assert_eq!(field(&pretty, &key), Some(value.of(&pretty)));
                found.insert(key.into_owned(), serde_json::from_slice(value.of(&pretty)).unwrap());
            }
            prop_assert_eq!(all, &found);
        }
    }

    #[test]
    fn walks_over_any_bytes_end(raw in prop::collection::vec(prop::sample::select(b"{}[],:\"\\a1 \xff".to_vec()), 0..40)) {
        let _ = field(&raw, "a");
        prop_assert!(elements(&raw).count() <= raw.len());
        prop_assert!(members(&raw).count() <= raw.len());
        let _ = batch(&raw, 8, 8);
    }
}

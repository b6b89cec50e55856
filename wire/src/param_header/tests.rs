//! Marks in schemas, and what they make of arguments.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// A schema of one property `p` that is the given one.
fn with(property: &str) -> String {
    format!(r#"{{"type":"object","properties":{{"p":{property}}}}}"#)
}

fn invalid(schema: &str) -> Option<Invalid> {
    param_headers(schema.as_bytes()).err()
}

#[test]
fn the_example_of_the_specification_holds() {
    let schema = br#"{"type":"object","properties":{"region":{"type":"string","description":"The region",
        "x-mcp-header":"Region"},"query":{"type":"string"}},"required":["region","query"]}"#;
    let found = param_headers(schema).unwrap();
    assert_eq!(found, [ParamHeader { name: "Mcp-Param-Region".into(), path: vec!["region".into()] }]);
    let arguments = br#"{"region":"us-west1","query":"SELECT * FROM users"}"#;
    assert_eq!(found[0].value(arguments).as_deref(), Some("us-west1"));
}

#[test]
fn nested_properties_are_found_and_read() {
    let schema = r#"{"properties":{"a":{"type":"object","properties":{"b":{"type":"integer","x-mcp-header":"B"},
        "c":{"type":["null","boolean"],"x\u002dmcp-header":"C"}}}}}"#;
    let found = param_headers(schema.as_bytes()).unwrap();
    let values = |arguments: &str| found.iter().map(|header| header.value(arguments.as_bytes())).collect::<Vec<_>>();
    assert_eq!(values(r#"{"a":{"b":-7,"c":true}}"#), [Some("-7".into()), Some("true".into())]);
    assert_eq!(values(r#"{"a":{"b":null}}"#), [None, None]);
    assert_eq!(values(r#"{"a":1,"b":2}"#), [None, None]);
    assert_eq!(values("{}"), [None, None]);
}

#[test]
fn values_are_told_as_text_and_encoded_where_they_must_be() {
    let header = &param_headers(with(r#"{"type":"string","x-mcp-header":"P"}"#).as_bytes()).unwrap()[0];
    for (argument, value) in [
        (r#""us-west1""#, Some("us-west1")),
        (r#""Hello, \u4e16界""#, Some("=?base64?SGVsbG8sIOS4lueVjA==?=")),
        (r#"" padded ""#, Some("=?base64?IHBhZGRlZCA=?=")),
        (r#""line1\nline2""#, Some("=?base64?bGluZTEKbGluZTI=?=")),
        (r#""=?base64?literal?=""#, Some("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=")),
        (r#""a\r\nX-Evil: 1""#, Some("=?base64?YQ0KWC1FdmlsOiAx?=")),
        ("\"\"", Some("")),
        ("42", Some("42")),
        ("42.0", Some("42")),
        ("1e3", Some("1000")),
        ("9007199254740993", Some("9007199254740993")),
        ("1e300", None),
        ("0.5", None),
        ("false", Some("false")),
        ("null", None),
        ("[1]", None),
        ("{}", None),
    ] {
        let arguments = format!("{{\"p\":{argument}}}");
        let told = header.value(arguments.as_bytes());
        assert_eq!(told.as_deref(), value, "{argument}");
        assert!(header.agrees(told.as_deref(), arguments.as_bytes()), "{argument}");
        assert!(!header.agrees(Some("another"), arguments.as_bytes()), "{argument}");
        assert_eq!(header.agrees(None, arguments.as_bytes()), told.is_none(), "{argument}");
    }
    assert!(header.agrees(Some("42.0"), b"{\"p\":42}"), "integers are compared as numbers");
    assert!(!header.agrees(Some("42.0"), b"{\"p\":\"42\"}"), "strings are not");
    assert!(!header.agrees(Some("=?base64?!?="), b"{\"p\":\"x\"}"));
}

#[test]
fn tools_that_break_a_rule_are_told_with_the_reason() {
    let cases = [
        (with(r#"{"type":"string","x-mcp-header":""}"#), Invalid::Name),
        (with(r#"{"type":"string","x-mcp-header":"a b"}"#), Invalid::Name),
        (with(r#"{"type":"string","x-mcp-header":"a\r\nb"}"#), Invalid::Name),
        (with(r#"{"type":"string","x-mcp-header":"ä"}"#), Invalid::Name),
        (with(r#"{"type":"string","x-mcp-header":1}"#), Invalid::Name),
        (with(r#"{"type":"number","x-mcp-header":"A"}"#), Invalid::Type),
        (with(r#"{"type":"object","x-mcp-header":"A"}"#), Invalid::Type),
        (with(r#"{"type":["string","integer"],"x-mcp-header":"A"}"#), Invalid::Type),
        (with(r#"{"type":["null"],"x-mcp-header":"A"}"#), Invalid::Type),
        (with(r#"{"x-mcp-header":"A"}"#), Invalid::Type),
        (
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}"#
                .into(),
            Invalid::Twice,
        ),
        (r#"{"type":"string","x-mcp-header":"A"}"#.into(), Invalid::Place),
        (with(r#"{"type":"array","items":{"type":"string","x-mcp-header":"A"}}"#), Invalid::Place),
        (with(r#"{"type":"array","items":{"properties":{"q":{"type":"string","x-mcp-header":"A"}}}}"#), Invalid::Place),
        (with(r#"{"anyOf":[{"type":"string","x-mcp-header":"A"}]}"#), Invalid::Place),
        (with(r#"{"if":{"type":"string","x-mcp-header":"A"}}"#), Invalid::Place),
        (r#"{"$defs":{"a":{"type":"string","x-mcp-header":"A"}}}"#.into(), Invalid::Place),
        (r#"{"patternProperties":{"a":{"type":"string","x-mcp-header":"A"}}}"#.into(), Invalid::Place),
        (r#"{"additionalProperties":{"type":"string","x-mcp-header":"A"}}"#.into(), Invalid::Place),
    ];
    for (schema, reason) in cases {
        assert_eq!(invalid(&schema), Some(reason), "{schema}");
    }
}

#[test]
fn what_only_looks_like_a_mark_is_none() {
    for schema in [
        // A parameter of that name.
        r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#,
        // Values.
        r#"{"properties":{"a":{"type":"object","default":{"x-mcp-header":"A"},"enum":[{"x-mcp-header":"A"}]}}}"#,
        r#"{"description":"x-mcp-header"}"#,
        "true",
        "[]",
        "",
    ] {
        assert_eq!(param_headers(schema.as_bytes()), Ok(Vec::new()), "{schema}");
    }
}

#[test]
fn schemas_without_end_are_refused() {
    let deep = format!("{}{{\"x-mcp-header\":1}}{}", "[".repeat(400), "]".repeat(400));
    assert_eq!(invalid(&deep), Some(Invalid::TooMuch));
    let all: Vec<_> = (0..=MOST).map(|n| format!(r#""p{n}":{{"type":"string","x-mcp-header":"H{n}"}}"#)).collect();
    assert_eq!(invalid(&format!(r#"{{"properties":{{{}}}}}"#, all.join(","))), Some(Invalid::TooMuch));
}

proptest! {
    #[test]
    fn a_value_can_be_carried_by_a_header_and_is_recognised(value in ".{0,20}") {
        let header = ParamHeader { name: "Mcp-Param-P".into(), path: vec!["p".into()] };
        let arguments = serde_json::json!({ "p": value }).to_string();
        let told = header.value(arguments.as_bytes()).unwrap();
        prop_assert!(told.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
        prop_assert!(header.agrees(Some(&told), arguments.as_bytes()));
    }
}

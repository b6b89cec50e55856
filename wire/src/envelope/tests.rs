//! Messages of every kind, spoiled messages, and the envelope against serde_json's tree.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn parse(body: &str) -> Result<Envelope, Fault> {
    Envelope::parse(body.as_bytes(), 64)
}

fn part(body: &str, span: Option<Span>) -> Option<&str> {
    span.map(|span| &body[span.start as usize..span.end as usize])
}

#[track_caller]
fn refused(body: &str) {
    assert!(matches!(parse(body), Err(Fault::NotAMessage(_))), "{body}: {:?}", parse(body));
}

#[track_caller]
fn doubled(body: &str) {
    assert!(matches!(parse(body), Err(Fault::DuplicateKey { .. })), "{body}: {:?}", parse(body));
}

#[test]
fn a_modern_call_is_told_in_all_its_parts() {
    let body = r#"{"jsonrpc":"2.0","id":"a\"b","method":"tools/call","params":{"name":"echo","arguments":{"m":[1]},
        "_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{},
        "io.modelcontextprotocol/logLevel":"info","x":1}}}"#;
    let found = parse(body).unwrap();
    assert_eq!(found.kind, Shape::Request);
    assert_eq!(part(body, found.id), Some(r#""a\"b""#));
    assert_eq!(part(body, found.method), Some("tools/call"));
    assert!(found.method_plain);
    assert_eq!(part(body, found.name), Some("\"echo\""));
    assert_eq!(part(body, found.arguments), Some(r#"{"m":[1]}"#));
    assert!(part(body, found.params).unwrap().starts_with(r#"{"name""#));
    assert!(part(body, found.meta).unwrap().ends_with(r#""x":1}"#));
    assert_eq!(part(body, found.progress_token), Some("7"));
    assert_eq!(part(body, found.protocol_version), Some("\"2026-07-28\""));
    assert_eq!(part(body, found.client_info), Some(r#"{"name":"c"}"#));
    assert_eq!(part(body, found.client_capabilities), Some("{}"));
    assert_eq!(part(body, found.log_level), Some("\"info\""));
    assert_eq!((found.result, found.error, found.error_code, found.uri), (None, None, None, None));
}

#[test]
fn the_parts_of_other_methods_are_told() {
    let of = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{params}}}"#);
    let body = of(r#"{"uri":"file:///a","cursor":"c","level":"debug","requestId":12,"progressToken":"t"}"#);
    let found = parse(&body).unwrap();
    assert_eq!(part(&body, found.uri), Some("\"file:///a\""));
    assert_eq!(part(&body, found.cursor), Some("\"c\""));
    assert_eq!(part(&body, found.level), Some("\"debug\""));
    assert_eq!(part(&body, found.request_id), Some("12"));
    assert_eq!(part(&body, found.progress_token_param), Some("\"t\""));
    assert_eq!(found.progress_token, None);
    let body = of(r#"{"ref":{"type":"ref/prompt","name":"p","uri":"u://{x}"},"name":"outer"}"#);
    let found = parse(&body).unwrap();
    assert_eq!(part(&body, found.ref_name), Some("\"p\""));
    assert_eq!(part(&body, found.ref_uri), Some("\"u://{x}\""));
    assert_eq!(part(&body, found.name), Some("\"outer\""));
    let body = of(r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}"#);
    assert_eq!(part(&body, parse(&body).unwrap().subscription_id), Some("\"s\""));
}

#[test]
fn keys_of_deeper_objects_are_not_taken_for_those_of_the_envelope() {
    let body = r#"{"jsonrpc":"2.0","x":{"id":9,"method":"no","params":{"name":"no"}},"method":"m",
        "params":{"arguments":{"name":"no","_meta":{"progressToken":1},"a":1,"a":2},"ref":[{"name":"no"}]}}"#;
    let found = parse(body).unwrap();
    assert_eq!(found.kind, Shape::Notification);
    assert_eq!(
        (found.id, found.name, found.meta, found.progress_token, found.ref_name),
        (None, None, None, None, None)
    );
}

#[test]
fn responses_and_errors_are_told() {
    let body = r#"{"result":{"resultType":"input_required","_meta":{"io.modelcontextprotocol/subscriptionId":5}},"id":3,"jsonrpc":"2.0"}"#;
    let found = parse(body).unwrap();
    assert_eq!(found.kind, Shape::Response);
    assert_eq!(part(body, found.id), Some("3"));
    assert_eq!(part(body, found.result_type), Some("\"input_required\""));
    assert_eq!(part(body, found.subscription_id), Some("5"));
    assert_eq!(part(body, found.meta), Some(r#"{"io.modelcontextprotocol/subscriptionId":5}"#));
    assert_eq!(found.method(body.as_bytes()), "");
    for id in ["\"id\":null,", ""] {
        let body = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32022,"message":"m","data":{{"code":1}}}}}}"#);
        let found = parse(&body).unwrap();
        assert_eq!((found.kind, found.id, found.error_code), (Shape::Error, None, Some(-32022)));
        assert!(part(&body, found.error).unwrap().starts_with(r#"{"code""#));
    }
    for code in ["1.5", "-3.2022e4", "\"-32022\"", "null", "99999999999999999999"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code}}}}}"#);
        assert_eq!(parse(&body).unwrap().error_code, None, "{code}");
    }
}

#[test]
fn results_need_not_be_objects() {
    for result in ["null", "1", "[]", "\"x\"", "{}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        assert_eq!(part(&body, parse(&body).unwrap().result), Some(result));
    }
}

#[test]
fn only_strings_and_integers_are_ids() {
    let huge = "9".repeat(4000);
    for id in ["0", "-0", "-7", "9007199254740993", &huge, "\"\"", "\"1\"", r#""\u0000\ud800""#, "\"é\""] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
        assert_eq!(part(&body, parse(&body).unwrap().id), Some(id));
    }
    for id in ["null", "true", "false", "1.0", "1.5", "1e2", "-1E-2", "[]", "[1]", "{}", r#"{"a":1}"#] {
        refused(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#));
        refused(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        if id != "null" {
            refused(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":1,"message":""}}}}"#));
        }
    }
    refused(r#"{"jsonrpc":"2.0","result":{}}"#);
}

#[test]
fn what_is_no_message_is_refused() {
    for body in [
        "1",
        "null",
        "\"\"",
        "[]",
        r#"[{"jsonrpc":"2.0","method":"m"}]"#,
        "{}",
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":["m"]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":false}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":0}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":[1]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"bad"}"#,
    ] {
        refused(body);
    }
}

#[test]
fn parameters_and_meta_that_are_null_are_as_good_as_missing() {
    for (body, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#, Shape::Request),
        (r#"{"jsonrpc":"2.0","method":"m","params": null }"#, Shape::Notification),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"params":null}"#, Shape::Response),
    ] {
        let found = parse(body).unwrap();
        assert_eq!((found.kind, found.params, found.meta), (kind, None, None), "{body}");
    }
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"n","_meta":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":null,"resultType":"complete"}}"#,
    ] {
        let found = parse(body).unwrap();
        assert_eq!(found.meta, None);
        assert!(found.name.is_some() || found.result_type.is_some(), "{body}");
    }
    refused(r#"{"jsonrpc":"2.0","id":1,"error":null}"#);
    assert!(matches!(parse(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":nil}"#), Err(Fault::Syntax { .. })));
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":null,"_meta":{}}}"#;
    assert!(matches!(parse(twice), Err(Fault::DuplicateKey { .. })));
}

#[test]
fn the_version_must_be_two() {
    for version in ["\"1.0\"", "\"2.0.0\"", "\"2\"", "\" 2.0\"", "2.0", "2", "null", "[\"2.0\"]", "\"\""] {
        refused(&format!(r#"{{"jsonrpc":{version},"id":1,"method":"m"}}"#));
    }
    refused(r#"{"id":1,"method":"m"}"#);
    refused(r#"{"JSONRPC":"2.0","id":1,"method":"m"}"#);
    assert!(parse(r#"{"jsonrpc":"\u0032.0","id":1,"method":"m"}"#).is_ok(), "the same string, written otherwise");
}

#[test]
fn parts_of_another_type_are_left_out() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":
        {"name":1,"uri":null,"cursor":[],"level":{},"arguments":"any","ref":{"name":2,"uri":[]}}}"#;
    let found = parse(body).unwrap();
    let parts = (found.name, found.uri, found.cursor, found.level, found.ref_name, found.ref_uri);
    assert_eq!(parts, (None, None, None, None, None, None));
    assert_eq!(part(body, found.arguments), Some("\"any\""));
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":1}}"#;
    assert_eq!(parse(body).unwrap().result_type, None);
}

#[test]
fn escaped_keys_and_methods_are_the_same_keys_and_methods() {
    let body = r#"{"\u006asonrpc":"2.0","\u0069d":1,"m\u0065thod":"tools\/c\u0061ll","params":{"n\u0061me":"x"}}"#;
    let found = parse(body).unwrap();
    assert_eq!(part(body, found.id), Some("1"));
    assert_eq!(part(body, found.name), Some("\"x\""));
    assert_eq!(part(body, found.method), Some(r"tools\/c\u0061ll"));
    assert!(!found.method_plain);
    assert_eq!(found.method(body.as_bytes()), "tools/call");
}

#[test]
fn a_key_that_stands_twice_is_refused_however_it_is_written() {
    let call = |inner: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m",{inner}}}"#);
    for inner in [
        r#""id":1"#,
        r#""\u0069d":2"#,
        r#""method":"n""#,
        r#""jsonrpc":"2.0""#,
        r#""x":1,"x":1"#,
        r#""x\/y":1,"x/y":1"#,
        r#""":1,"":2"#,
        r#""params":{},"p\u0061rams":{}"#,
        r#""params":{"name":"a","name":"b"}"#,
        r#""params":{"name":1,"n\u0061me":"b"}"#,
        r#""params":{"other":1,"other":2}"#,
        r#""params":{"_meta":{},"_meta":{}}"#,
        r#""params":{"_meta":{"progressToken":1,"progressToken":2}}"#,
        r#""params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"a","io.modelcontextprotocol\/protocolVersion":"b"}}"#,
        r#""params":{"ref":{"name":"a","name":"b"}}"#,
        r#""params":{"é":1,"\u00e9":2}"#,
        r#""params":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"c":1}"#,
        r#""params":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"j":1}"#,
    ] {
        doubled(&call(inner));
    }
    doubled(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#);
    doubled(r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"x":1,"\u0078":2}}}"#);
    doubled(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"code":-32022}}"#);
    let body = call(r#""x":1,"x":1"#);
    let second = body.rfind("\"x\"").unwrap();
    assert_eq!(parse(&body), Err(Fault::DuplicateKey { at: second }));
}

#[test]
fn many_keys_cost_no_quadratic_time_and_are_bounded() {
    let keys = |n: usize| {
        let all: Vec<String> = (0..n).map(|i| format!("\"k{i}\":1")).collect();
        format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{{}}}}}"#, all.join(","))
    };
    assert!(parse(&keys(60_000)).is_ok());
    assert_eq!(parse(&keys(70_000)), Err(Fault::TooLarge));
    doubled(&keys(60_000).replace("\"k59999\"", "\"k7\""));
}

#[test]
fn bytes_that_are_no_json_are_told_as_that_even_when_the_message_is_wrong_before() {
    for body in [r#"{"jsonrpc":"1.0","id":null,"method":"m""#, r#"{"id":1,"id":2,}"#, "[1,2", "{\"a\":\"\u{1}\"}"] {
        assert!(matches!(parse(body), Err(Fault::Syntax { .. })), "{body}");
    }
    let body = b"{\"jsonrpc\":\"2.0\",\"method\":\"m\xff\"}";
    assert!(matches!(Envelope::parse(body, 64), Err(Fault::Syntax { at: 28, .. })));
    let body = b"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"k\xc3\":1}";
    assert!(matches!(Envelope::parse(body, 64), Err(Fault::Syntax { .. })));
}

#[test]
fn the_message_itself_counts_as_a_level() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"x":[]}}}"#;
    assert!(Envelope::parse(body.as_bytes(), 4).is_ok());
    for depth in 0..4 {
        let fault = Envelope::parse(body.as_bytes(), depth);
        assert!(matches!(fault, Err(Fault::TooDeep { limit, .. }) if limit == depth), "{fault:?}");
    }
}

#[test]
fn a_message_cut_anywhere_is_no_json() {
    let body = r#" {"jsonrpc":"2.0","id":"é","method":"tools/call","params":{"name":"x","arguments":{"a":[1,-2.5e3,true]},"_meta":{"progressToken":"t"}}}"#;
    for end in 0..body.len() {
        let cut = Envelope::parse(&body.as_bytes()[..end], 64);
        assert!(matches!(cut, Err(Fault::Syntax { at, .. }) if at <= end), "{end}: {cut:?}");
    }
    assert!(parse(body).is_ok());
}

#[test]
fn white_space_may_stand_between_all_tokens() {
    let body = "\r\n{\t\"jsonrpc\" :\n\"2.0\" , \"id\" : 1 , \"method\" : \"m\" , \"params\" : { \"name\" : \"n\" , \"_meta\" : { } } } \n";
    let found = parse(body).unwrap();
    assert_eq!(part(body, found.name), Some("\"n\""));
    assert_eq!(part(body, found.meta), Some("{ }"));
    assert_eq!(part(body, found.params), Some("{ \"name\" : \"n\" , \"_meta\" : { } }"));
}

/// Any JSON value, not deep.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths, because the reference does not read all floating point numbers back exactly.
        any::<i32>().prop_map(|n| json!(f64::from(n) / 8.0)),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..5)
                .prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object of which some keys are those given, in any order.
fn object(
    known: &'static [&'static str],
    value: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Value> {
    let key = prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => ".{0,6}"];
    prop::collection::vec((key, value), 0..7).prop_map(|all| Value::Object(all.into_iter().collect()))
}

fn message() -> impl Strategy<Value = Value> {
    const PARAMS: &[&str] = &["name", "uri", "arguments", "cursor", "level", "requestId", "progressToken"];
    const META: &[&str] = &[
        "progressToken",
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/subscriptionId",
    ];
    let id = prop_oneof![Just(json!(1)), Just(json!("x\"y")), Just(json!(null)), json()];
    let params = (
        object(PARAMS, json()),
        prop::option::of(prop_oneof![4 => object(META, json()), 1 => Just(json!(null))]),
        prop::option::of(object(&["name", "uri"], json())),
    )
        .prop_map(|(mut params, meta, reference)| {
            let all = params.as_object_mut().unwrap();
            all.extend(meta.map(|meta| ("_meta".to_owned(), meta)));
            all.extend(reference.map(|reference| ("ref".to_owned(), reference)));
            params
        });
    let result = (object(&["resultType", "content"], json()), prop::option::of(object(META, json()))).prop_map(
        |(mut result, meta)| {
            result.as_object_mut().unwrap().extend(meta.map(|meta| ("_meta".to_owned(), meta)));
            result
        },
    );
    let member = prop_oneof![
        6 => id.prop_map(|id| ("id".to_owned(), id)),
        6 => ".{0,12}".prop_map(|method| ("method".to_owned(), Value::from(method))),
        4 => params.prop_map(|params| ("params".to_owned(), params)),
        1 => json().prop_map(|params| ("params".to_owned(), params)),
        2 => result.prop_map(|result| ("result".to_owned(), result)),
        2 => object(&["code", "message"], json()).prop_map(|error| ("error".to_owned(), error)),
        1 => (".{0,6}", json()),
    ];
    prop::collection::vec(member, 0..5).prop_map(|all| {
        let mut message: Map<String, Value> = all.into_iter().collect();
        message.insert("jsonrpc".into(), "2.0".into());
        Value::Object(message)
    })
}

/// Writes a value with keys escaped and white space added here and there, as the seed decides.
fn write(value: &Value, seed: &mut u64, out: &mut String) {
    let mut odd = |n: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33).is_multiple_of(n)
    };
    let space = if odd(6) { "\n " } else { "" };
    out.push_str(space);
    match value {
        Value::Array(all) => {
            out.push('[');
            for (index, value) in all.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(value, seed, out);
            }
            out.push(']');
        }
        Value::Object(all) => {
            out.push('{');
            for (index, (key, value)) in all.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                let escape = index % 3 == (*seed >> 40) as usize % 5;
                if escape {
                    let units: String = key.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                    out.push_str(&format!("\"{units}\""));
                } else {
                    out.push_str(&crate::quote(key));
                }
                out.push_str(&format!("{space}:"));
                write(value, seed, out);
            }
            out.push('}');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
    out.push_str(space);
}

/// The kind of message, judged on the tree.
fn expected(message: &Value) -> Option<Shape> {
    let has = |key: &str| message.get(key).is_some();
    let good_meta = |value: &Value| value.get("_meta").is_none_or(|meta| meta.is_object() || meta.is_null());
    let id = message.get("id");
    let real_id = id.is_some_and(|id| id.is_string() || id.is_i64() || id.is_u64());
    if id.is_some_and(|id| !real_id && !id.is_null()) {
        return None;
    }
    if let Some(params) = message.get("params").filter(|params| !params.is_null())
        && !(params.is_object() && good_meta(params) && has("method"))
    {
        return None;
    }
    match (has("method"), message.get("result"), message.get("error")) {
        (true, None, None) if real_id => Some(Shape::Request),
        (true, None, None) if id.is_none() => Some(Shape::Notification),
        (false, Some(result), None) if real_id && good_meta(result) => Some(Shape::Response),
        (false, None, Some(_)) => Some(Shape::Error),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_envelope_agrees_with_the_tree(message in message(), seed in any::<u64>()) {
        let mut body = String::new();
        write(&message, &mut seed.clone(), &mut body);
        prop_assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), &message);
        let found = match (Envelope::parse(body.as_bytes(), 64), expected(&message)) {
            (Ok(found), Some(kind)) => { prop_assert_eq!(found.kind, kind); found }
            (Err(Fault::NotAMessage(_)), None) => return Ok(()),
            (found, kind) => return Err(TestCaseError::fail(format!("{body}: {found:?}, expected {kind:?}"))),
        };
        let null = Value::Null;
        let value = |span: Option<Span>| span.map(|span| serde_json::from_slice::<Value>(span.of(body.as_bytes())).unwrap());
        let params = message.get("params").unwrap_or(&null);
        let result = message.get("result").unwrap_or(&null);
        let meta = params.get("_meta").or(result.get("_meta")).filter(|meta| !meta.is_null());
        let of_meta = |key: &str| meta.and_then(|meta| meta.get(key)).cloned();
        let string = |object: &Value, key: &str| object.get(key).filter(|v| v.is_string()).cloned();
        let reference = params.get("ref").unwrap_or(&null);
        prop_assert_eq!(value(found.id), message.get("id").filter(|id| !id.is_null()).cloned());
        prop_assert_eq!(&*found.method(body.as_bytes()), message.get("method").and_then(Value::as_str).unwrap_or(""));
        prop_assert_eq!(value(found.params), message.get("params").filter(|params| !params.is_null()).cloned());
        prop_assert_eq!(value(found.result), message.get("result").cloned());
        prop_assert_eq!(value(found.error), message.get("error").cloned());
        prop_assert_eq!(value(found.arguments), params.get("arguments").cloned());
        prop_assert_eq!(value(found.request_id), params.get("requestId").cloned());
        prop_assert_eq!(value(found.progress_token_param), params.get("progressToken").cloned());
        prop_assert_eq!(value(found.name), string(params, "name"));
        prop_assert_eq!(value(found.uri), string(params, "uri"));
        prop_assert_eq!(value(found.cursor), string(params, "cursor"));
        prop_assert_eq!(value(found.level), string(params, "level"));
        prop_assert_eq!(value(found.ref_name), string(reference, "name"));
        prop_assert_eq!(value(found.ref_uri), string(reference, "uri"));
        prop_assert_eq!(value(found.meta), meta.cloned());
        prop_assert_eq!(value(found.progress_token), of_meta("progressToken"));
        prop_assert_eq!(value(found.protocol_version), of_meta("io.modelcontextprotocol/protocolVersion"));
        prop_assert_eq!(value(found.client_info), of_meta("io.modelcontextprotocol/clientInfo"));
        prop_assert_eq!(value(found.client_capabilities), of_meta("io.modelcontextprotocol/clientCapabilities"));
        prop_assert_eq!(value(found.log_level), of_meta("io.modelcontextprotocol/logLevel"));
        prop_assert_eq!(value(found.subscription_id), of_meta("io.modelcontextprotocol/subscriptionId"));
        prop_assert_eq!(value(found.result_type), string(result, "resultType"));
        prop_assert_eq!(found.error_code, message.get("error").and_then(|error| error.get("code")).and_then(Value::as_i64));
    }

    #[test]
    fn no_spoiled_message_panics_or_yields_ranges_outside_it(
        message in message(), seed in any::<u64>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), depth in 0..80usize,
    ) {
        let mut text = String::new();
        write(&message, &mut seed.clone(), &mut text);
        let mut body = text.into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(found) = Envelope::parse(&body, depth) {
            let spans = [found.id, found.method, found.params, found.result, found.error, found.name, found.meta];
            for span in spans.into_iter().flatten() {
                prop_assert!(span.start <= span.end && span.end as usize <= body.len());
            }
            let _ = found.method(&body);
        }
    }
}

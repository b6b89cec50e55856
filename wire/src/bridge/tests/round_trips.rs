//! What must hold for all messages: edits never break JSON, what is unknown survives byte for byte, and a message that
//! crosses there and back means the same.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::{Level, Version, envelope::tests::json as anything, era::code};

const META: [&str; 6] = [
    "progressToken",
    "traceparent",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/serverInfo",
];
const MEMBERS: [&str; 12] = [
    "resultType",
    "ttlMs",
    "cacheScope",
    "inputResponses",
    "requestState",
    "inputRequests",
    "uri",
    "name",
    "tools",
    "structuredContent",
    "elicitationId",
    "notifications",
];
const METHODS: [&str; 9] = [
    "tools/call",
    "tools/list",
    "resources/read",
    "prompts/get",
    "prompts/list",
    "tasks/get",
    "tasks/update",
    "elicitation/create",
    "vendor/method",
];

/// An object of which some keys are those given, others anything; with `_meta` in half of the cases.
fn object(known: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![2 => prop::sample::select(known).prop_map(str::to_owned), 1 => ".{0,6}"];
    let meta = prop_oneof![2 => prop::sample::select(&META[..]).prop_map(str::to_owned), 1 => "[a-z]{1,6}"];
    let meta = prop::collection::vec((meta, anything()), 0..5);
    (prop::collection::vec((key, anything()), 0..6), prop::option::of(meta)).prop_map(|(all, meta)| {
        let mut object: Map<_, _> = all.into_iter().filter(|(key, _)| key != "_meta").collect();
        if let Some(meta) = meta {
            object.insert("_meta".into(), Value::Object(meta.into_iter().collect()));
        }
        object
    })
}

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&METHODS[..])
}

/// The message on one line or spread out.
fn written(message: &Value, pretty: bool) -> String {
    if pretty { serde_json::to_string_pretty(message).unwrap() } else { message.to_string() }
}

fn without(mut object: Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    for key in keys {
        object.shift_remove(*key);
    }
    object
}

fn meta_without(mut object: Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    if let Some(Value::Object(meta)) = object.get_mut("_meta") {
        for key in keys {
            meta.shift_remove(*key);
        }
    }
    object
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_request_crosses_there_and_back(method in method(), params in object(&MEMBERS), pretty in any::<bool>()) {
        // A modern request says who asks; a legacy session knows it, and says it again.
        let legacy = meta_without(without(params, &["inputResponses", "requestState"]), &super::words::PER_REQUEST);
        let level = Some(Level::Notice);
        let caller = Caller { version: Version::V2026_07_28, capabilities: br#"{"roots":{}}"#, info: INFO, level };
        let mut modern = legacy.clone();
        let mut meta = modern.shift_remove("_meta").unwrap_or(json!({}));
        for (key, value) in [
            ("protocolVersion", json!("2026-07-28")),
            ("clientInfo", value(INFO)),
            ("clientCapabilities", json!({ "roots": {} })),
            ("logLevel", json!("notice")),
        ] {
            meta[format!("io.modelcontextprotocol/{key}")] = value;
        }
        modern.insert("_meta".into(), meta);
        let modern = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": modern });

        let down = edited(&written(&modern, pretty), legacy_request);
        let mut expected = legacy;
        if expected.get("_meta") == Some(&json!({})) {
            expected.shift_remove("_meta");
        }
        let found = value(&down);
        prop_assert_eq!(found.get("params").cloned().unwrap_or(json!({})), Value::Object(expected));
        let up = edited(&down, |splice, envelope| modern_request(splice, envelope, &caller, &Round::default()));
        prop_assert_eq!(value(up), modern);
    }

    #[test]
    fn a_result_crosses_there_and_back(method in method(), result in object(&MEMBERS), pretty in any::<bool>()) {
        let legacy = meta_without(
            without(result, &["resultType", "ttlMs", "cacheScope", "structuredContent", "tools"]),
            &["io.modelcontextprotocol/serverInfo"],
        );
        let legacy = json!({ "jsonrpc": "2.0", "id": "a", "result": legacy });
        let hints = Hints { ttl_ms: 7, scope: Scope::Public };
        let up = edited(&written(&legacy, pretty), |splice, envelope| {
            modern_result(splice, envelope, method, Some(INFO), hints);
        });
        let modern = value(&up)["result"].take();
        prop_assert_eq!(&modern["resultType"], "complete");
        prop_assert_eq!(&modern["_meta"]["io.modelcontextprotocol/serverInfo"], &value(INFO));
        prop_assert_eq!(modern.get("ttlMs").is_some(), is_cacheable(method));
        let down = value(edited(&up, |splice, envelope| legacy_result(splice, envelope, method)));
        let mut expected = legacy;
        if expected["result"].get("_meta") == Some(&json!({})) {
            expected["result"].as_object_mut().unwrap().shift_remove("_meta");
        }
        prop_assert_eq!(down, expected);
    }

    #[test]
    fn a_missing_resource_crosses_there_and_back(message in ".{0,20}", data in prop::option::of(object(&MEMBERS)), uri in ".{0,12}") {
        let mut error = json!({ "code": code::RESOURCE_NOT_FOUND, "message": message });
        if let Some(data) = data {
            error["data"] = Value::Object(data);
            if error["data"].get("uri").is_some() {
                error["data"]["uri"] = json!(uri);
            }
        }
        let legacy = json!({ "jsonrpc": "2.0", "id": 1, "error": error });
        let up = edited(&legacy.to_string(), |splice, envelope| modern_error(splice, envelope, Some(&uri)));
        prop_assert_eq!(&value(&up)["error"]["code"], code::INVALID_PARAMS);
        let down = edited(&up, |splice, envelope| legacy_error(splice, envelope, "resources/read"));
        let mut expected = legacy;
        expected["error"]["data"]["uri"] = json!(uri);
        prop_assert_eq!(value(down), expected);
    }

    #[test]
    fn a_notification_crosses_there_and_back(params in prop::option::of(object(&MEMBERS)), pretty in any::<bool>()) {
        let mut legacy = json!({ "jsonrpc": "2.0", "method": "notifications/x" });
        if let Some(params) = params {
            let mut params = meta_without(params, &["io.modelcontextprotocol/subscriptionId"]);
            if params.get("_meta") == Some(&json!({})) {
                params.shift_remove("_meta");
            }
            if !params.is_empty() {
                legacy["params"] = Value::Object(params);
            }
        }
        let up = edited(&written(&legacy, pretty), |splice, envelope| modern_notification(splice, envelope, b"\"s\""));
        prop_assert_eq!(&value(&up)["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
        let down = edited(&up, legacy_notification);
        prop_assert_eq!(value(down), legacy);
    }

    #[test]
    fn a_greeting_crosses_there_and_back(capabilities in object(&["tools", "prompts", "logging"]), more in object(&["instructions"])) {
        let mut initialize = meta_without(more, &["io.modelcontextprotocol/serverInfo"]);
        if initialize.get("_meta") == Some(&json!({})) {
            initialize.shift_remove("_meta");
        }
        initialize.insert("protocolVersion".into(), json!("2025-11-25"));
        initialize.insert("capabilities".into(), Value::Object(without(capabilities, &["tasks"])));
        initialize.insert("serverInfo".into(), value(INFO));
        let initialize = Value::Object(initialize);
        let discover = discover_result(initialize.to_string().as_bytes(), &[Version::V2026_07_28], Hints::default());
        prop_assert_eq!(&value(&discover)["supportedVersions"], &json!(["2026-07-28"]));
        prop_assert_eq!(value(initialize_result(&discover, Version::V2025_11_25, b"{}")), initialize);
    }

    #[test]
    fn a_servers_request_crosses_to_a_modern_client_and_back(params in object(&["message", "mode", "tools"]), tail in prop::bool::ANY) {
        let method = if tail { "sampling/createMessage" } else { "elicitation/create" };
        let request = json!({ "jsonrpc": "2.0", "id": 3, "method": method, "params": without(params, &["mode"]) });
        let body = request.to_string();
        let entry = input_request(body.as_bytes(), &parse(&body)).unwrap();
        let result = input_required(&[("k", &entry)], None, None);
        let required = InputRequired::read(&result).unwrap();
        prop_assert_eq!(value(required.requests[0].to_client(b"3", "e")), request);
    }

    #[test]
    fn edits_never_break_a_message_and_touch_no_unknown_member(
        method in method(),
        body in object(&MEMBERS),
        form in 0..3u8,
        pretty in any::<bool>(),
    ) {
        let unknown = json!({ "jsonrpc": "2.0", "id": 1, "big": 12_345_678_901_234_567_890u64, "x": [1, { "a": "ä\u{0}" }] });
        let mut message = unknown.clone();
        match form {
            0 => {
                message["method"] = json!(method);
                message["params"] = Value::Object(body);
            }
            1 => message["result"] = Value::Object(body),
            _ => {
                message["error"] = Value::Object(body);
                message["error"]["code"] = json!(if pretty { -32002 } else { -32042 });
            }
        }
        let body = written(&message, pretty);
        let caller = Caller { version: Version::V2026_07_28, capabilities: b"{}", info: INFO, level: None };
        let round = Round::new(&[("k", b"{}")], Some(b"\"s\""));
        let outs = [
            edited(&body, legacy_request),
            edited(&body, |splice, envelope| modern_request(splice, envelope, &caller, &round)),
            edited(&body, |splice, envelope| modern_result(splice, envelope, method, Some(INFO), Hints::default())),
            edited(&body, |splice, envelope| legacy_result(splice, envelope, method)),
            edited(&body, |splice, envelope| modern_error(splice, envelope, Some("a:b"))),
            edited(&body, |splice, envelope| legacy_error(splice, envelope, method)),
            edited(&body, |splice, envelope| modern_notification(splice, envelope, b"1")),
            edited(&body, legacy_notification),
        ];
        for out in outs {
            let out = value(out);
            for (key, value) in unknown.as_object().unwrap() {
                prop_assert_eq!(&out[key], value);
            }
        }
    }

    #[test]
    fn equal_values_have_one_canonical_form(value in anything(), pretty in any::<bool>()) {
        let form = canonical(written(&value, pretty).as_bytes());
        prop_assert_eq!(&super::value(&form), &value);
        prop_assert_eq!(&canonical(&form), &form);
        if let Value::Object(members) = &value {
            let turned: Map<_, _> = members.clone().into_iter().rev().collect();
            prop_assert_eq!(canonical(Value::Object(turned).to_string().as_bytes()), form);
        }
    }
}

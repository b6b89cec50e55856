//! Modern client, legacy server: one test for each row.

use serde_json::json;

use super::*;
use crate::{Level, Version, era::Era};

#[test]
fn discovery_is_answered_from_the_remembered_handshake() {
    let initialize = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},
        "tasks":{"list":{}},"x":{"n":12345678901234567890}},"serverInfo":{"name":"ExampleServer","version":"1.0.0"},
        "instructions":"Be \u0062rief","later":[1 , 2],"_meta":{"k":1}}"#;
    let hints = Hints { ttl_ms: 60_000, scope: Scope::Public };
    let out = discover_result(initialize.as_bytes(), &[Version::V2026_07_28, Version::V2025_11_25], hints);
    assert_eq!(
        value(&out),
        json!({
            "resultType": "complete",
            "supportedVersions": ["2026-07-28", "2025-11-25"],
            "capabilities": { "tools": { "listChanged": true }, "x": { "n": 12_345_678_901_234_567_890u64 } },
            "instructions": "Be brief",
            "later": [1, 2],
            "ttlMs": 60_000,
            "cacheScope": "public",
            "_meta": {
                "io.modelcontextprotocol/serverInfo": { "name": "ExampleServer", "version": "1.0.0" },
                "k": 1,
            },
        })
    );
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains(r#""Be \u0062rief""#) && out.contains("[1 , 2]"), "{out}");
    let bare = discover_result(b"{}", &[Version::V2026_07_28], Hints::default());
    assert_eq!(value(&bare)["ttlMs"], 0);
    assert_eq!(value(&bare)["cacheScope"], "private");
    assert_eq!(value(&bare)["capabilities"], json!({}));
}

#[test]
fn a_request_loses_what_a_session_knows_and_keeps_all_else() {
    let cases = [
        // `_meta` goes as a whole, and `params` with it.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{
                "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        ),
        // What others put there stays, byte for byte.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{ "a" : 1.50,"_meta":{"progressToken" : "p","io.modelcontextprotocol/logLevel":"info", "x/y":{}} , "b":1e2}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{ "a" : 1.50,"_meta":{"progressToken" : "p", "x/y":{}} , "b":1e2}}"#,
        ),
        // Answers are the gateway's to read.
        (
            r#"{"jsonrpc":"2.0","id":"r","method":"tools/call","params":{"inputResponses":{"k":{"action":"accept"}},"name":"t","requestState":"s"}}"#,
            r#"{"jsonrpc":"2.0","id":"r","method":"tools/call","params":{"name":"t"}}"#,
        ),
        // Unless they are those of a task.
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"tasks/update","params":{"taskId":"t","inputResponses":{}}}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"tasks/update","params":{"taskId":"t","inputResponses":{}}}"#,
        ),
        // Escaped keys are the same keys.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"\u005fmeta":{"io.modelcontextprotocol\/clientInfo":{"name":"c"}},"z":0}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"z":0}}"#,
        ),
        // Nothing to take, nothing touched.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ }}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{ }}}"#,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#),
    ];
    for (modern, legacy) in cases {
        assert_eq!(edited(modern, legacy_request), legacy);
    }
}

#[test]
fn a_session_is_opened_with_the_capabilities_that_the_request_declared() {
    let declared = r#"{ "roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}},
        "extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["a"]}},"experimental":{"e":{}},"tasks":{"list":{}}}"#;
    let ui = json!({ "io.modelcontextprotocol/ui": { "mimeTypes": ["a"] } });
    let cases = [
        (Version::V2025_11_25, json!({ "tools": {} }), Some(json!({ "form": {}, "url": {} }))),
        (Version::V2025_06_18, json!({}), Some(json!({}))),
        (Version::V2025_03_26, json!({}), None),
        (Version::V2024_11_05, json!({}), None),
    ];
    for (version, sampling, elicitation) in cases {
        let params = value(initialize_params(version, declared.as_bytes(), br#"{"name":"c","version":"1"}"#));
        let mut capabilities =
            json!({ "roots": {}, "sampling": sampling, "extensions": ui, "experimental": { "e": {} } });
        if let Some(elicitation) = elicitation {
            capabilities["elicitation"] = elicitation;
        }
        let version = version.as_str();
        let info = json!({ "name": "c", "version": "1" });
        assert_eq!(params, json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": info }));
    }
    let url_only =
        legacy_capabilities(br#"{"elicitation":{"url":{}},"roots":null,"sampling":true}"#, Version::V2025_06_18);
    assert_eq!(value(url_only), json!({}), "URL mode came later, and what is no object declares nothing");
    assert_eq!(legacy_capabilities(b"[]", Version::V2025_11_25), b"{}");
}

#[test]
fn callers_with_the_same_capabilities_share_a_session() {
    let key = |capabilities: &str| canonical(&legacy_capabilities(capabilities.as_bytes(), Version::V2025_11_25));
    let one = key(r#"{"sampling":{},"elicitation":{"url":{},"form":{}}}"#);
    assert_eq!(one, br#"{"elicitation":{"form":{},"url":{}},"sampling":{}}"#);
    assert_eq!(key("{ \"elicitation\" : {\"form\":{ },\"\\u0075rl\":{}},\n\"sampling\":{}, \"tasks\":{}}"), one);
    assert_eq!(key(r#"{"sampling":{},"elicitation":{"url":{},"form":{}},"roots":{}}"#).len(), one.len() + 11);
    assert_ne!(key(r#"{"sampling":{},"elicitation":{"form":{}}}"#), one);
    assert_eq!(canonical(b" [ 1.0 , \"\\u0061\\/\" , null ] "), br#"[1.0,"a/",null]"#);
}

#[test]
fn each_caller_has_its_own_progress_token_again() {
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":"mine"}}}"#;
    let out = edited(request, |splice, envelope| progress_token(splice, envelope, "77"));
    assert_eq!(out, request.replace("\"mine\"", "77"));
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":77}}"#;
    let out = edited(notice, |splice, envelope| progress_token(splice, envelope, "\"mine\""));
    assert_eq!(out, notice.replace("77", "\"mine\""));
    let other = r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"progressToken":77}}"#;
    assert_eq!(edited(other, |splice, envelope| progress_token(splice, envelope, "1")), other);
    let none = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"progressToken":1}}"#;
    assert_eq!(edited(none, |splice, envelope| progress_token(splice, envelope, "1")), none);
}

#[test]
fn log_messages_reach_only_callers_that_asked_for_their_level() {
    let message = |level: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1}}}}"#)
    };
    let heard = |body: &str, level| is_for_caller(body.as_bytes(), &parse(body), level);
    for (asked, level, reaches) in [
        (None, "emergency", false),
        (Some(Level::Warning), "info", false),
        (Some(Level::Warning), "warning", true),
        (Some(Level::Warning), "alert", true),
        (Some(Level::Emergency), "odd", true),
    ] {
        assert_eq!(heard(&message(level), asked), reaches, "{asked:?} {level}");
    }
    for (method, reaches) in [
        ("notifications/progress", true),
        ("notifications/vendor", true),
        ("notifications/tasks", true),
        ("notifications/tools/list_changed", false),
        ("notifications/prompts/list_changed", false),
        ("notifications/resources/list_changed", false),
        ("notifications/resources/updated", false),
        ("notifications/elicitation/complete", false),
        ("notifications/cancelled", false),
        ("notifications/tasks/status", false),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
        assert_eq!(heard(&body, Some(Level::Debug)), reaches, "{method}");
    }
    // One session for callers of different wishes says the lowest.
    assert_eq!([Level::Error, Level::Info, Level::Alert].into_iter().min(), Some(Level::Info));
}

/// A legacy server's requests, what each asks, and its entry.
const REQUESTS: [(&str, Ask, &str); 5] = [
    (
        r#"{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{ "message":"Who?","requestedSchema":{"type":"object"},"x":1.0}}"#,
        Ask::Form,
        r#"{"method":"elicitation/create","params":{ "message":"Who?","requestedSchema":{"type":"object"},"x":1.0}}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":"e","method":"elicitation/create","params":{"mode":"url","elicitationId":"i","url":"https://a","message":"Go"}}"#,
        Ask::Url,
        r#"{"method":"elicitation/create","params":{"mode":"url","url":"https://a","message":"Go"}}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":8,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#,
        Ask::Sampling { tools: false },
        r#"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}"#,
        Ask::Sampling { tools: true },
        r#"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}"#,
    ),
    (r#"{"jsonrpc":"2.0","id":10,"method":"roots/list"}"#, Ask::Roots, r#"{"method":"roots/list"}"#),
];

#[test]
fn requests_in_mid_call_become_input_requests() {
    let mut entries = Vec::new();
    for (body, ask, entry) in REQUESTS {
        assert_eq!(asked(body.as_bytes(), &parse(body)), Ok(ask));
        let made = input_request(body.as_bytes(), &parse(body)).unwrap();
        assert_eq!(String::from_utf8_lossy(&made), entry);
        entries.push(made);
    }
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(input_request(ping.as_bytes(), &parse(ping)), Err(Unfit::NotAnAsk));
    let odd = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"mode":"voice"}}"#;
    assert_eq!(asked(odd.as_bytes(), &parse(odd)), Err(Unfit::NotAnAsk));

    let result = input_required(&[("1", &entries[0]), ("\"2", &entries[4])], Some("sea\"led"), Some(INFO));
    let requests = json!({ "1": value(REQUESTS[0].2), "\"2": value(REQUESTS[4].2) });
    assert_eq!(
        value(&result),
        json!({
            "resultType": "input_required",
            "inputRequests": requests,
            "requestState": "sea\"led",
            "_meta": { "io.modelcontextprotocol/serverInfo": value(INFO) },
        })
    );
    assert_eq!(input_required(&[], Some("s"), None), br#"{"resultType":"input_required","requestState":"s"}"#);
}

#[test]
fn only_declared_requests_reach_the_caller() {
    let (form, url, roots) = (Ask::Form, Ask::Url, Ask::Roots);
    let (sampling, tools) = (Ask::Sampling { tools: false }, Ask::Sampling { tools: true });
    let cases = [
        ("{}", vec![]),
        (r#"{"elicitation":{}}"#, vec![form]),
        (r#"{"elicitation":{"form":{}}}"#, vec![form]),
        (r#"{"elicitation":{"url":{}}}"#, vec![url]),
        (r#"{"elicitation":{"url":{},"form":{}}}"#, vec![form, url]),
        (r#"{"elicitation":null,"sampling":true,"roots":[]}"#, vec![]),
        (r#"{"sampling":{}}"#, vec![sampling]),
        (r#"{"sampling":{"tools":{}}}"#, vec![sampling, tools]),
        (r#"{"roots":{}}"#, vec![roots]),
    ];
    for (capabilities, allowed) in cases {
        for ask in [form, url, sampling, tools, roots] {
            assert_eq!(ask.is_allowed(capabilities.as_bytes()), allowed.contains(&ask), "{ask:?} {capabilities}");
            assert!(ask.is_allowed(ask.required().as_bytes()), "what is required is enough");
        }
    }
    for (ask, code) in [(form, -32602), (url, -32602), (sampling, -32601), (tools, -32602), (roots, -32601)] {
        let refused = value(ask.refusal().answer(b"\"x\""));
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!("x"), &json!(code)), "{ask:?}");
    }
}

#[test]
fn a_state_that_is_no_string_is_no_request_of_its_own() {
    let state = |params: &str| {
        let call = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{params}}}"#);
        request_state(call.as_bytes(), &parse(&call)).map(|state| state.map(|state| state.into_owned()))
    };
    for odd in ["12345", "null", "{}", r#"["sealed"]"#] {
        assert_eq!(
            state(&format!(r#"{{"name":"t","requestState":{odd}}}"#)),
            Err(Unfit::Lacks("requestState")),
            "{odd}"
        );
    }
    assert_eq!(state(r#"{"name":"t"}"#), Ok(None));
    assert_eq!(state(r#"{"requestState":""}"#), Ok(Some(String::new())));
}

#[test]
fn the_retry_brings_the_answers_that_the_server_waits_for() {
    let waiting = [
        Waiting { key: "1", ask: Ask::Form, id: b"7" },
        Waiting { key: "2", ask: Ask::Sampling { tools: false }, id: b"\"s\"" },
        Waiting { key: "3", ask: Ask::Roots, id: b"9" },
    ];
    let params = br#"{"name":"t","requestState":"se\u0061led","inputResponses":{"3":{"roots":[{"uri":"file:///a"}]},
        "4":{"action":"accept"},"1":{"action":"accept","content":{"n":1.50}}}}"#;
    let brought = answers(params, &waiting).unwrap();
    assert_eq!(
        brought.given.iter().map(|body| std::str::from_utf8(body).unwrap()).collect::<Vec<_>>(),
        [
            r#"{"jsonrpc":"2.0","id":7,"result":{"action":"accept","content":{"n":1.50}}}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{"roots":[{"uri":"file:///a"}]}}"#,
        ]
    );
    assert_eq!((brought.missing, brought.unknown), (vec![1], 1));

    let retry = [br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":"#, &params[..], b"}"].concat();
    let retry = String::from_utf8(retry).unwrap();
    assert_eq!(request_state(retry.as_bytes(), &parse(&retry)).unwrap().as_deref(), Some("sealed"));

    let nothing = answers(b"{}", &waiting).unwrap();
    assert_eq!(nothing, Answers { given: vec![], missing: vec![0, 1, 2], unknown: 0 });
    for (responses, unfit) in [
        ("[]", Unfit::NotAnObject("`inputResponses`")),
        (r#"{"1":"accept"}"#, Unfit::NotAnObject("an input response")),
        (r#"{"1":{"content":{}}}"#, Unfit::Lacks("action")),
        (r#"{"1":{"action":"maybe"}}"#, Unfit::Lacks("action")),
        (r#"{"2":{"role":"assistant","content":{}}}"#, Unfit::Lacks("model")),
        (r#"{"2":{"role":"assistant","model":"m","content":"text"}}"#, Unfit::Lacks("content")),
        (r#"{"3":{"roots":{}}}"#, Unfit::Lacks("roots")),
    ] {
        let params = format!(r#"{{"inputResponses":{responses}}}"#);
        assert_eq!(answers(params.as_bytes(), &waiting), Err(unfit), "{responses}");
    }
    let many: Vec<_> = (0..=MOST).map(|n| format!("\"k{n}\":{{}}")).collect();
    let params = format!(r#"{{"inputResponses":{{{}}}}}"#, many.join(","));
    assert_eq!(answers(params.as_bytes(), &waiting), Err(Unfit::TooMany(MOST)));
}

#[test]
fn requests_outside_any_call_are_refused_with_a_clear_error() {
    for ask in [Ask::Form, Ask::Url, Ask::Sampling { tools: true }, Ask::Roots] {
        let refused = value(ask.refusal_outside_a_call().answer(b"3"));
        assert_eq!(refused["error"]["code"], -32600, "{ask:?}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("while a request of the client"), "{ask:?}");
    }
}

#[test]
fn results_are_complete_and_say_who_answers() {
    let hints = Hints { ttl_ms: 5, scope: Scope::Public };
    let cases = [
        (
            "tools/call",
            r#"{ "content":[] }"#,
            r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":I}, "content":[] }"#,
        ),
        ("ping", "{}", r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":I}}"#),
        (
            "tools/list",
            r#"{"tools":[],"_meta":{"k" : 1}}"#,
            r#"{"resultType":"complete","ttlMs":5,"cacheScope":"public","tools":[],"_meta":{"io.modelcontextprotocol/serverInfo":I,"k" : 1}}"#,
        ),
        (
            "resources/read",
            r#"{"_meta":{},"contents":[],"ttlMs":9}"#,
            r#"{"resultType":"complete","cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":I},"contents":[],"ttlMs":9}"#,
        ),
        (
            "prompts/list",
            r#"{"cach\u0065Scope":"private","resultTyp\u0065":"complete","prompts":[]}"#,
            r#"{"ttlMs":5,"_meta":{"io.modelcontextprotocol/serverInfo":I},"cach\u0065Scope":"private","resultTyp\u0065":"complete","prompts":[]}"#,
        ),
        // Types of extensions pass, and what is not complete is not cacheable.
        (
            "resources/read",
            r#"{"resultType":"task","taskId":"t"}"#,
            r#"{"_meta":{"io.modelcontextprotocol/serverInfo":I},"resultType":"task","taskId":"t"}"#,
        ),
        (
            "tools/call",
            r#"{"_meta":{"io.modelcontextprotocol\/serverInfo":{"name":"other"}}}"#,
            r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol\/serverInfo":{"name":"other"}}}"#,
        ),
    ];
    for (method, legacy, modern) in cases {
        let out = edited(&answer(legacy), |splice, envelope| {
            modern_result(splice, envelope, method, Some(INFO), hints);
        });
        assert_eq!(out, answer(&modern.replace("Info\":I", &format!("Info\":{}", String::from_utf8_lossy(INFO)))));
    }
    let out = edited(&answer("{}"), |splice, envelope| {
        modern_result(splice, envelope, "resources/templates/list", None, Hints::default());
    });
    assert_eq!(out, answer(r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#));
    let odd = answer("[1]");
    let out = edited(&odd, |splice, envelope| modern_result(splice, envelope, "m", Some(INFO), hints));
    assert_eq!(out, odd);
}

#[test]
fn errors_are_told_in_the_codes_of_the_modern_era() {
    let error = |error: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#);
    let uri = Some("file:///\"x\"");
    let cases = [
        (
            r#"{"code":-32002,"message":"Resource not found"}"#,
            r#"{"data":{"uri":"file:///\"x\""},"code":-32602,"message":"Resource not found"}"#,
        ),
        (
            r#"{"message" : "gone","code": -32002 ,"data":{"uri":"a:b"}}"#,
            r#"{"message" : "gone","code": -32602 ,"data":{"uri":"a:b"}}"#,
        ),
        (
            r#"{"code":-32002,"message":"m","data":{"why":1.0}}"#,
            r#"{"code":-32602,"message":"m","data":{"uri":"file:///\"x\"","why":1.0}}"#,
        ),
        (
            r#"{"code":-32002,"message":"m","data":null}"#,
            r#"{"code":-32602,"message":"m","data":{"uri":"file:///\"x\""}}"#,
        ),
        (r#"{"code":-32002,"message":"m","data":"text"}"#, r#"{"code":-32602,"message":"m","data":"text"}"#),
        (r#"{"code":-32601,"message":"m"}"#, r#"{"code":-32601,"message":"m"}"#),
        (r#"{"code":-32000,"message":"m"}"#, r#"{"code":-32000,"message":"m"}"#),
        (
            r#"{"code":-32042,"message":"m","data":{"elicitations":[]}}"#,
            r#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{"elicitation":{"url":{}}},"elicitations":[]}}"#,
        ),
    ];
    for (legacy, modern) in cases {
        let out = edited(&error(legacy), |splice, envelope| modern_error(splice, envelope, uri));
        assert_eq!(out, error(modern));
    }
    let without = edited(&error(r#"{"code":-32002,"message":"m"}"#), |splice, envelope| {
        modern_error(splice, envelope, None);
    });
    assert_eq!(without, error(r#"{"code":-32602,"message":"m"}"#));
    for (code, status) in
        [(-32601, 404), (-32602, 400), (-32020, 400), (-32021, 400), (-32022, 400), (-32603, 200), (-1, 200)]
    {
        assert_eq!(error_status(Era::Modern, code), status, "{code}");
    }
}

#[test]
fn urls_that_must_be_visited_first_become_input_requests() {
    let body =
        |data: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32042,"message":"m","data":{data}}}}}"#);
    let entries = |body: &str| url_elicitations(body.as_bytes(), &parse(body));
    let one = r#"{"mode":"url","elicitationId":"i","url":"https://a","message":"Go"}"#;
    let entry = br#"{"method":"elicitation/create","params":{"mode":"url","url":"https://a","message":"Go"}}"#;
    assert_eq!(entries(&body(&format!(r#"{{"elicitations":[{one}]}}"#))), Some(vec![entry.to_vec()]));
    for other in ["{}", r#"{"elicitations":[]}"#, r#"{"elicitations":[{"message":"form"}]}"#, "[]", "1"] {
        assert_eq!(entries(&body(other)), None, "{other}");
    }
    assert_eq!(entries(&body("{}").replace("-32042", "-32002")), None);
}

#[test]
fn listeners_are_acknowledged_fed_and_dismissed() {
    let params = br#"{"notifications":{"toolsListChanged":true,"promptsListChanged":false,"taskIds":["t"],
        "resourceSubscriptions":["file:///a","file:///d/","file:///a"]}}"#;
    let filter = Filter::read(params).unwrap();
    assert_eq!(
        value(filter.acknowledgement(b"\"id\"")),
        json!({
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {
                "_meta": { "io.modelcontextprotocol/subscriptionId": "id" },
                "notifications": { "toolsListChanged": true, "resourceSubscriptions": ["file:///a", "file:///d/"] },
            },
        })
    );
    let wants = |method: &str, uri: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"uri":"{uri}"}}}}"#);
        filter.wants(body.as_bytes(), &parse(&body))
    };
    for (method, uri, wanted) in [
        ("notifications/tools/list_changed", "", true),
        ("notifications/prompts/list_changed", "", false),
        ("notifications/resources/list_changed", "", false),
        ("notifications/message", "", false),
        ("notifications/resources/updated", "file:///a", true),
        ("notifications/resources/updated", "file:///a/below", true),
        ("notifications/resources/updated", "file:///a#part", true),
        ("notifications/resources/updated", "file:///d/below/it", true),
        ("notifications/resources/updated", "file:///ab", false),
        ("notifications/resources/updated", "file:///", false),
    ] {
        assert_eq!(wants(method, uri), wanted, "{method} {uri}");
    }
    let closed = value(listening_ended(b"1"));
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": 1 });
    assert_eq!(closed, json!({ "jsonrpc": "2.0", "id": 1, "result": { "resultType": "complete", "_meta": meta } }));

    assert_eq!(Filter::read(b"{}"), Err(Unfit::Lacks("notifications")));
    assert_eq!(
        Filter::read(br#"{"notifications":{"resourceSubscriptions":[1]}}"#),
        Err(Unfit::Lacks("resourceSubscriptions"))
    );
    assert!(Filter::read(br#"{"notifications":{}}"#).unwrap().is_empty());
    let many: Vec<_> = (0..=MOST_URIS).map(|n| format!("\"a:{n}\"")).collect();
    let params = format!(r#"{{"notifications":{{"resourceSubscriptions":[{}]}}}}"#, many.join(","));
    assert_eq!(Filter::read(params.as_bytes()), Err(Unfit::TooMany(MOST_URIS)));
}

#[test]
fn notifications_of_a_stream_name_the_stream() {
    let tag = r#""_meta":{"io.modelcontextprotocol/subscriptionId":"s-1"}"#;
    let cases = [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
            format!(r#"{{"params":{{{tag}}},"jsonrpc":"2.0","method":"notifications/tools/list_changed"}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{ "uri":"a:b"}}"#,
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{{tag}, "uri":"a:b"}}}}"#
            ),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":4}}}"#,
            format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{{tag}}}}}"#),
        ),
    ];
    for (legacy, modern) in cases {
        assert_eq!(edited(legacy, |splice, envelope| modern_notification(splice, envelope, b"\"s-1\"")), modern);
    }
}

//! Legacy client, modern server: one test for each row.

use serde_json::json;

use super::*;
use crate::{Level, Version, build, era::Era};

const CAPABILITIES: &[u8] = br#"{"roots":{},"elicitation":{}}"#;
const CLIENT: &[u8] = br#"{"name":"c","version":"1"}"#;

fn caller(level: Option<Level>) -> Caller<'static> {
    Caller { version: Version::V2026_07_28, capabilities: CAPABILITIES, info: CLIENT, level }
}

fn first(body: &str, level: Option<Level>) -> String {
    edited(body, |splice, envelope| modern_request(splice, envelope, &caller(level), &Round::default()))
}

#[test]
fn a_handshake_is_answered_from_the_remembered_discovery() {
    let discover = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{ }},
        "instructions":"Be brief","ttlMs":3600000,"cacheScope":"public","later":1.0,
        "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"S","version":"2"},"k":{}}}"#;
    let out = initialize_result(discover.as_bytes(), Version::V2025_06_18, b"{}");
    assert_eq!(
        std::str::from_utf8(&out).unwrap(),
        r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{ }},"serverInfo":{"name":"S","version":"2"},"instructions":"Be brief","later":1.0,"_meta":{"k":{}}}"#
    );
    let nameless = initialize_result(br#"{"capabilities":{}}"#, Version::V2025_11_25, br#"{"name":"x","version":"0"}"#);
    assert_eq!(value(nameless)["serverInfo"]["name"], "x");
    assert_eq!(server_info(discover.as_bytes()), Some(&br#"{"name":"S","version":"2"}"#[..]));
    assert_eq!(server_info(br#"{"serverInfo":"x"}"#), None);
}

#[test]
fn capabilities_of_a_session_are_declared_in_every_request() {
    let session = br#"{"roots":{"listChanged":true,"x":1},"sampling":{"tools":{}},"tasks":{},"extensions":{"a/b":{}}}"#;
    let expected = json!({ "roots": { "x": 1 }, "sampling": { "tools": {} }, "extensions": { "a/b": {} } });
    assert_eq!(value(modern_capabilities(session)), expected);
}

#[test]
fn each_request_gains_what_lets_it_stand_alone() {
    let meta = String::from_utf8(build::modern_meta("2026-07-28", CLIENT, CAPABILITIES, Some("info"))).unwrap();
    let cases = [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            format!(r#"{{"params":{{"_meta":{meta}}},"jsonrpc":"2.0","id":1,"method":"tools/list"}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{ }}"#,
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{meta} }}}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1.0,"b" : 2}}"#,
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"_meta":{meta},"a":1.0,"b" : 2}}}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{}}}"#,
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"_meta":{meta}}}}}"#),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":3}}}"#,
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"_meta":{},"progressToken":3}}}}}}"#,
                &meta[..meta.len() - 1]
            ),
        ),
    ];
    for (legacy, modern) in cases {
        assert_eq!(first(legacy, Some(Level::Info)), modern);
    }
    let own = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"x",
        "io.modelcontextprotocol/logLevel":"debug","io.modelcontextprotocol\/clientInfo":0}}}"#;
    let meta = value(first(own, None))["params"]["_meta"].take();
    assert_eq!(
        meta,
        json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": value(CLIENT),
            "io.modelcontextprotocol/clientCapabilities": value(CAPABILITIES),
        }),
        "what the client said itself does not count"
    );
}

#[test]
fn input_requests_are_sent_to_the_client() {
    let result = br#"{"resultType":"input_required","requestState":"o\u0070aque","inputRequests":{
        "who":{"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{}}},
        "go":{"method":"elicitation/create","params":{ "mode":"url","url":"https://a","message":"Go"}},
        "say":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}},
        "where":{"method":"roots/list"}}}"#;
    let body = answer(std::str::from_utf8(result).unwrap());
    assert!(is_input_required(body.as_bytes(), &parse(&body)));
    let required = InputRequired::read(result).unwrap();
    assert_eq!(required.state, Some(&br#""o\u0070aque""#[..]));
    let sent: Vec<_> = required
        .requests
        .iter()
        .map(|request| (&*request.key, String::from_utf8(request.to_client(b"\"h-1\"", "e-1")).unwrap()))
        .collect();
    let request = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":"h-1","method":{rest}}}"#);
    assert_eq!(
        sent,
        [
            ("who", request(r#""elicitation/create","params":{"message":"Who?","requestedSchema":{}}"#)),
            (
                "go",
                request(
                    r#""elicitation/create","params":{"elicitationId":"e-1", "mode":"url","url":"https://a","message":"Go"}"#
                )
            ),
            ("say", request(r#""sampling/createMessage","params":{"messages":[],"maxTokens":1}"#)),
            ("where", request(r#""roots/list""#)),
        ]
    );
    let own = br#"{"inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"url","elicitationId":1}}}}"#;
    let sent = InputRequired::read(own).unwrap().requests[0].to_client(b"1", "e-2");
    assert_eq!(value(sent)["params"]["elicitationId"], "e-2", "the session's ids are the gateway's");
    assert!(!is_input_required(answer("{}").as_bytes(), &parse(&answer("{}"))));
    let complete = answer(r#"{"resultType":"complete"}"#);
    assert!(!is_input_required(complete.as_bytes(), &parse(&complete)));
    let waits = InputRequired::read(br#"{"resultType":"input_required","requestState":"later"}"#).unwrap();
    assert!(waits.requests.is_empty() && waits.state.is_some());
    for (wrong, unfit) in [
        ("{}", Unfit::Lacks("inputRequests")),
        (r#"{"inputRequests":[]}"#, Unfit::NotAnObject("`inputRequests`")),
        (r#"{"inputRequests":{"a":1}}"#, Unfit::NotAnObject("an input request")),
        (r#"{"inputRequests":{"a":{}}}"#, Unfit::Lacks("method")),
        (r#"{"inputRequests":{"a":{"method":"ping"}}}"#, Unfit::NotAnAsk),
        (
            r#"{"inputRequests":{"a":{"method":"roots/list","params":1}}}"#,
            Unfit::NotAnObject("`params` of an input request"),
        ),
        (r#"{"inputRequests":{},"requestState":1}"#, Unfit::Lacks("requestState")),
    ] {
        assert_eq!(InputRequired::read(wrong.as_bytes()), Err(unfit), "{wrong}");
    }
}

#[test]
fn answers_of_the_client_go_into_the_repeated_request() {
    let respond = |ask, body: &str| {
        response(ask, &Bytes::from(body.to_owned()), &parse(body)).map(|raw| String::from_utf8(raw.to_vec()).unwrap())
    };
    let refused = r#"{"jsonrpc":"2.0","id":"h-1","error":{"code":-1,"message":"no"}}"#;
    let accepted = r#"{"action":"accept","content":{"n":1.50}}"#;
    let sampled = r#"{"role":"assistant","model":"m","content":{"type":"text","text":"x"},"stopReason":"endTurn"}"#;
    let tools = Ask::Sampling { tools: true };
    for (ask, body, value) in [
        (Ask::Form, answer(accepted), Ok(accepted)),
        (Ask::Form, refused.to_owned(), Ok(r#"{"action":"cancel"}"#)),
        (Ask::Url, answer(r#"{"nonsense":1}"#), Ok(r#"{"action":"cancel"}"#)),
        (tools, answer(sampled), Ok(sampled)),
        (tools, refused.to_owned(), Err(Unfit::Refused("sampling/createMessage"))),
        (Ask::Roots, answer(r#"{"roots":[]}"#), Ok(r#"{"roots":[]}"#)),
        (Ask::Roots, answer("{}"), Err(Unfit::Refused("roots/list"))),
    ] {
        assert_eq!(respond(ask, &body), value.map(str::to_owned), "{ask:?} {body}");
    }

    let original = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"t","arguments":{"a":1.0},"inputResponses":{"old":{}},"requestState":"old"}}"#;
    let repeated = |round: &Round| {
        let out = edited(original, |splice, envelope| modern_request(splice, envelope, &caller(None), round));
        assert!(out.contains(r#""arguments":{"a":1.0}"#), "{out}");
        let mut params = value(out)["params"].take();
        assert!(params["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28");
        params.as_object_mut().unwrap().remove("_meta");
        params
    };
    let round = Round::new(&[("who", accepted.as_bytes()), ("say", sampled.as_bytes())], Some(b"\"opaque\""));
    assert_eq!(
        repeated(&round),
        json!({
            "name": "t",
            "arguments": { "a": 1.0 },
            "inputResponses": { "who": value(accepted), "say": value(sampled) },
            "requestState": "opaque",
        })
    );
    assert_eq!(
        repeated(&Round::new(&[], Some(b"\"s\""))),
        json!({ "name": "t", "arguments": { "a": 1.0 }, "requestState": "s" })
    );
    assert_eq!(
        repeated(&Round::new(&[("k", b"{}")], None)),
        json!({ "name": "t", "arguments": { "a": 1.0 }, "inputResponses": { "k": {} } }),
        "without a state none is given back"
    );
    let bare = r#"{"jsonrpc":"2.0","id":5,"method":"resources/read"}"#;
    let out = edited(bare, |splice, envelope| modern_request(splice, envelope, &caller(None), &round));
    assert_eq!(value(out)["params"]["requestState"], "opaque");
}

#[test]
fn results_lose_the_fields_of_the_modern_era() {
    let cases = [
        (
            "tools/call",
            r#"{"resultType":"complete","content":[ ],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#,
            r#"{"content":[ ]}"#,
        ),
        (
            "tools/list",
            r#"{ "ttlMs":1, "tools":[{"name":"a","x":1.0}] , "cacheScope":"public", "resultType":"complete"}"#,
            r#"{ "tools":[{"name":"a","x":1.0}]}"#,
        ),
        ("tools/call", r#"{"resultType":"complete"}"#, "{}"),
        (
            "tools/call",
            r#"{"_meta":{"k":1,"io.modelcontextprotocol\/serverInfo":{}},"r\u0065sultType":"compl\u0065te","content":[]}"#,
            r#"{"_meta":{"k":1},"content":[]}"#,
        ),
        // What other members of these names mean is not for us to say.
        ("tasks/get", r#"{"resultType":"complete","taskId":"t","ttlMs":60000}"#, r#"{"taskId":"t","ttlMs":60000}"#),
        (
            "tools/call",
            r#"{"resultType":"task","taskId":"t","ttlMs":60000}"#,
            r#"{"resultType":"task","taskId":"t","ttlMs":60000}"#,
        ),
        // Legacy clients refuse what is no object.
        (
            "tools/call",
            r#"{"content":[],"structuredContent":[1],"isError":false}"#,
            r#"{"content":[],"isError":false}"#,
        ),
        ("tools/call", r#"{"structuredContent":{"a":1}}"#, r#"{"structuredContent":{"a":1}}"#),
        (
            "tools/list",
            r#"{"tools":[{"name":"a","outputSchema":{"type":"array"}},{"name":"b","outputSchema":{"type":"object"}},{"outputSchema":true}, 1]}"#,
            r#"{"tools":[{"name":"a"},{"name":"b","outputSchema":{"type":"object"}},{}, 1]}"#,
        ),
    ];
    for (method, modern, legacy) in cases {
        let out = edited(&answer(modern), |splice, envelope| legacy_result(splice, envelope, method));
        assert_eq!(out, answer(legacy));
    }
}

#[test]
fn errors_are_told_in_the_codes_of_the_legacy_era() {
    let error = |code: i64, data: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code": {code} ,"message":"m","data":{data}}}}}"#)
    };
    let uri = r#"{"uri":"a:b","n":1.0}"#;
    for (method, modern, data, legacy) in [
        ("resources/read", -32602, uri, -32002),
        ("resources/read", -32602, "{}", -32602),
        ("resources/read", -32602, "\"uri\"", -32602),
        ("tools/call", -32602, uri, -32602),
        ("tools/call", -32021, r#"{"requiredCapabilities":{"roots":{}}}"#, -32600),
        ("tools/call", -32020, "{}", -32603),
        ("tools/call", -32022, r#"{"supported":[]}"#, -32603),
        ("tools/call", -32601, "{}", -32601),
    ] {
        let out = edited(&error(modern, data), |splice, envelope| legacy_error(splice, envelope, method));
        assert_eq!(out, error(legacy, data), "{method} {modern}");
        assert_eq!(error_status(Era::Legacy, legacy), 200);
    }
}

#[test]
fn one_stream_serves_all_sessions_and_grows_and_shrinks_with_them() {
    let filter = |lists: &[List], uris: &[&str]| Filter {
        lists: lists.iter().copied().collect(),
        uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
    };
    let one = filter(&[List::Tools], &["a:1", "a:2"]);
    let other = filter(&[List::Tools, List::Resources], &["a:2"]);
    let mut wanted = Wanted::default();
    assert_eq!(wanted.widen(&one), one);
    assert_eq!(wanted.widen(&other), filter(&[List::Resources], &[]));
    assert!(wanted.widen(&one).is_empty(), "no need to open another stream");
    assert_eq!(wanted.filter(), filter(&[List::Tools, List::Resources], &["a:1", "a:2"]));
    assert_eq!(
        value(wanted.filter().listen_params(b"{\"k\":1}")),
        json!({
            "_meta": { "k": 1 },
            "notifications": {
                "toolsListChanged": true,
                "resourcesListChanged": true,
                "resourceSubscriptions": ["a:1", "a:2"],
            },
        })
    );
    assert!(wanted.narrow(&one).is_empty());
    assert_eq!(wanted.narrow(&one), filter(&[], &["a:1"]));
    assert_eq!(wanted.narrow(&other), filter(&[List::Tools, List::Resources], &["a:2"]));
    assert_eq!(wanted, Wanted::default());
    assert!(wanted.narrow(&other).is_empty(), "what nobody wanted is not taken away twice");
}

#[test]
fn notifications_of_the_stream_reach_sessions_without_its_name() {
    let cases = [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"uri":"a:b", "x":1.0}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b", "x":1.0}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":{"k":1,"io.modelcontextprotocol/subscriptionId":"s"}}}"#,
            r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":{"k":1}}}"#,
        ),
        (r#"{"jsonrpc":"2.0","method":"m","params":{}}"#, r#"{"jsonrpc":"2.0","method":"m","params":{}}"#),
    ];
    for (modern, legacy) in cases {
        assert_eq!(edited(modern, legacy_notification), legacy);
    }
}

//! Same era on both sides: what arrives is what was sent, byte for byte, but for the splices that are documented.
//!
//! Messages are recorded from public clients and servers, or generated from fixed seeds. Where both sides of a message
//! differ by design (names and URIs under a prefix, ids and tokens on a shared stream), exactly that may differ.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "transparency/elsewhere.rs"]
mod elsewhere;
#[path = "transparency/generate.rs"]
mod generate;
#[path = "transparency/message.rs"]
mod message;
#[path = "transparency/passing.rs"]
mod passing;
#[path = "transparency/recorded.rs"]
mod recorded;
#[path = "transparency/stage.rs"]
mod stage;

use bytes::Bytes;
use e2e::http::Ask;
use futures_util::future::join_all;
use generate::{Pen, Space};
use message::{Era, Exchange, LEGACY, MODERN, call, generated, header, quoted};
use passing::{MANY, over_http, over_stdio, raw};
use serde_json::{Value, json};
use stage::{
    Arrived, Stage, VIEWS, View, arrived, by_uri, events, forget, is_message, is_stream, prepare, same, sides,
};
use testkit::Httpd;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

fn web(era: Era) -> Httpd {
    Httpd::start(&["--record", "--threads", "1", "--mode", era.mode()])
}

#[test]
fn the_generated_messages_have_all_that_is_hard() {
    let of = |era| (0..MANY).map(move |n| generated(7, n, era, Space::Any, true));
    let all: Vec<_> = of(Era::Legacy).chain(of(Era::Modern)).collect();
    let requests: String = all.iter().map(|exchange| exchange.request.as_str()).collect();
    let answers: String = all.iter().map(|exchange| exchange.answer.as_str()).collect();
    for hard in ["1.0e+2", "9007199254740993", "18446744073709551616", r"\ud83d\ude00", r"\u0000", "{}", "世界", "\r\n"]
    {
        assert!(requests.contains(hard) && answers.contains(hard), "{hard}");
    }
    assert!(requests.contains("\"progressToken\"") && requests.contains(r"\u0069d") && requests.contains(r"\/"));
    assert!(["1e400", r"\ud800", "«uri:0»", "resource_link", "\"error\""].iter().all(|hard| answers.contains(hard)));
    let deepest = |text: &str| {
        let levels = text.bytes().scan(0_i32, |open, byte| {
            *open += i32::from(b"[{".contains(&byte)) - i32::from(b"]}".contains(&byte));
            Some(*open)
        });
        levels.max().unwrap_or_default()
    };
    let deepest = |of: fn(&Exchange) -> &str| all.iter().map(|exchange| deepest(of(exchange))).max().unwrap();
    assert!(deepest(|exchange| &exchange.request) > 90 && deepest(|exchange| &exchange.answer) > 200);
}

#[tokio::test]
async fn legacy_messages_pass_unchanged_to_and_from_a_server_on_http() {
    over_http(Era::Legacy).await;
}

#[tokio::test]
async fn modern_messages_pass_unchanged_to_and_from_a_server_on_http() {
    over_http(Era::Modern).await;
}

#[tokio::test]
async fn legacy_messages_pass_unchanged_to_and_from_a_process() {
    over_stdio(Era::Legacy).await;
}

#[tokio::test]
async fn modern_messages_pass_unchanged_to_and_from_a_process() {
    over_stdio(Era::Modern).await;
}

#[tokio::test]
async fn callers_that_chose_the_same_id_and_token_each_get_their_own_answer() {
    for era in [Era::Legacy, Era::Modern] {
        let stage = Stage::stdio(era, VIEWS[0]).await;
        let callers = join_all((0..24).map(|_| stage.caller(View::Untouched))).await;
        let calls = callers.iter().enumerate().map(|(n, caller)| {
            let mut pen = Pen::new(n as u64, Space::Any);
            let mut exchange = call(&mut pen, n, era, "raw", &[]);
            (exchange.id, exchange.token) = ("\"the same\"".into(), "9007199254740993".into());
            async move { raw(caller, View::Untouched, &exchange, &format!("{era:?} caller {n}"), &mut pen).await }
        });
        join_all(calls).await;
    }
}

/// A call that reports progress.
fn with_token(n: usize, era: Era) -> Exchange {
    let mut pen = Pen::new(n as u64, Space::Any);
    loop {
        let exchange = call(&mut pen, n, era, "slow", &[("ms", "20"), ("steps", "2")]);
        if exchange.notice.is_some() {
            return exchange;
        }
    }
}

#[tokio::test]
async fn a_call_whose_answer_was_streamed_is_in_flight_no_longer() {
    for era in [Era::Legacy, Era::Modern] {
        let stage = Stage::stdio_with(era, VIEWS[0], json!({ "session_calls": 2 })).await;
        let caller = stage.caller(View::Untouched).await;
        for n in 0..5 {
            let got = caller.send(&with_token(n, era), View::Untouched, "\"slow\"").await;
            is_stream(&format!("{era:?} call {n}"), &got);
            events(got).await;
        }
    }
}

#[tokio::test]
async fn uris_are_federated_whether_or_not_the_length_of_the_answer_is_told() {
    for era in [Era::Legacy, Era::Modern] {
        let web = web(era);
        let stage = Stage::http(&web, era, VIEWS[0]).await;
        let caller = stage.caller(View::Federated).await;
        for piece in ["", "&piece=7"] {
            let exchange = recorded::of(era).into_iter().find(|exchange| exchange.answer.contains("«uri:0»")).unwrap();
            let asked = quoted(&View::Federated.exposed(&exchange.native, by_uri(&exchange)));
            let (client, server) = sides(&exchange, View::Federated, &asked);
            prepare(&web, &exchange.method, piece, JSON, server.fill(&exchange.answer).as_bytes());
            let got = caller.send(&exchange, View::Federated, &asked).await;
            same(&format!("{era:?} {piece}"), &got.bytes().await, client.fill(&exchange.answer).as_bytes());
        }
    }
}

#[tokio::test]
async fn tokens_of_progress_come_back_as_they_were_spelled() {
    for era in [Era::Legacy, Era::Modern] {
        let stage = Stage::stdio(era, VIEWS[0]).await;
        for view in stage.views.iter().copied() {
            let caller = stage.caller(view).await;
            for (n, token) in ["1", "123456789012345678901", r#""a\u0000\ud83d\ude00 \/""#, r#""""#].iter().enumerate()
            {
                let mut exchange = with_token(n, era);
                exchange.token = (*token).into();
                let got = caller.send(&exchange, view, &quoted(&view.exposed("slow", false))).await;
                let what = format!("{era:?} {view:?} {token}");
                is_stream(&what, &got);
                let told: Vec<_> = events(got).await.into_iter().filter(|event| !event.data.is_empty()).collect();
                assert_eq!(told.len(), 3, "{what}: {told:?}");
                let wanted = format!("\"progressToken\":{token}");
                assert!(told[..2].iter().all(|event| event.data.contains(&wanted)), "{what}: {told:?}");
                assert!(told[2].data.starts_with(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{},", exchange.id)), "{what}");
            }
        }
    }
}

/// About 20 MB of text, spelled in many ways.
fn twenty_megabytes() -> String {
    let piece = r#"0123456789 abcdefghijklmnopqrstuvwxyz é 世界 😀 \u0000 \ud83d\ude00 \" \\ \/ "#;
    format!("\"{}\"", piece.repeat((20 << 20) / piece.len()))
}

fn large(era: Era, tool: &str, text: &str) -> Exchange {
    let mut pen = Pen::new(20, Space::Any);
    let mut exchange = call(&mut pen, 1, era, tool, &[("text", "«text»")]);
    exchange.request = exchange.request.replace("«text»", text);
    exchange.answer = format!(
        "{{\"id\": «id»,\"jsonrpc\":\"2.0\",\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}}}\n"
    );
    exchange
}

#[tokio::test]
async fn twenty_megabytes_pass_unchanged_to_and_from_a_server_on_http() {
    let text = twenty_megabytes();
    for era in [Era::Legacy, Era::Modern] {
        let web = web(era);
        let stage = Stage::http(&web, era, VIEWS[0]).await;
        let exchange = large(era, "echo", &text);
        prepare(&web, "tools/call", "", JSON, exchange.answer.replace("«id»", "\"@id@\"").as_bytes());
        for view in stage.views.iter().copied() {
            let caller = stage.caller(view).await;
            forget(&web);
            let what = format!("{era:?} {view:?}");
            let asked = quoted(&view.exposed("echo", false));
            let (client, server) = sides(&exchange, view, &asked);
            let got = caller.send(&exchange, view, &asked).await;
            is_message(&what, &got, 200);
            same(&what, &got.bytes().await, client.fill(&exchange.answer).as_bytes());
            let wanted = server.fill(&exchange.request);
            let came = arrived(&web).into_iter().find(Arrived::is_ours);
            same(&what, &came.expect("the request arrived").body, wanted.as_bytes());
        }
    }
}

#[tokio::test]
async fn twenty_megabytes_pass_unchanged_to_and_from_a_process() {
    let text = twenty_megabytes();
    for (era, view) in [(Era::Legacy, View::Federated), (Era::Modern, View::Untouched)] {
        let stage = Stage::stdio(era, VIEWS[0]).await;
        let caller = stage.caller(view).await;
        let exchange = large(era, "raw", &text);
        raw(&caller, view, &exchange, &format!("{era:?} {view:?}"), &mut Pen::new(1, Space::Any)).await;
    }
}

/// A tool with all that JSON Schema 2020-12 has, and more.
const SCHEMA: &str = r##"{ "name" : «asked»,
 "inputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://x.example/s","$anchor":"a","$dynamicAnchor":"node","$vocabulary":{"https://x.example/v":true},"$comment":"\u0000","type":"object",
 "$defs":{"n":{"$dynamicRef":"#node","type":["number","null"]},"":{}},"properties":{"a":{"$ref":"#/$defs/n"},"name":{"const":1.0e+2},"uri":{"enum":[9007199254740993,18446744073709551616,-0,"\ud83d\ude00",null]}},
 "patternProperties":{"^x-\\d+$":false},"propertyNames":{"pattern":"^\\S*$"},"prefixItems":[true,{}],"items":false,"contains":{},"minContains":0,"maxContains":1E2,"dependentRequired":{"a":["b"]},"dependentSchemas":{"a":{"not":{}}},
 "if":{},"then":{"allOf":[]},"else":{"oneOf":[{"anyOf":[{}]}]},"unevaluatedProperties":false,"unevaluatedItems":{"multipleOf":0.10},"contentSchema":{},"contentMediaType":"a/b","contentEncoding":"base64","deprecated":true,"examples":[[[]]],"default":{}},
 "outputSchema" : { "$dynamicRef":"#node" },"annotations":{"readOnlyHint":true,"x":1.50},"_meta":{"name":"y","uri":"z"},"execution":{"taskSupport":"optional"},"x-unknown":[{"name":"kept"}] , "title":"Ünï" }"##;

#[tokio::test]
async fn tools_with_every_keyword_of_json_schema_are_listed_as_they_were_sent() {
    for era in [Era::Legacy, Era::Modern] {
        for views in VIEWS {
            let web = web(era);
            let tools = ["one", "two.x"].map(|name| SCHEMA.replace("«asked»", &quoted(name)));
            let list = format!("{{\"tools\": [{}\n,{}],\"ttlMs\":1.0,\"cacheScope\":\"public\"}}", tools[0], tools[1]);
            let list = format!("{{\"result\":{list}, \"jsonrpc\":\"2.0\",\"id\":«id»,\"x\":{{}}}}");
            prepare(&web, "tools/list", "", JSON, list.replace("«id»", "\"@id@\"").as_bytes());
            let stage = Stage::http(&web, era, views).await;
            for view in stage.views.iter().copied() {
                let what = format!("{era:?} {view:?}");
                let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}});
                let params = if era == Era::Modern { json!({ "_meta": meta }) } else { json!({}) };
                let ask = json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list", "params": params}).to_string();
                let got = stage.caller(view).await.ask("tools/list", "", ask).send().await.unwrap();
                is_message(&what, &got, 200);
                let got = got.bytes().await;
                if view == View::Untouched {
                    same(&what, &got, list.replace("«id»", "\"l\"").as_bytes());
                    continue;
                }
                let names = ["one", "two.x"].map(|name| quoted(&view.exposed(name, false)));
                let wanted = names.map(|name| SCHEMA.replace("«asked»", &name)).join(",");
                let got = String::from_utf8(got.to_vec()).unwrap();
                assert!(got.contains(&wanted), "{what}:\n{got}\n--- wanted\n{wanted}");
            }
        }
    }
}

#[tokio::test]
async fn a_greeting_passes_with_all_that_nobody_knows() {
    let legacy = Httpd::start(&["--record", "--no-sessions", "--mode", "legacy"]);
    let greeting = r#"{ "capabilities":{"tools":{},"experimental":{"x":{"n":1.0e+2}},"é":{}},"protocolVersion" : "2025-11-25","serverInfo":{"name":"\u0061","version":"1","icons":[]},"x":18446744073709551616}"#;
    let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"@id@\",\"result\":{greeting}}}");
    prepare(&legacy, "initialize", "", JSON, body.as_bytes());
    let stage = Stage::http(&legacy, Era::Legacy, VIEWS[0]).await;
    let ask = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}});
    let got = Ask::post(stage.gateway.address(), &View::Untouched.path(), &ask).send().await.unwrap();
    is_message("legacy", &got, 200);
    assert!(!got.header("mcp-session-id").is_empty());
    same("legacy", &got.bytes().await, body.replace("\"@id@\"", "\"hello\"").as_bytes());

    let modern = web(Era::Modern);
    let found = r#"{"jsonrpc":"2.0","id":"@id@","result":{"supportedVersions":["2026-07-28","2099-01-01"],"capabilities":{"tools":{"x":1.0}},"resultType":"complete","ttlMs":1e3,"cacheScope":"private","x":{}}}"#;
    prepare(&modern, "server/discover", "", JSON, found.as_bytes());
    let stage = Stage::http(&modern, Era::Modern, VIEWS[0]).await;
    let ask = Ask::modern(stage.gateway.address(), &View::Untouched.path(), 7, "server/discover", json!({}));
    let got = ask.send().await.unwrap();
    is_message("modern", &got, 200);
    same("modern", &got.bytes().await, found.replace("\"@id@\"", "7").as_bytes());
}

#[tokio::test]
async fn statuses_of_errors_are_kept_and_messages_without_an_answer_are_accepted() {
    for (era, cases) in [
        (Era::Modern, [(400, -32602), (400, -32020), (400, -32021), (404, -32601), (500, -32603)]),
        (Era::Legacy, [(400, -32602), (400, -32600), (200, -32601), (200, -32603), (200, -32002)]),
    ] {
        let web = web(era);
        let stage = Stage::http(&web, era, VIEWS[0]).await;
        for view in stage.views.iter().copied() {
            let caller = stage.caller(view).await;
            for (status, code) in cases {
                let mut exchange = call(&mut Pen::new(3, Space::Any), 1, era, "echo", &[]);
                exchange.answer = format!(
                    "{{\"error\":{{\"code\":{code},\"message\":\"\\u0061\",\"data\":1.0e+2}}, \"jsonrpc\":\"2.0\",\"id\":«id»}}"
                );
                let canned = exchange.answer.replace("«id»", "\"@id@\"");
                prepare(&web, "tools/call", &format!("&status={status}"), JSON, canned.as_bytes());
                let got = caller.send(&exchange, view, &quoted(&view.exposed("echo", false))).await;
                let what = format!("{era:?} {view:?} {status} {code}");
                is_message(&what, &got, status);
                same(&what, &got.bytes().await, exchange.answer.replace("«id»", &exchange.id).as_bytes());
            }
        }
        if era == Era::Modern {
            continue;
        }
        forget(&web);
        let caller = stage.caller(View::Untouched).await;
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        caller.ask("tools/list", "", list).send().await.unwrap().bytes().await;
        let notice = "{ \"method\":\"notifications/vendor\", \"jsonrpc\":\"2.0\",\n\"params\":{\"n\":1.0e+2},\"x\":{}}";
        let got = caller.ask("notifications/vendor", "", notice).send().await.unwrap();
        assert_eq!((got.status.as_u16(), got.bytes().await), (202, Bytes::new()));
        assert!(arrived(&web).iter().any(|came| came.body == notice.as_bytes()), "the notification arrived");
    }
}

#[tokio::test]
async fn a_process_has_no_statuses_so_modern_errors_get_those_of_the_table() {
    let stage = Stage::stdio(Era::Modern, VIEWS[0]).await;
    let caller = stage.caller(View::Untouched).await;
    for (method, asked, status, code) in
        [("tools/call", "nowhere", 400, -32602), ("vendor.example/thing", "", 404, -32601)]
    {
        let mut exchange = call(&mut Pen::new(4, Space::Any), 1, Era::Modern, asked, &[]);
        exchange.request = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":«id»,\"method\":{},\"params\":{{\"name\":«asked»,\"_meta\":{{\
             \"io.modelcontextprotocol/protocolVersion\":\"{MODERN}\",\"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}",
            quoted(method)
        );
        exchange.method = method.into();
        let got = caller.send(&exchange, View::Untouched, &quoted(asked)).await;
        is_message(method, &got, status);
        let body: Value = serde_json::from_slice(&got.bytes().await).unwrap();
        assert_eq!(body["error"]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn headers_that_belong_to_a_modern_message_go_with_it() {
    let web = web(Era::Modern);
    let stage = Stage::http(&web, Era::Modern, VIEWS[0]).await;
    prepare(&web, "tools/call", "", JSON, b"{\"jsonrpc\":\"2.0\",\"id\":\"@id@\",\"result\":{}}");
    for view in stage.views.iter().copied() {
        let caller = stage.caller(view).await;
        for native in ["echo", "näme mit 世界", "=?base64?x?="] {
            let exchange = call(&mut Pen::new(6, Space::Any), 1, Era::Modern, native, &[]);
            let exposed = view.exposed(native, false);
            let asked = quoted(&exposed);
            let body = sides(&exchange, view, &asked).0.fill(&exchange.request);
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let encoded =
                |name: &str| if name.starts_with("=?") { "=?base64?PT9iYXNlNjQ/eD89?=".into() } else { header(name) };
            forget(&web);
            let ask = caller.ask("tools/call", &exposed, body).header("mcp-name", &encoded(&exposed));
            let ask = ask.header("mcp-param-region", "=?base64?w7w=?=").header("traceparent", trace);
            let got = ask.send().await.unwrap();
            is_message(native, &got, 200);
            assert_eq!(
                got.bytes().await.len(),
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}", exchange.id).len()
            );
            let came = arrived(&web).into_iter().find(Arrived::is_ours).unwrap();
            for (name, value) in [
                ("mcp-method", "tools/call"),
                ("mcp-name", &encoded(native)),
                ("mcp-protocol-version", MODERN),
                ("mcp-param-region", "=?base64?w7w=?="),
                ("traceparent", trace),
                ("content-type", JSON),
            ] {
                assert_eq!(came.fields(name), [value], "{view:?} {native} {name}");
            }
        }
    }
}

//! Drives the built `httpd` over HTTP: both eras, both transports, its faults and its records.
//!
//! Never looks inside the program: what a client sees is all there is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use testkit::{
    Httpd,
    protocol::{MODERN, key},
    web::{self, Answer, Stream},
};

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A legacy session with the server.
struct Session<'a> {
    server: &'a Httpd,
    id: String,
}

impl<'a> Session<'a> {
    fn open(server: &'a Httpd, capabilities: Value) -> Self {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {}});
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = web::send("POST", server.url(), &[ACCEPT, JSON], hello.to_string().as_bytes());
        let id = answer.header("mcp-session-id").unwrap_or_default().to_owned();
        Self { server, id }
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        vec![ACCEPT, JSON, ("Mcp-Session-Id", &self.id), ("MCP-Protocol-Version", "2025-11-25")]
    }

    fn post(&self, message: &Value) -> Answer {
        web::send("POST", self.server.url(), &self.headers(), message.to_string().as_bytes())
    }

    fn open_call(&self, params: &Value) -> Stream {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        web::open("POST", self.server.url(), &self.headers(), call.to_string().as_bytes())
    }

    fn call(&self, tool: &str, arguments: Value) -> Answer {
        let params = json!({"name": tool, "arguments": arguments});
        self.post(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
    }
}

fn modern(server: &Httpd, method: &str, params: Value, name: Option<&str>) -> Stream {
    let (message, headers) = modern_parts(method, params, name);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    web::open("POST", server.url(), &headers, message.to_string().as_bytes())
}

fn modern_parts(method: &str, mut params: Value, name: Option<&str>) -> (Value, Vec<(&'static str, String)>) {
    params["_meta"][key::PROTOCOL_VERSION] = json!(MODERN);
    if params["_meta"].get(key::CLIENT_CAPABILITIES).is_none() {
        params["_meta"][key::CLIENT_CAPABILITIES] = json!({});
    }
    let mut headers = vec![(ACCEPT.0, ACCEPT.1.into()), (JSON.0, JSON.1.into())];
    headers.extend([("MCP-Protocol-Version", MODERN.to_owned()), ("Mcp-Method", method.to_owned())]);
    headers.extend(name.map(|name| ("Mcp-Name", name.to_owned())));
    (json!({"jsonrpc": "2.0", "id": "m", "method": method, "params": params}), headers)
}

fn modern_call(server: &Httpd, tool: &str, arguments: Value) -> Answer {
    let (message, headers) = modern_parts("tools/call", json!({"name": tool, "arguments": arguments}), Some(tool));
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    web::send("POST", server.url(), &headers, message.to_string().as_bytes())
}

fn text(message: &Value) -> &str {
    message["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn both_eras_are_served_on_one_url_and_counted() {
    let server = Httpd::start(&[]);
    let session = Session::open(&server, json!({}));
    assert_eq!(text(&session.call("echo", json!({"text": "a \"b\""})).json()), "a \"b\"");
    assert_eq!(text(&modern_call(&server, "echo", json!({"size": 9})).json()).len(), 9);
    assert_eq!(modern_call(&server, "add", json!({"a": 1, "b": 2})).json()["result"]["resultType"], "complete");
    let big = session.call("big", json!({"bytes": 20_000_000}));
    assert_eq!(text(&big.json()).len(), 20_000_000);
    let stats = server.stats();
    assert_eq!((&stats["requests"], &stats["calls"]), (&json!(5), &json!(4)));
    assert_eq!(stats["sessions"], json!({"total": 1, "open": 1, "deleted": 0, "forgotten": 0}));
}

#[test]
fn a_modern_request_whose_headers_disagree_is_refused() {
    let server = Httpd::start(&["--mode", "modern", "--threads", "1"]);
    let (message, _) = modern_parts("tools/list", json!({}), None);
    let bare = web::send("POST", server.url(), &[ACCEPT, JSON], message.to_string().as_bytes());
    assert_eq!((bare.status, &bare.json()["error"]["code"]), (400, &json!(-32020)));
    let mut other = modern(&server, "tools/call", json!({"name": "echo"}), Some("=?base64?YWRk?="));
    assert_eq!((other.status, other.event()), (400, None));
    assert_eq!(modern(&server, "no/such", json!({}), None).status, 404);
    let encoded = modern(&server, "tools/call", json!({"name": "pid"}), Some("=?base64?cGlk?="));
    assert_eq!(encoded.status, 200);
    assert_eq!(web::send("DELETE", server.url(), &[ACCEPT], b"").status, 405);
    let old = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}});
    assert_eq!(web::send("POST", server.url(), &[ACCEPT, JSON], old.to_string().as_bytes()).status, 400);
}

#[test]
fn a_legacy_call_asks_its_client_on_its_own_stream() {
    let server = Httpd::start(&["--mode", "legacy"]);
    let session = Session::open(&server, json!({"elicitation": {}}));
    let mut stream = session.open_call(&json!({"name": "ask"}));
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    let prime = stream.event().unwrap();
    assert!(prime.id.is_some() && prime.data.is_empty(), "{prime:?}");
    let question = stream.event().unwrap().json();
    assert_eq!(question["method"], "elicitation/create");
    let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}});
    assert_eq!(session.post(&said).status, 202);
    assert!(text(&stream.event().unwrap().json()).contains("decline"));
    assert_eq!(stream.event(), None);
}

#[test]
fn a_session_hears_of_changes_on_its_get_stream_until_it_is_deleted() {
    let server = Httpd::start(&[]);
    let session = Session::open(&server, json!({}));
    let mut stream = web::open("GET", server.url(), &session.headers(), b"");
    session.call("toggle", json!({}));
    let event = stream.event().unwrap();
    assert_eq!(event.json()["method"], "notifications/tools/list_changed");
    session.call("toggle", json!({}));
    drop(stream);
    let last = event.id.unwrap();
    let mut headers = session.headers();
    headers.push(("Last-Event-ID", &last));
    let mut again = web::open("GET", server.url(), &headers, b"");
    assert_eq!(again.event().unwrap().json()["method"], "notifications/tools/list_changed");
    assert_eq!(web::send("DELETE", server.url(), &session.headers(), b"").status, 200);
    assert_eq!(again.event(), None);
    assert_eq!(session.call("echo", json!({"text": ""})).status, 404);
}

#[test]
fn a_polled_stream_is_taken_up_where_it_was_left() {
    let server = Httpd::start(&["--sse", "--poll-sse", "10"]);
    let session = Session::open(&server, json!({}));
    let mut stream = session.open_call(&json!({"name": "slow", "arguments": {"ms": 50}}));
    let prime = stream.event().unwrap();
    assert_eq!((prime.retry, stream.event()), (Some(10), None));
    let last = prime.id.unwrap();
    let mut headers = session.headers();
    headers.push(("Last-Event-ID", &last));
    let mut rest = web::open("GET", server.url(), &headers, b"");
    assert_eq!(text(&rest.event().unwrap().json()), "done");
    assert_eq!(rest.event(), None);
}

#[test]
fn a_modern_client_listens_and_its_leaving_cancels() {
    let server = Httpd::start(&["--threads", "1"]);
    let mut stream =
        modern(&server, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}), None);
    let told = stream.event().unwrap().json();
    assert_eq!(told["params"]["_meta"][key::SUBSCRIPTION_ID], "m");
    modern_call(&server, "toggle", json!({}));
    assert_eq!(stream.event().unwrap().json()["method"], "notifications/tools/list_changed");
    let params = json!({"name": "slow", "arguments": {"ms": 60_000, "steps": 60_000}, "_meta": {"progressToken": 1}});
    let mut slow = modern(&server, "tools/call", params, Some("slow"));
    assert_eq!(slow.event().unwrap().json()["method"], "notifications/progress");
    assert_eq!(server.stats()["running"], 1);
    drop((slow, stream));
    // Asked again until it is so: the server notices a closed connection when it next writes or reads.
    let gone = || server.stats()["cancelled"] == 1 && server.stats()["listens"] == 0;
    assert!((0..2000).any(|_| gone()), "{}", server.stats());
}

#[test]
fn the_old_transport_answers_on_its_stream() {
    let server = Httpd::start(&["--transport", "sse", "--mode", "legacy"]);
    let mut stream = web::open("GET", server.url(), &[], b"");
    let endpoint = stream.event().unwrap();
    assert_eq!(endpoint.name.as_deref(), Some("endpoint"));
    let url = server.at(&endpoint.data);
    let post = |message: Value| web::send("POST", &url, &[JSON], message.to_string().as_bytes()).status;
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {"roots": {}}});
    assert_eq!(post(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})), 202);
    assert_eq!(stream.event().unwrap().json()["result"]["protocolVersion"], "2024-11-05");
    post(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "roots"}}));
    let question = stream.event().unwrap().json();
    assert_eq!(question["method"], "roots/list");
    post(json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}}));
    assert_eq!(stream.event().unwrap().json()["id"], 2);
    assert_eq!(web::send("POST", server.url(), &[JSON, ACCEPT], b"{}").status, 405);
}

#[test]
fn what_arrived_is_kept_byte_for_byte_and_what_was_put_is_answered() {
    let server = Httpd::start(&["--record"]);
    let session = Session::open(&server, json!({}));
    let canned = "{\"jsonrpc\":\"2.0\", \"id\":\"@id@\",\n\"result\":{\"n\":1.00}}";
    let url = server.at("/answer?method=tools/call&status=200&piece=7");
    assert_eq!(web::send("PUT", &url, &[JSON, ("X-Answer-X-Odd", "yes")], canned.as_bytes()).status, 204);
    web::send("DELETE", &server.at("/recorded"), &[], b"");
    let body = "{\"jsonrpc\":\"2.0\",\"id\":7e0, \"method\":\"tools/call\",\"params\":{}}";
    let mut headers = session.headers();
    headers.push(("X-Odd-CASE", "a  b"));
    let answer = web::send("POST", server.url(), &headers, body.as_bytes());
    assert_eq!(answer.header("x-odd"), Some("yes"));
    assert_eq!(String::from_utf8(answer.body).unwrap(), canned.replace("\"@id@\"", "7e0"));
    let recorded = server.recorded();
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0]["body"], STANDARD.encode(body));
    let head = STANDARD.decode(recorded[0]["head"].as_str().unwrap()).unwrap();
    assert!(String::from_utf8(head).unwrap().contains("\r\nX-Odd-CASE: a  b\r\n"));
}

#[test]
fn faults_strike_as_often_as_they_are_told_to() {
    let dropping = Httpd::start(&["--drop-connection-every", "2"]);
    let codes: Vec<_> = (0..4).map(|_| modern_call(&dropping, "echo", json!({"text": ""})).status).collect();
    assert_eq!(codes, [200, 0, 200, 0]);
    let failing = Httpd::start(&["--status", "503", "--every", "3"]);
    let codes: Vec<_> = (0..3).map(|_| modern_call(&failing, "echo", json!({"text": ""})).status).collect();
    assert_eq!(codes, [200, 200, 503]);
    let forgetting = Httpd::start(&["--forget-sessions-after", "2"]);
    let session = Session::open(&forgetting, json!({}));
    let codes: Vec<_> = (0..3).map(|_| session.call("echo", json!({"text": ""})).status).collect();
    assert_eq!(codes, [200, 200, 404]);
    let cutting = Httpd::start(&["--cut-body"]);
    let half = modern_call(&cutting, "echo", json!({"size": 1000}));
    let promised: usize = half.header("content-length").unwrap().parse().unwrap();
    assert_eq!(half.body.len(), promised / 2);
}

//! The client against servers that answer by a script, so that every header and every odd answer can be seen.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// A request as it reached the server.
#[derive(Debug, Clone)]
struct Seen {
    head: String,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

type Script = Arc<dyn Fn(&Seen) -> String + Send + Sync>;

/// A server that answers by a script, and remembers what it was asked.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(script: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, script): (Arc<Mutex<Vec<Seen>>>, Script) = (Arc::default(), Arc::new(script));
        let book = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), book.clone()));
            }
        });
        Self { url, seen }
    }

    fn gateway(&self) -> Gateway {
        Gateway::new(&self.url).unwrap()
    }

    fn seen(&self, method: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.method() == method).cloned().collect()
    }
}

async fn serve(stream: TcpStream, script: Script, book: Arc<Mutex<Vec<Seen>>>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap() == 0 {
            return;
        }
    }
    let mut seen = Seen { head, body: Value::Null };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    seen.body = serde_json::from_slice(&body).unwrap_or_default();
    let answer = script(&seen);
    book.lock().unwrap().push(seen);
    stream.write_all(answer.as_bytes()).await.unwrap();
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn json_answer(seen: &Seen, result: Value) -> String {
    let body = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": result });
    http("200 OK", "content-type: application/json\r\n", &body.to_string())
}

fn events(messages: &[Value]) -> String {
    let events: String = messages.iter().map(|message| format!("data: {message}\n\n")).collect();
    http("200 OK", "content-type: text/event-stream; charset=utf-8\r\n", &format!(": hello\n\n{events}"))
}

fn error_answer(seen: &Seen, status: &str, code: i64, data: Value) -> String {
    let error = json!({ "code": code, "message": "no", "data": data });
    let body = json!({ "jsonrpc": "2.0", "id": seen.body["id"], "error": error });
    http(status, "content-type: application/json\r\n", &body.to_string())
}

fn discovered(seen: &Seen) -> String {
    json_answer(seen, json!({ "supportedVersions": [MODERN], "capabilities": { "tools": {} } }))
}

/// A legacy server: knows no `server/discover`, and has a session.
fn legacy(seen: &Seen) -> String {
    match seen.method() {
        "initialize" => {
            let body =
                json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": { "protocolVersion": "2025-06-18" } });
            let headers = "content-type: application/json\r\nmcp-session-id: s1\r\n";
            http("200 OK", headers, &body.to_string())
        }
        method if method.starts_with("notifications/") => http("202 Accepted", "", ""),
        "tools/list" => json_answer(seen, json!({ "tools": [{ "name": "a" }] })),
        _ if seen.head.starts_with("DELETE") => http("204 No Content", "", ""),
        _ if !seen.body["result"].is_null() => http("202 Accepted", "", ""),
        _ => http("400 Bad Request", "content-type: text/plain\r\n", "session id missing"),
    }
}

#[tokio::test]
async fn a_modern_gateway_is_asked_without_a_handshake_and_with_all_headers() {
    let server = Server::start(|seen| match (seen.method(), seen.body["params"]["cursor"].as_str()) {
        ("server/discover", _) => discovered(seen),
        ("tools/list", None) => json_answer(seen, json!({ "tools": [{ "name": "a" }], "nextCursor": "2" })),
        ("tools/list", Some("2")) => json_answer(seen, json!({ "tools": [{ "name": "b" }] })),
        _ => json_answer(seen, json!({ "content": [] })),
    })
    .await;
    let gateway = server.gateway();
    let mut client = Client::open(&gateway, "/mcp").await.unwrap();
    let tools = client.tools().await.unwrap();
    assert_eq!(names(&json!([tools[0]["name"], tools[1]["name"]])).collect::<Vec<_>>(), ["a", "b"]);
    let tool = json!({ "name": "größe", "inputSchema": { "properties": { "r": { "type": "string", "x-mcp-header": "Region" } } } });
    let arguments = exchange::object(json!({ "r": "eu" }));
    client.call(&tool, arguments, &mut |_| {}).await.unwrap();
    client.close().await;
    let call = server.seen("tools/call").remove(0);
    assert!(call.head.starts_with("POST /mcp HTTP/1.1"));
    for (name, value) in [
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "=?base64?Z3LDtsOfZQ==?="),
        ("mcp-param-region", "eu"),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(call.header(name), Some(value));
    }
    let meta = &call.body["params"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], MODERN);
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({}));
    assert_eq!(meta["progressToken"], call.body["id"]);
    assert!(server.seen("initialize").is_empty());
    assert_eq!(server.seen.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_legacy_gateway_is_greeted_used_in_its_session_and_left() {
    let server = Server::start(legacy).await;
    let gateway = server.gateway();
    let mut client = Client::open(&gateway, "/servers/x/mcp").await.unwrap();
    assert_eq!(client.tools().await.unwrap().len(), 1);
    client.close().await;
    let list = server.seen("tools/list").remove(0);
    assert_eq!((list.header("mcp-session-id"), list.header("mcp-protocol-version")), (Some("s1"), Some("2025-06-18")));
    assert_eq!((list.header("mcp-method"), list.body["params"].get("_meta")), (None, None));
    assert_eq!(server.seen("notifications/initialized").len(), 1);
    let last = server.seen.lock().unwrap().last().unwrap().clone();
    assert!(last.head.starts_with("DELETE /servers/x/mcp") && last.header("mcp-session-id") == Some("s1"), "{last:?}");
}

#[tokio::test]
async fn only_what_a_modern_server_never_says_leads_to_a_handshake() {
    let discover = |status: &'static str, code: i64, data: Value| {
        move |seen: &Seen| match seen.method() {
            "server/discover" => error_answer(seen, status, code, data.clone()),
            _ => legacy(seen),
        }
    };
    for (status, code, data, greets) in [
        ("404 Not Found", -32601, Value::Null, true),
        ("400 Bad Request", -32000, Value::Null, true),
        ("200 OK", -32601, Value::Null, true),
        ("400 Bad Request", -32022, json!({ "supported": ["2025-11-25"] }), true),
        ("400 Bad Request", -32022, json!({ "supported": ["2099-01-01"] }), false),
        ("400 Bad Request", -32020, Value::Null, false),
        ("401 Unauthorized", -32000, Value::Null, false),
    ] {
        let server = Server::start(discover(status, code, data)).await;
        let gateway = server.gateway();
        assert_eq!(Client::open(&gateway, "/mcp").await.is_ok(), greets, "{status} {code}");
    }
    let server = Server::start(|_| http("503 Service Unavailable", "", "")).await;
    let gateway = server.gateway();
    let trouble = Client::open(&gateway, "/mcp").await.err();
    assert!(matches!(trouble, Some(Trouble::Refused { status: 503, .. })));
}

#[tokio::test]
async fn a_streamed_answer_tells_its_progress_on_the_way() {
    let server = Server::start(|seen| match seen.method() {
        "server/discover" => discovered(seen),
        _ => {
            let token = &seen.body["params"]["_meta"]["progressToken"];
            let progress = |token: Value, n: u64| {
                json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": n } })
            };
            let id = &seen.body["id"];
            events(&[
                progress(token.clone(), 1),
                progress(json!("another's"), 2),
                json!({ "jsonrpc": "2.0", "id": "another's", "result": {} }),
                progress(token.clone(), 3),
                json!({ "jsonrpc": "2.0", "id": id, "result": { "isError": true } }),
            ])
        }
    })
    .await;
    let gateway = server.gateway();
    let mut client = Client::open(&gateway, "/mcp").await.unwrap();
    let mut told = Vec::new();
    let mut note = |progress: &Value| told.push(progress["progress"].clone());
    let result = client.call(&json!({ "name": "a" }), Object::new(), &mut note).await.unwrap();
    assert_eq!(result["isError"], true);
    assert_eq!(told, [1, 3]);
}

#[tokio::test]
async fn a_legacy_server_that_asks_in_mid_call_is_answered() {
    let server = Server::start(|seen| match seen.method() {
        "tools/call" => events(&[
            json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" }),
            json!({ "jsonrpc": "2.0", "id": "r", "method": "roots/list" }),
            json!({ "jsonrpc": "2.0", "id": seen.body["id"], "result": {} }),
        ]),
        _ if !seen.body["error"].is_null() => http("202 Accepted", "", ""),
        _ => legacy(seen),
    })
    .await;
    let gateway = server.gateway();
    let mut client = Client::open(&gateway, "/mcp").await.unwrap();
    client.call(&json!({ "name": "a" }), Object::new(), &mut |_| {}).await.unwrap();
    let answers: Vec<_> = server.seen("").iter().map(|seen| seen.body.clone()).collect();
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!("p"), &json!({})));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!("r"), &json!(-32601)));
}

#[tokio::test]
async fn an_error_keeps_its_code_and_a_stream_without_an_answer_is_one() {
    let server = Server::start(|seen| match seen.method() {
        "server/discover" => discovered(seen),
        "tools/list" => error_answer(seen, "400 Bad Request", -32602, json!({ "why": "x" })),
        _ => events(&[]),
    })
    .await;
    let gateway = server.gateway();
    let mut client = Client::open(&gateway, "/mcp").await.unwrap();
    let trouble = client.tools().await.unwrap_err();
    assert!(matches!(trouble, Trouble::Error { code: -32602, data, .. } if data["why"] == "x"));
    let trouble = client.call(&json!({ "name": "a" }), Object::new(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Broken(_)), "{trouble}");
}

#[test]
fn endpoints_are_paths_of_names_only() {
    assert_eq!(endpoint(None, None, "mcp").unwrap(), "/mcp");
    assert_eq!(endpoint(Some("a"), None, "ws").unwrap(), "/servers/a/ws");
    assert_eq!(endpoint(None, Some("b"), "mcp").unwrap(), "/v/b/mcp");
    assert!(endpoint(Some("a/../b"), None, "mcp").is_err());
}

//! What clients can do to the gateway by asking much, reading nothing, or holding on: each has a bound, and nobody else
//! notices.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    time::Duration,
};

use e2e::{
    Gateway, Server, Setting,
    http::{Answer, Ask, Session},
    installed,
    spawned::free_port,
    wait,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Httpd;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(120);
const MODERN: &str = "2026-07-28";

fn faulty() -> Server {
    let program = testkit::program("faulty");
    Server::of("faulty", &[program.to_str().expect("test paths are UTF-8")])
}

/// The value of a metric without labels.
async fn metric(gateway: &Gateway, name: &str) -> f64 {
    let text = Ask::get(gateway.address(), "/metrics").send().await.unwrap().bytes().await;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

async fn until_sessions(gateway: &Gateway, wanted: f64) {
    let there = async || (metric(gateway, "hostler_sessions").await == wanted).then_some(());
    wait::until(&format!("there are {wanted} sessions"), PATIENCE, there).await;
}

/// A call that stands alone, on a wire that has no headers.
fn call(id: usize, tool: &str, arguments: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": format!("faulty__{tool}"), "arguments": arguments, "_meta": meta });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

async fn websocket(gateway: &Gateway) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (socket, _) = client_async(format!("ws://{}/ws", gateway.address()), stream).await.unwrap();
    socket
}

/// The event stream of an HTTP+SSE client, and where it posts.
async fn sse(gateway: &Gateway) -> (Answer, String) {
    let mut stream = Ask::get(gateway.address(), "/sse").header("accept", "text/event-stream").send().await.unwrap();
    let first = stream.event().await.unwrap();
    assert_eq!(first.name.as_deref(), Some("endpoint"));
    (stream, first.data)
}

#[tokio::test]
async fn a_client_that_only_listens_keeps_its_session_on_every_transport() {
    let gateway = Setting::of([faulty()]).with("limits", json!({ "session_idle": "10s" })).start().await;
    let open = || Session::open(gateway.address(), "/mcp", "2025-11-25", json!({}));
    let (listening, silent) = (open().await.unwrap(), open().await.unwrap());
    let _stream = listening.stream().send().await.unwrap();
    let (_events, target) = sse(&gateway).await;
    let mut socket = websocket(&gateway).await;
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    // Asking for it would be using it, so the number of sessions tells that the silent one has gone, and only that one.
    until_sessions(&gateway, 3.0).await;
    assert_eq!(silent.ask(&ping).send().await.unwrap().status.as_u16(), 404);
    assert_eq!(listening.ask(&ping).send().await.unwrap().status.as_u16(), 200);
    assert_eq!(Ask::post(gateway.address(), &target, &ping).send().await.unwrap().status.as_u16(), 202);
    assert!(!reading.is_finished(), "the WebSocket connection stands");
    reading.abort();
    until_sessions(&gateway, 2.0).await;
}

#[tokio::test]
async fn an_answer_comes_at_the_pace_of_the_client_that_reads_it() {
    const WHOLE: usize = 300 << 20;
    let web = Httpd::start(&["--threads", "1", "--mode", "modern"]);
    let server = Server::remote("web", web.url(), "http").with("message", json!("1GiB"));
    let gateway = Setting::of([server]).hurried().start().await;
    let arguments = json!({ "name": "big", "arguments": { "bytes": WHOLE } });
    let ask = || Ask::modern(gateway.address(), "/servers/web/mcp", 1, "tools/call", arguments.clone());
    let answered = async || ask().send().await.ok().filter(|answer| answer.status.as_u16() == 200);
    let mut answer = wait::until("the server is there", PATIENCE, answered).await;
    let (mut read, mut most) = (0, 0.0_f64);
    while let Some(piece) = answer.piece().await {
        // Asking in between is what makes this client slow.
        if read >> 20 != (read + piece.len()) >> 20 {
            most = most.max(metric(&gateway, "process_resident_memory_bytes").await);
        }
        read += piece.len();
    }
    assert!(read > WHOLE, "{read}");
    assert!(most < 100e6, "{most} bytes were held for one client");
}

#[tokio::test]
async fn a_server_whose_body_stalls_behind_its_head_is_late_like_one_that_says_nothing() {
    for (mode, options) in [("modern", &["--stall-body"][..]), ("legacy", &["--stall-body", "--chunked"])] {
        let web = Httpd::start(&[&["--threads", "1", "--mode", mode], options].concat());
        let server = Server::remote("web", web.url(), "http").with("call_timeout", json!("1s"));
        let gateway = Setting::of([server]).hurried().start().await;
        let call = json!({ "name": "echo", "arguments": { "text": "stalls" } });
        let answer = if mode == "modern" {
            let ask = Ask::modern(gateway.address(), "/servers/web/mcp", 1, "tools/call", call);
            ask.send().await.unwrap().message().await
        } else {
            let session = Session::open(gateway.address(), "/servers/web/mcp", "2025-11-25", json!({})).await.unwrap();
            session.call(1, "tools/call", call).await.unwrap()
        };
        assert_eq!(answer["error"]["data"]["kind"], "timeout", "{mode}: {answer:#}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("call_timeout"), "{mode}: {answer:#}");
    }
}

#[tokio::test]
async fn a_large_answer_that_stalls_half_way_is_broken_off_so_that_its_caller_is_free() {
    let web = Httpd::start(&["--threads", "1", "--mode", "modern", "--stall-body"]);
    let server = Server::remote("web", web.url(), "http").with("call_timeout", json!("1s"));
    let gateway = Setting::of([server]).hurried().start().await;
    let call = json!({ "name": "echo", "arguments": { "size": 300_000 } });
    let ask = Ask::modern(gateway.address(), "/servers/web/mcp", 1, "tools/call", call);
    let read = ask.send().await.unwrap().bytes_before_it_breaks().await;
    assert!(read.is_some_and(|read| (100_000..300_000).contains(&read)), "{read:?}");
    let free = async || (metric(&gateway, "hostler_calls_in_flight").await == 0.0).then_some(());
    wait::until("nothing is held for it any more", PATIENCE, free).await;
}

#[tokio::test]
async fn a_websocket_client_that_reads_nothing_is_still_heard() {
    let gateway = Setting::of([faulty()]).start().await;
    let socket = websocket(&gateway).await;
    let (mut sink, unread) = socket.split();
    until_sessions(&gateway, 1.0).await;
    // Far more than the system keeps for a connection.
    for id in 0..40 {
        let message = Message::text(call(id, "big", json!({ "bytes": 1 << 20 })).to_string());
        timeout(PATIENCE, sink.send(message)).await.expect("it is read").unwrap();
    }
    let stuck = async || (metric(&gateway, "hostler_calls_in_flight").await == 0.0).then_some(());
    wait::until("every call has its answer, which waits to be read", PATIENCE, stuck).await;
    timeout(PATIENCE, sink.send(Message::Close(None))).await.expect("it is read").unwrap();
    until_sessions(&gateway, 0.0).await;
    drop(unread);
}

#[tokio::test]
async fn an_http_and_sse_client_that_asks_and_does_not_read_is_told_so() {
    let gateway = Setting::of([faulty()]).with("limits", json!({ "session_calls": 8 })).start().await;
    let (mut stream, target) = sse(&gateway).await;
    let message = call(1, "big", json!({ "bytes": 1 << 20 }));
    let refused = async || {
        let answer = Ask::post(gateway.address(), &target, &message).send().await.unwrap();
        (answer.status.as_u16() != 202).then_some(answer)
    };
    let answer = wait::until("what waits for a client that does not read has a bound", PATIENCE, refused).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.message().await["error"]["data"]["kind"], "overloaded");
    // It begins to read, and is welcome again.
    let again = json!({ "jsonrpc": "2.0", "id": "again", "method": "initialize", "params": {
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "e2e", "version": "1" } } });
    let mut asked = false;
    loop {
        let event = stream.event().await.expect("the stream stands");
        let message: Value = serde_json::from_str(&event.data).unwrap();
        if message["id"] == "again" {
            break;
        }
        if !asked {
            asked = Ask::post(gateway.address(), &target, &again).send().await.unwrap().status.as_u16() == 202;
        }
    }
}

#[tokio::test]
async fn large_requests_share_what_may_be_held_and_small_ones_do_not_notice() {
    let limits = json!({ "body": "8MiB", "held": "16MiB" });
    let gateway = Setting::of([faulty()]).with("limits", limits).start().await;
    let ask = |tool: &str, size: usize| {
        let arguments = json!({ "name": tool, "arguments": { "text": "x".repeat(size) } });
        Ask::modern(gateway.address(), "/mcp", 1, "tools/call", arguments)
    };
    let large: Vec<_> = (0..2).map(|_| tokio::spawn(ask("faulty__hang", 7 << 20).send())).collect();
    let in_flight = async || (metric(&gateway, "hostler_calls_in_flight").await == 2.0).then_some(());
    wait::until("two large calls hang", PATIENCE, in_flight).await;
    let (refused, small) = tokio::join!(ask("faulty__echo", 7 << 20).send(), ask("faulty__echo", 1000).send());
    let refused = refused.unwrap();
    assert_eq!(refused.status.as_u16(), 503);
    let refusal = refused.message().await;
    assert!(refusal["error"]["message"].as_str().unwrap().contains("limits.held"), "{refusal:#}");
    assert_eq!(small.unwrap().status.as_u16(), 200);
    for call in large {
        call.abort();
    }
    let answer = ask("faulty__echo", 7 << 20).send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "there is room again");
}

/// What the gateway answers to bytes that no client library would send, until it closes the connection.
async fn answer_to(gateway: &Gateway, head: &str, more: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    let mut answer = Vec::new();
    let reading = async {
        let _ = from.read_to_end(&mut answer).await;
    };
    let writing = async {
        while to.write_all(more).await.is_ok() {}
        std::future::pending().await
    };
    let both = async {
        tokio::select! { () = reading => {}, () = writing => {} }
    };
    timeout(PATIENCE, both).await.expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_goes_on_sending_what_is_refused_still_hears_why() {
    let limits = json!({ "headers": "16KiB", "body": "1MiB" });
    let gateway = Setting::of([faulty()]).with("limits", limits).hurried().start().await;
    let post = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let field = [b"X-Flood: ", &[b'x'; 5000][..], b"\r\n"].concat();
    let junk = vec![b' '; 64 << 10];
    for (what, head, more, status) in [
        ("header fields without end", post.to_owned(), &field, "431"),
        ("one header field without end", format!("{post}X-Flood: "), &junk, "431"),
        ("a path without end", "GET /".to_owned(), &vec![b'x'; 5000], "431"),
        ("no HTTP", "HELLO\r\n\r\n".to_owned(), &junk, "400"),
        ("a chunk without a size", format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), &junk, "400"),
        ("a chunk that does not end", format!("{post}Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef"), &junk, "400"),
        ("a body that is too large", format!("{post}Content-Length: 99999999\r\n\r\n"), &junk, "413"),
        ("chunks that are too large", format!("{post}Transfer-Encoding: chunked\r\n\r\n500000\r\n"), &junk, "413"),
        (
            "another host",
            format!("{}Content-Length: 9999999\r\n\r\n", post.replace("localhost", "x.example")),
            &junk,
            "403",
        ),
    ] {
        let answer = answer_to(&gateway, &head, more).await;
        let first = answer.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer:?}");
    }
}

/// A gateway of one thread under limits of files as a shell sets them; its log is the file `log` in the folder.
async fn limited(ulimit: &str, servers: Value) -> (TempDir, Child, SocketAddr) {
    let (folder, address) = (tempfile::tempdir().unwrap(), SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
    let state = folder.path().join("state");
    let config = json!({ "listen": address.to_string(), "threads": 1, "state_dir": state, "servers": servers });
    std::fs::write(folder.path().join("hostler.yaml"), config.to_string()).unwrap();
    let mut gateway = Command::new("sh");
    let script = format!("{ulimit} && exec \"$0\" serve --config hostler.yaml 2> log");
    gateway.arg("-c").arg(script).arg(installed::hostler()).current_dir(folder.path());
    let gateway = gateway.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    wait::until("it is ready", PATIENCE, async || ready(address).await).await;
    (folder, gateway, address)
}

async fn ready(address: SocketAddr) -> Option<()> {
    Ask::get(address, "/ready").send().await.is_ok_and(|answer| answer.status.is_success()).then_some(())
}

#[tokio::test]
async fn connections_that_cannot_be_accepted_wait_and_are_told_once_in_a_while() {
    let (folder, _gateway, address) = limited("ulimit -n 64", json!({})).await;
    let logged = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(logged().contains("fewer files may be open"), "{}", logged());
    let told = || logged().lines().filter(|line| line.contains("cannot be accepted")).count();
    let (mut held, start) = (Vec::new(), Instant::now());
    let twice = async || {
        held.push(TcpStream::connect(address).await.unwrap());
        (told() >= 2).then_some(())
    };
    wait::until("it is told again", PATIENCE, twice).await;
    let most = usize::try_from(start.elapsed().as_secs() / 5 + 2).unwrap();
    assert!(told() <= most, "{}", logged());
    let times = |line: &str| line.split("times=").nth(1)?.split(' ').next()?.parse::<u32>().ok();
    let second = logged().lines().filter(|line| line.contains("cannot be accepted")).nth(1).and_then(times);
    assert!(second > Some(1), "{}", logged());
    held.clear();
    wait::until("it serves again", PATIENCE, async || ready(address).await).await;
}

/// How many files a process may have open, by the soft limit.
fn files_of(process: u64) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn hostler_has_as_many_files_as_it_can_and_its_servers_as_many_as_they_had() {
    let program = testkit::program("faulty");
    let servers = json!({ "faulty": { "command": program } });
    let (_folder, gateway, address) = limited("ulimit -Sn 300 && ulimit -Hn 900", servers).await;
    assert_eq!(files_of(gateway.id().unwrap().into()), 900);
    let instance = async || {
        let told = Ask::get(address, "/api/v1/servers/faulty").send().await.unwrap().message().await;
        told["instances"][0]["pid"].as_u64()
    };
    let server = wait::until("the server runs", PATIENCE, instance).await;
    assert_eq!(files_of(server), 300);
}

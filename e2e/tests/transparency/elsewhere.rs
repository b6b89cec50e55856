//! What passes beside calls over Streamable HTTP: other transports, batches, what servers say and ask, compressed answers.
//!
//! Never allows for anything but the documented splices.

use std::io::Read as _;

use e2e::http::{Answer, Ask, Session};
use flate2::read::GzDecoder;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{
    EVENTS, JSON,
    generate::{Pen, Space},
    large,
    message::{Era, Exchange, LEGACY, MARK, call, generated, quoted},
    passing::event,
    recorded,
    stage::{
        Arrived, Stage, VIEWS, View, arrived, by_uri, events, forget, is_message, is_stream, prepare, same, sides,
    },
    web,
};

/// Generated messages for each transport, era and view.
const SOME: usize = 40;

#[tokio::test]
async fn parameters_and_meta_that_are_null_pass_as_they_are() {
    let web = web(Era::Legacy);
    let stage = Stage::http(&web, Era::Legacy, VIEWS[0]).await;
    let caller = stage.caller(View::Untouched).await;
    let answer = r#"{"result":{"_meta": null,"prompts":[]},"jsonrpc":"2.0","id":"@id@"}"#;
    prepare(&web, "prompts/list", "", JSON, answer.as_bytes());
    prepare(&web, "tools/call", "", JSON, answer.as_bytes());
    for (method, params) in [
        ("prompts/list", json!(null)),
        ("prompts/list", json!({ "_meta": null })),
        ("tools/call", json!({ "name": "echo", "_meta": null, "arguments": null })),
    ] {
        forget(&web);
        let sent = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"n\",\"method\":\"{method}\",\"params\":{params} ,{MARK}:\"null\"}}"
        );
        let got = caller.ask(method, "", sent.clone()).send().await.unwrap();
        is_message(&sent, &got, 200);
        same(&sent, &got.bytes().await, answer.replace("@id@", "n").as_bytes());
        let came = arrived(&web).into_iter().find(Arrived::is_ours).expect("the request arrived");
        same("the server", &came.body, sent.as_bytes());
    }
}

/// A client whose messages share one connection.
enum Wire {
    WebSocket(Box<WebSocketStream<TcpStream>>),
    /// The event stream, and a POST to where it said.
    Sse(Box<(Answer, Ask)>),
}

impl Wire {
    async fn open(word: &str, stage: &Stage, view: View) -> Self {
        let (address, path) = (stage.gateway.address(), view.offer(word));
        let mut wire = if word == "ws" {
            let stream = TcpStream::connect(address).await.unwrap();
            Self::WebSocket(Box::new(client_async(format!("ws://{address}{path}"), stream).await.unwrap().0))
        } else {
            let mut stream = Ask::get(address, &path).header("accept", EVENTS).send().await.unwrap();
            let target = stream.event().await.expect("where to post").data;
            Self::Sse(Box::new((stream, Ask::post(address, &target, &Value::Null))))
        };
        if stage.era == Era::Legacy {
            let info = json!({ "name": "a", "version": "1" });
            let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info });
            let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
            wire.send(&hello.to_string()).await;
            assert!(wire.next().await.contains("\"protocolVersion\""));
        }
        wire
    }

    async fn send(&mut self, message: &str) {
        match self {
            Self::WebSocket(socket) => socket.send(Message::text(message)).await.unwrap(),
            Self::Sse(client) => {
                let answer = client.1.clone().body(message.to_owned()).send().await.unwrap();
                assert_eq!(answer.status.as_u16(), 202);
            }
        }
    }

    async fn next(&mut self) -> String {
        match self {
            Self::WebSocket(socket) => loop {
                match socket.next().await.expect("the connection stands").unwrap() {
                    Message::Text(text) => return text.to_string(),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            },
            Self::Sse(client) => client.0.event().await.expect("the stream stands").data,
        }
    }
}

/// Exchanges with a server on HTTP over a shared connection: each message is compared on both sides.
async fn over_wire(word: &str, era: Era) {
    for views in VIEWS {
        let web = web(era);
        let stage = Stage::http(&web, era, views).await;
        for (nth, view) in stage.views.iter().copied().enumerate() {
            let mut wire = Wire::open(word, &stage, view).await;
            for n in 0..SOME {
                // An event stream ends lines at carriage returns.
                let streams = n % 4 == 3;
                let space = if word == "sse" || streams { Space::NoReturns } else { Space::Any };
                let seed = 400 + nth as u64;
                let exchange = generated(seed, n, era, space, view == View::Untouched);
                let what = format!("{word} {era:?} {view:?} {n}: {}", exchange.method);
                let exposed = view.exposed(&exchange.native, by_uri(&exchange));
                let asked = Pen::new(seed + n as u64, space).spelled(&exposed);
                let (client, server) = sides(&exchange, view, &asked);
                forget(&web);
                let mut wanted = vec![client.fill(&exchange.answer)];
                if streams {
                    let notice = exchange.notice.as_deref();
                    wanted.splice(0..0, notice.map(|notice| client.fill(notice)));
                    let said = notice.map(|notice| event(&server.fill(notice))).unwrap_or_default();
                    let said = said + &event(&server.fill(&exchange.answer));
                    prepare(&web, &exchange.method, "", EVENTS, said.as_bytes());
                } else {
                    let answer = server.fill(&exchange.answer.replace("«id»", "\"@id@\""));
                    prepare(&web, &exchange.method, "", JSON, answer.as_bytes());
                }
                wire.send(&client.fill(&exchange.request)).await;
                for wanted in wanted {
                    same(&what, wire.next().await.as_bytes(), wanted.as_bytes());
                }
                let came = arrived(&web).into_iter().find(Arrived::is_ours).expect("the request arrived");
                same(&what, &came.body, server.fill(&exchange.request).as_bytes());
            }
        }
    }
}

#[tokio::test]
async fn messages_pass_unchanged_over_a_websocket() {
    over_wire("ws", Era::Legacy).await;
    over_wire("ws", Era::Modern).await;
}

#[tokio::test]
async fn messages_pass_unchanged_over_http_and_sse() {
    over_wire("sse", Era::Legacy).await;
    over_wire("sse", Era::Modern).await;
}

#[tokio::test]
async fn the_messages_of_a_batch_pass_unchanged_and_so_do_their_answers() {
    let web = web(Era::Legacy);
    let stage = Stage::http(&web, Era::Legacy, VIEWS[0]).await;
    for view in stage.views.iter().copied() {
        let session = Session::open(stage.gateway.address(), &view.path(), "2025-03-26", json!({})).await.unwrap();
        forget(&web);
        // One answer for all, since a server answers by method.
        let template = recorded::of(Era::Legacy).swap_remove(2).answer;
        let (mut sent, mut wanted, mut heard) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..20 {
            let mut pen = Pen::new(900 + n as u64, Space::Any);
            let exchange = call(&mut pen, n, Era::Legacy, "echo", &[]);
            let asked = pen.spelled(&view.exposed("echo", false));
            let (client, server) = sides(&exchange, view, &asked);
            prepare(&web, "tools/call", "", JSON, server.fill(&template.replace("«id»", "\"@id@\"")).as_bytes());
            sent.push(client.fill(&exchange.request));
            wanted.push(server.fill(&exchange.request).into_bytes());
            heard.push(client.fill(&template));
        }
        let batch = format!(" [\n{} ]\r\n", sent.join(" ,\t"));
        let got = session.ask(&Value::Null).body(batch).send().await.unwrap();
        let what = format!("{view:?}");
        is_message(&what, &got, 200);
        same(&what, &got.bytes().await, format!("[{}]", heard.join(",")).as_bytes());
        let mut came: Vec<_> = arrived(&web).into_iter().filter(Arrived::is_ours).map(|came| came.body).collect();
        // They travel at the same time.
        came.sort();
        wanted.sort();
        assert_eq!(came.len(), wanted.len(), "{what}");
        came.iter().zip(&wanted).for_each(|(came, wanted)| same(&what, came, wanted));
    }
}

/// A call in whose stream the server says something first: the call, the name in it, the stream, and what the client
/// must hear before the answer.
fn saying(era: Era, view: View, said: &str) -> (Exchange, String, String, String) {
    let exchange = call(&mut Pen::new(5, Space::Any), 1, era, "echo", &[]);
    let asked = quoted(&view.exposed("echo", false));
    let (client, server) = sides(&exchange, view, &asked);
    let answer = "{\"jsonrpc\":\"2.0\",\"id\":«id»,\"result\":{\"content\":[]}}";
    let stream = event(&server.fill(said)) + &event(&server.fill(answer));
    let wanted = client.fill(said);
    (exchange, asked, stream, wanted)
}

#[tokio::test]
async fn what_a_server_says_during_a_call_passes_but_for_the_uris_of_resources() {
    let said = [
        r#"{ "params":{"uri" : «uri:1»,"x":1.0e+2,"\u0061":{"uri":"file:///x"}},"jsonrpc":"2.0","method":"notifications\/resources\/updated"}"#,
        r#"{"method":"notifications/message","params":{"level":"info","data":{"uri":"file:///x","n":18446744073709551616}, "logger":"\ud83d\ude00"},"jsonrpc":"2.0"}"#,
        r#"{"method":"notifications/vendor.example","params":{"name":"\u0065cho","uri":"a:b"},"jsonrpc":"2.0","x":null}"#,
    ];
    for era in [Era::Legacy, Era::Modern] {
        let web = web(era);
        let stage = Stage::http(&web, era, VIEWS[0]).await;
        for view in stage.views.iter().copied() {
            let caller = stage.caller(view).await;
            for said in said {
                let (exchange, asked, stream, wanted) = saying(era, view, said);
                prepare(&web, "tools/call", "&piece=9", EVENTS, stream.as_bytes());
                let got = caller.send(&exchange, view, &asked).await;
                let what = format!("{era:?} {view:?} {said}");
                is_stream(&what, &got);
                let told: Vec<_> = events(got).await.into_iter().filter(|event| !event.data.is_empty()).collect();
                assert_eq!(told.len(), 2, "{what}: {told:?}");
                same(&what, told[0].data.as_bytes(), wanted.as_bytes());
            }
        }
    }
}

#[tokio::test]
async fn what_a_server_asks_of_a_client_and_what_it_is_answered_passes_but_for_the_id() {
    let web = web(Era::Legacy);
    let stage = Stage::http(&web, Era::Legacy, VIEWS[0]).await;
    for view in stage.views.iter().copied() {
        let caller = stage.caller(view).await;
        for (n, id) in ["7", r#""\u0061 \/é""#, "9007199254740993"].into_iter().enumerate() {
            let said = |id: &str| {
                format!(
                    r#"{{ "method":"sampling/createMessage","id" : {id},"jsonrpc":"2.0","params":{{"messages":[{{"uri":"file:///x","n":1.0e+2}}],"x-{n}":{{}}}}}}"#
                )
            };
            let (exchange, asked, stream, _) = saying(Era::Legacy, view, &said(id));
            prepare(&web, "tools/call", "", EVENTS, stream.as_bytes());
            let got = caller.send(&exchange, view, &asked).await;
            let what = format!("{view:?} {id}");
            is_stream(&what, &got);
            let told: Vec<_> = events(got).await.into_iter().filter(|event| !event.data.is_empty()).collect();
            let asked: Value = serde_json::from_str(&told[0].data).unwrap();
            let number = asked["id"].as_u64().expect("a number of the gateway's").to_string();
            same(&what, told[0].data.as_bytes(), said(&number).as_bytes());
            let reply = |id: &str| {
                format!(
                    "{{\"result\":{{\"model\":\"\\u0061\",\"n\":1E2}}, \"id\" :{id},\n\"jsonrpc\":\"2.0\",{MARK}:\"r\"}}"
                )
            };
            forget(&web);
            let got = caller.ask("", "", reply(&number)).send().await.unwrap();
            assert_eq!(got.status.as_u16(), 202, "{what}");
            let came = arrived(&web).into_iter().find(Arrived::is_ours).expect("the reply arrived");
            same(&what, &came.body, reply(id).as_bytes());
        }
    }
}

#[tokio::test]
async fn a_compressed_answer_is_the_same_once_it_is_unpacked() {
    for era in [Era::Legacy, Era::Modern] {
        let web = web(era);
        let stage = Stage::http(&web, era, VIEWS[0]).await;
        // One is looked at by the gateway, one streams through it.
        for size in [3_000, 300_000] {
            let exchange = large(era, "echo", &quoted(&"é 世界 \u{0} \"".repeat(size / 10)));
            for piece in ["", "&piece=777"] {
                prepare(&web, "tools/call", piece, JSON, exchange.answer.replace("«id»", "\"@id@\"").as_bytes());
                for view in stage.views.iter().copied() {
                    let what = format!("{era:?} {view:?} {size}{piece}");
                    let exposed = view.exposed("echo", false);
                    let asked = quoted(&exposed);
                    let client = sides(&exchange, view, &asked).0;
                    let ask = stage.caller(view).await.ask("tools/call", &exposed, client.fill(&exchange.request));
                    let got = ask.header("accept-encoding", "gzip").send().await.unwrap();
                    is_message(&what, &got, 200);
                    assert_eq!(got.header("content-encoding"), "gzip", "{what}");
                    let mut plain = Vec::new();
                    GzDecoder::new(&got.bytes().await[..]).read_to_end(&mut plain).unwrap();
                    same(&what, &plain, client.fill(&exchange.answer).as_bytes());
                }
            }
        }
    }
}

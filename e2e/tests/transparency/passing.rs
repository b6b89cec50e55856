//! Many exchanges, one after the other, through every view of a gateway.
//!
//! Never allows for anything but the documented splices.

use serde_json::Value;
use testkit::Httpd;

use crate::{
    EVENTS, JSON,
    generate::{Pen, Space},
    message::{Era, Exchange, Fill, MARK, call, generated, quoted, result},
    recorded,
    stage::{
        Arrived, Caller, Stage, VIEWS, View, arrived, by_uri, events, forget, is_message, is_stream, lone, prepare,
        same, sides,
    },
    web,
};

/// Generated messages for each server, era and view.
pub const MANY: usize = 200;

/// A message as one event of a stream.
pub fn event(message: &str) -> String {
    let lines = message.split('\n').map(|line| format!("data: {line}\n"));
    format!("event: message\n{}\n", lines.collect::<String>())
}

/// Lets one exchange happen and compares the answer; returns what the server must have been sent.
async fn through(web: &Httpd, caller: &Caller, view: View, exchange: &Exchange, what: &str, pen: &mut Pen) -> String {
    let asked = pen.spelled(&view.exposed(&exchange.native, by_uri(exchange)));
    let (client, server) = sides(exchange, view, &asked);
    let answer = exchange.answer.replace("«id»", "\"@id@\"");
    let (sent, heard) = (server.fill(&answer).replace("\"@id@\"", &exchange.id), client.fill(&exchange.answer));
    let stream = pen.space == Space::NoReturns;
    if stream {
        let notice = exchange.notice.as_deref().map(|notice| event(&server.fill(notice))).unwrap_or_default();
        prepare(web, &exchange.method, "&piece=11", EVENTS, format!(": hello\n\n{notice}{}", event(&sent)).as_bytes());
    } else {
        let piece = if pen.dice.one_in(2) { "&piece=7" } else { "" };
        prepare(web, &exchange.method, piece, JSON, server.fill(&answer).as_bytes());
    }
    let got = caller.send(exchange, view, &asked).await;
    if got.header("content-type") == EVENTS {
        assert!(stream, "{what}");
        is_stream(what, &got);
        let told: Vec<_> = events(got).await.into_iter().filter(|event| !event.data.is_empty()).collect();
        let wanted: Vec<_> = exchange.notice.iter().map(|notice| client.fill(notice)).chain([heard]).collect();
        assert_eq!(told.len(), wanted.len(), "{what}: {told:?}");
        for (event, wanted) in told.iter().zip(wanted) {
            same(what, event.data.as_bytes(), wanted.as_bytes());
        }
    } else {
        assert!(!stream || exchange.notice.is_none(), "{what}: the notice was lost");
        is_message(what, &got, 200);
        same(what, &got.bytes().await, heard.as_bytes());
    }
    server.fill(&exchange.request)
}

/// Recorded and generated exchanges with a server on HTTP, in every view: each message is compared on both sides.
pub async fn over_http(era: Era) {
    for views in VIEWS {
        let web = web(era);
        let stage = Stage::http(&web, era, views).await;
        for (nth, view) in stage.views.iter().copied().enumerate() {
            let caller = stage.caller(view).await;
            forget(&web);
            let mut wanted = Vec::new();
            for (n, exchange) in recorded::of(era).iter_mut().enumerate() {
                // A recorded message has no mark of its own; one more member is as good as any.
                exchange.request.insert_str(1, &format!("{MARK}:\"r-{n}\","));
                let what = format!("{era:?} {view:?} recorded {n}");
                let mut pen = Pen::new(n as u64, Space::Any);
                wanted.push(through(&web, &caller, view, exchange, &what, &mut pen).await);
            }
            for n in 0..MANY {
                let seed = nth as u64 * 7 + u64::from(era == Era::Modern) * 31 + views.len() as u64;
                let space = if n % 4 == 3 { Space::NoReturns } else { Space::Any };
                let exchange = generated(seed, n, era, space, view == View::Untouched);
                let what = format!("{era:?} {view:?} generated {n} of {seed}: {}", exchange.method);
                let mut pen = Pen::new(seed + n as u64, space);
                wanted.push(through(&web, &caller, view, &exchange, &what, &mut pen).await);
            }
            let got: Vec<_> = arrived(&web).into_iter().filter(Arrived::is_ours).collect();
            assert_eq!(got.len(), wanted.len(), "{era:?} {view:?}: each message arrives once");
            for (n, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                same(&format!("{era:?} {view:?} request {n}"), &got.body, wanted.as_bytes());
            }
        }
    }
}

/// The exchange's request as a server on standard streams has it, given the number that stands for its id and token.
fn line(exchange: &Exchange, view: View, asked: &str, number: &str) -> String {
    let native = quoted(&exchange.native);
    let asked = if view.uri_prefix().is_some() { &native } else { asked };
    let fill = Fill { id: number, asked: asked.into(), token: number, uri_prefix: None };
    fill.fill(&exchange.request).replace(['\n', '\r'], " ")
}

/// Calls the tool that answers with the line as it came.
pub async fn raw(caller: &Caller, view: View, exchange: &Exchange, what: &str, pen: &mut Pen) {
    let asked = pen.spelled(&view.exposed("raw", false));
    let got = caller.send(exchange, view, &asked).await;
    let got = lone(what, got).await;
    let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{", exchange.id);
    same(what, &got[..head.len().min(got.len())], head.as_bytes());
    let answer: Value = serde_json::from_slice(&got).unwrap();
    let came = answer["result"]["content"][0]["text"].as_str().unwrap();
    let number = serde_json::from_str::<Value>(came).unwrap()["id"].as_u64().expect("a number of the gateway's");
    same(what, came.as_bytes(), line(exchange, view, &asked, &number.to_string()).as_bytes());
}

/// Calls the tool that answers with the result it is given.
async fn reply(caller: &Caller, view: View, era: Era, n: usize, what: &str, pen: &mut Pen) {
    let mut other = Pen::new(n as u64 + 77, Space::NoBreaks);
    other.wild = true;
    let template = result(&mut other, "tools/call");
    let there = Fill { id: "", asked: "".into(), token: "", uri_prefix: None }.fill(&template);
    let exchange = call(pen, n, era, "reply", &[("result", &quoted(&there))]);
    let asked = pen.spelled(&view.exposed("reply", false));
    let here = sides(&exchange, view, &asked).0.fill(&template);
    let got = caller.send(&exchange, view, &asked).await;
    let wanted = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{here}}}", exchange.id);
    same(what, &lone(what, got).await, wanted.as_bytes());
}

/// The same with a process: its tools tell what arrived, and answer what they are told.
pub async fn over_stdio(era: Era) {
    for views in VIEWS {
        let stage = Stage::stdio(era, views).await;
        for view in stage.views.iter().copied() {
            let caller = stage.caller(view).await;
            for (n, exchange) in recorded::of(era).iter_mut().filter(|e| e.method == "tools/call").enumerate() {
                exchange.native = "raw".into();
                let what = format!("{era:?} {view:?} recorded {n}");
                raw(&caller, view, exchange, &what, &mut Pen::new(n as u64, Space::Any)).await;
            }
            for n in 0..MANY {
                let mut pen = Pen::new(n as u64 + views.len() as u64 * 1000, Space::Any);
                let exchange = call(&mut pen, n, era, "raw", &[]);
                raw(&caller, view, &exchange, &format!("{era:?} {view:?} raw {n}"), &mut pen).await;
                reply(&caller, view, era, n, &format!("{era:?} {view:?} reply {n}"), &mut pen).await;
            }
        }
    }
}

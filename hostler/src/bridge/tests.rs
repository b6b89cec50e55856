//! The bridge between a client and a gateway that comes and goes by the test's word, on paused time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, DuplexStream, Lines as TokioLines},
    sync::mpsc::{Receiver, channel},
    task::JoinHandle,
};
use tokio_tungstenite::{accept_async, client_async};

use super::*;

/// A client, a bridge, and a gateway that is there when the test lets it.
struct Scene {
    /// To the bridge's standard input; dropped to end it.
    input: Option<DuplexStream>,
    output: TokioLines<BufReader<DuplexStream>>,
    /// Attempts to connect, one by one; each waits for the test's word.
    dials: Receiver<tokio::sync::oneshot::Sender<bool>>,
    arrivals: Receiver<DuplexStream>,
    bridge: JoinHandle<()>,
}

type Gateway = WebSocketStream<DuplexStream>;

impl Scene {
    fn new() -> Self {
        let (input, reader) = tokio::io::duplex(1 << 20);
        let (writer, output) = tokio::io::duplex(1 << 20);
        let (asking, dials) = channel(1);
        let (arriving, arrivals) = channel(1);
        let dial: Dial = Arc::new(move || {
            let (asking, arriving) = (asking.clone(), arriving.clone());
            Box::pin(async move {
                let (word, answer) = tokio::sync::oneshot::channel();
                asking.send(word).await.map_err(|_| "the test is over")?;
                if !answer.await.unwrap_or(false) {
                    return Err("connection refused".to_owned());
                }
                let (near, far) = tokio::io::duplex(1 << 20);
                arriving.send(far).await.unwrap();
                let near: Box<dyn Socket> = Box::new(near);
                client_async("ws://gateway/ws", near).await.map(|(socket, _)| socket).map_err(|e| e.to_string())
            })
        });
        let bridge = tokio::spawn(run(Box::new(reader), Box::new(writer), dial, "http://gateway", |_| {}));
        Self { input: Some(input), output: BufReader::new(output).lines(), dials, arrivals, bridge }
    }

    /// Lets the next attempt succeed.
    async fn accept(&mut self) -> Gateway {
        self.dials.recv().await.unwrap().send(true).unwrap();
        accept_async(self.arrivals.recv().await.unwrap()).await.unwrap()
    }

    /// Lets the next attempt fail.
    async fn refuse(&mut self) {
        self.dials.recv().await.unwrap().send(false).unwrap();
    }

    async fn say(&mut self, line: &str) {
        self.input.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.output.next_line().await.unwrap().expect("an answer")).unwrap()
    }

    /// Ends standard input and waits for the bridge; what it wrote till then.
    async fn end(mut self) -> Vec<String> {
        drop(self.input.take());
        self.bridge.await.unwrap();
        let mut rest = Vec::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            rest.push(line);
        }
        rest
    }
}

/// The next text frame.
async fn frame_of(gateway: &mut Gateway) -> Value {
    loop {
        if let Message::Text(text) = gateway.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn tell(gateway: &mut Gateway, message: Value) {
    gateway.send(Message::text(message.to_string())).await.unwrap();
}

fn request(id: impl Into<Value>, method: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method }).to_string()
}

/// A client that has shaken hands over a first connection.
async fn greeted() -> (Scene, Gateway) {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    scene
        .say(
            &json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "capabilities": {} } }).to_string(),
        )
        .await;
    assert_eq!(frame_of(&mut gateway).await["method"], "initialize");
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": 0, "result": { "n": 1 } })).await;
    assert_eq!(scene.hear().await["result"]["n"], 1);
    scene.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    assert_eq!(frame_of(&mut gateway).await["method"], "notifications/initialized");
    (scene, gateway)
}

#[tokio::test(start_paused = true)]
async fn lines_become_frames_and_frames_become_lines() {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    let odd = r#"{"jsonrpc":"2.0","id":"a","method":"x","params":{"big":9007199254740993,"é":"\u0001"}}"#;
    scene.say(odd).await;
    let Message::Text(text) = gateway.next().await.unwrap().unwrap() else { panic!("no text") };
    assert_eq!(text.as_str(), odd);
    gateway.send(Message::text("{\"jsonrpc\":\"2.0\",\n\"id\":\"a\",\r\n\"result\":{}}")).await.unwrap();
    let line = scene.output.next_line().await.unwrap().unwrap();
    assert_eq!(line.replace(' ', ""), r#"{"jsonrpc":"2.0","id":"a","result":{}}"#);
    assert_eq!(scene.end().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_goes_to_the_gateway_and_what_is_no_text_does_not() {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    scene.say("{ not json").await;
    let Message::Text(text) = gateway.next().await.unwrap().unwrap() else { panic!("no text") };
    assert_eq!(text.as_str(), "{ not json");
    scene.input.as_mut().unwrap().write_all(b"{\"a\":\"\xff\"}\n").await.unwrap();
    assert_eq!(scene.hear().await["error"]["code"], -32700);
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_answered_when_the_gateway_is_lost() {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    scene.say(&request("one", "tools/list")).await;
    frame_of(&mut gateway).await;
    drop(gateway);
    let answer = scene.hear().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("one"), &json!(-32603)));
    // Modern: nothing to repeat, the next request goes out as it is.
    let mut gateway = scene.accept().await;
    scene.say(&request(2, "tools/list")).await;
    assert_eq!(frame_of(&mut gateway).await["id"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_greeted_anew_and_only_then_used() {
    let (mut scene, gateway) = greeted().await;
    drop(gateway);
    let mut gateway = scene.accept().await;
    scene.say(&request(1, "tools/list")).await;
    let again = frame_of(&mut gateway).await;
    assert_eq!(again["method"], "initialize");
    assert_ne!(again["id"], 0);
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": again["id"], "result": { "n": 2 } })).await;
    assert_eq!(frame_of(&mut gateway).await["method"], "notifications/initialized");
    assert_eq!(frame_of(&mut gateway).await["id"], 1);
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).await;
    // The second greeting's answer was not handed on: this is the next line.
    assert_eq!(scene.hear().await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_greeting_is_a_lost_connection_and_tried_again() {
    let (mut scene, gateway) = greeted().await;
    drop(gateway);
    let mut gateway = scene.accept().await;
    let id = frame_of(&mut gateway).await["id"].take();
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32603, "message": "no" } })).await;
    let mut gateway = scene.accept().await;
    assert_eq!(frame_of(&mut gateway).await["method"], "initialize");
    // A gateway that does not answer the greeting is given up as well.
    let mut gateway = scene.accept().await;
    assert_eq!(frame_of(&mut gateway).await["method"], "initialize");
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_was_not_answered_is_sent_again() {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    scene.say(&request(0, "initialize")).await;
    frame_of(&mut gateway).await;
    drop(gateway);
    let mut gateway = scene.accept().await;
    assert_eq!(frame_of(&mut gateway).await["id"], 0);
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": 0, "result": {} })).await;
    assert_eq!(scene.hear().await["id"], 0);
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_a_gateway_that_comes_in_time() {
    let mut scene = Scene::new();
    scene.say(&request(1, "server/discover")).await;
    for _ in 0..3 {
        scene.refuse().await;
    }
    let mut gateway = scene.accept().await;
    assert_eq!(frame_of(&mut gateway).await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_gateway_requests_are_answered_after_a_while_and_attempts_go_on() {
    let mut scene = Scene::new();
    let begun = Instant::now();
    scene.say(&request(1, "initialize")).await;
    scene.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    while begun.elapsed() < PATIENCE {
        scene.refuse().await;
    }
    let answer = scene.hear().await;
    assert_eq!(answer["id"], 1);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("http://gateway") && message.contains("connection refused"), "{message}");
    // From now on at once.
    scene.say(&format!("[{},{}]", request(2, "ping"), request(3, "ping"))).await;
    assert_eq!([scene.hear().await["id"].take(), scene.hear().await["id"].take()], [2, 3]);
    let mut gateway = scene.accept().await;
    scene.say(&request(4, "ping")).await;
    assert_eq!(frame_of(&mut gateway).await["id"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_without_a_gateway_ends_the_bridge() {
    let scene = Scene::new();
    assert_eq!(scene.end().await, Vec::<String>::new());
    let mut scene = Scene::new();
    scene.say(&request(1, "ping")).await;
    drop(scene.input.take());
    let Scene { dials, bridge, .. } = &mut scene;
    loop {
        tokio::select! {
            Some(word) = dials.recv() => word.send(false).unwrap(),
            _ = &mut *bridge => break,
        }
    }
    assert_eq!(scene.hear().await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_answers_are_waited_for_but_not_for_ever() {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    scene.say(&request(1, "tools/list")).await;
    scene.say(&request(2, "subscriptions/listen")).await;
    drop(scene.input.take());
    frame_of(&mut gateway).await;
    frame_of(&mut gateway).await;
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).await;
    assert_eq!(scene.hear().await["id"], 1);
    let begun = Instant::now();
    let closing = tokio::spawn(async move { while let Some(Ok(_)) = gateway.next().await {} });
    scene.bridge.await.unwrap();
    closing.await.unwrap();
    assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_old_gateway_is_not_given_to_the_new_one() {
    let (mut scene, mut gateway) = greeted().await;
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": 5, "method": "roots/list" })).await;
    assert_eq!(scene.hear().await["method"], "roots/list");
    drop(gateway);
    let mut gateway = scene.accept().await;
    let id = frame_of(&mut gateway).await["id"].take();
    tell(&mut gateway, json!({ "jsonrpc": "2.0", "id": id, "result": {} })).await;
    frame_of(&mut gateway).await;
    scene.say(r#"{"jsonrpc":"2.0","id":5,"result":{"roots":[]}}"#).await;
    scene.say(&request(6, "ping")).await;
    assert_eq!(frame_of(&mut gateway).await["id"], 6);
}

#[tokio::test(start_paused = true)]
async fn a_silent_gateway_is_given_up() {
    let mut scene = Scene::new();
    let mut gateway = scene.accept().await;
    scene.say(&request(1, "ping")).await;
    frame_of(&mut gateway).await;
    assert_eq!(scene.hear().await["error"]["code"], -32603);
    scene.accept().await;
    drop(gateway);
}

#[tokio::test(start_paused = true)]
async fn large_messages_pass_both_ways_at_once() {
    let mut scene = Scene::new();
    let gateway = scene.accept().await;
    let large = "x".repeat(8 << 20);
    let message = json!({ "jsonrpc": "2.0", "method": "n", "params": { "x": large } }).to_string();
    // Neither side reads before it has sent all of its own.
    let (mut sink, mut frames) = gateway.split();
    let mut input = scene.input.take().unwrap();
    let (there, back) = (message.clone(), message.clone());
    let gateway = tokio::spawn(async move {
        sink.send(Message::text(back)).await.unwrap();
        frames.next().await.unwrap().unwrap().len()
    });
    let client = tokio::spawn(async move {
        input.write_all(there.as_bytes()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
        input
    });
    assert_eq!(scene.output.next_line().await.unwrap().unwrap().len(), message.len());
    assert_eq!(gateway.await.unwrap(), message.len());
    scene.input = Some(client.await.unwrap());
}

//! What is heard of a modern server on its one stream, whatever it refuses: on paused time, with the server inside the
//! test.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use ground::{Kind, ServerName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream},
    time::{sleep, timeout},
};
use upstream::{
    Fleet, Link, PeerId, Pool, Want,
    spec::{Bounds, Builtin, Isolation, Origin, Spec},
};
use wire::era::Era;

/// The resources of every stream that the server was asked for, and whether it opened it.
type Asked = Arc<Mutex<Vec<(BTreeSet<String>, bool)>>>;

struct Bench {
    link: Arc<Link>,
    asked: Asked,
    _fleet: Arc<Fleet>,
    _state: tempfile::TempDir,
}

impl Bench {
    async fn new(offers: Offers) -> Self {
        let state = tempfile::tempdir().unwrap();
        let asked = Asked::default();
        let seen = asked.clone();
        let start = move || {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(serve(ours, offers, seen.clone()));
            theirs
        };
        let spec = Spec {
            name: ServerName::new("heard").unwrap(),
            origin: Origin::Builtin(Builtin { name: "modern", start: Arc::new(start) }),
            isolation: Isolation::Shared,
            bounds: Bounds::default(),
        };
        let memories = store::Memories::open(state.path()).unwrap();
        let fleet = Fleet::new(tokio::runtime::Handle::current(), memories);
        fleet.apply(&[Arc::new(spec)]);
        let server = fleet.get("heard").unwrap();
        let link = server.link(&Pool::new(), &Want::own(Era::Modern)).await.unwrap();
        Self { link, asked, _fleet: fleet, _state: state }
    }

    async fn subscribe(&self, uri: &str) -> Result<bool, Kind> {
        let subscribed = self.link.subscribe(PeerId::fresh(), &uri.into());
        subscribed.is_heard(Duration::from_secs(60)).await.map_err(|failure| failure.kind())
    }

    /// Waits until the newest open stream is for these resources.
    async fn until_heard(&self, uris: &[&str]) {
        let wanted: BTreeSet<String> = uris.iter().map(ToString::to_string).collect();
        let heard = || {
            let asked = self.asked.lock().unwrap();
            asked.iter().rfind(|(_, opened)| *opened).is_some_and(|(heard, _)| *heard == wanted)
        };
        let until = async {
            while !heard() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(Duration::from_secs(600), until).await.is_ok(), "{:?}", self.asked.lock().unwrap());
    }
}

/// Whether the server has subscriptions at all.
#[derive(Clone, Copy, PartialEq)]
enum Offers {
    Subscriptions,
    None,
}

/// A modern server with subscriptions to everything but what is called `bogus`.
async fn serve(stream: DuplexStream, offers: Offers, asked: Asked) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let Some(id) = message.get("id") else { continue };
        let error =
            |code: i64, text: &str| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } });
        let answer = match message["method"].as_str().unwrap_or_default() {
            "server/discover" => {
                let info = json!({ "io.modelcontextprotocol/serverInfo": { "name": "modern", "version": "1" } });
                let found = json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0,
                    "capabilities": { "resources": { "subscribe": true } }, "cacheScope": "private", "_meta": info });
                json!({ "jsonrpc": "2.0", "id": id, "result": found })
            }
            "subscriptions/listen" if offers == Offers::Subscriptions => {
                let filter = &message["params"]["notifications"];
                let uris = filter["resourceSubscriptions"].as_array().cloned().unwrap_or_default();
                let uris: BTreeSet<_> = uris.iter().map(|uri| uri.as_str().unwrap().to_owned()).collect();
                let refused = uris.iter().any(|uri| uri.contains("bogus"));
                asked.lock().unwrap().push((uris, !refused));
                let params =
                    json!({ "_meta": { "io.modelcontextprotocol/subscriptionId": id }, "notifications": filter });
                let method = "notifications/subscriptions/acknowledged";
                match refused {
                    true => error(-32602, "no such resource"),
                    false => json!({ "jsonrpc": "2.0", "method": method, "params": params }),
                }
            }
            method => error(-32601, &format!("Method not found: {method}")),
        };
        if writer.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_resource_is_told_to_its_subscriber_alone_and_the_rest_is_heard() {
    let bench = Bench::new(Offers::Subscriptions).await;
    assert_eq!(bench.subscribe("r://good").await, Ok(true));
    // At the same time, so that they are asked for together.
    let told = tokio::join!(
        bench.subscribe("r://a"),
        bench.subscribe("r://bogus/1"),
        bench.subscribe("r://b"),
        bench.subscribe("r://bogus/2"),
        bench.subscribe("r://c"),
    );
    let refused = Err(Kind::InvalidParams);
    assert_eq!(told, (Ok(true), refused, Ok(true), refused, Ok(true)));
    bench.until_heard(&["r://a", "r://b", "r://c", "r://good"]).await;
    assert_eq!(bench.subscribe("r://later").await, Ok(true));
    let asked = bench.asked.lock().unwrap();
    assert!(!asked.last().unwrap().0.contains("r://bogus/1"), "it is not wanted any more: {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_any_more_is_not_listened_to() {
    let bench = Bench::new(Offers::Subscriptions).await;
    let (one, two) = (PeerId::fresh(), PeerId::fresh());
    for (peer, uri) in [(one, "r://a"), (one, "r://b"), (two, "r://b"), (two, "r://c")] {
        bench.link.subscribe(peer, &uri.into());
    }
    bench.until_heard(&["r://a", "r://b", "r://c"]).await;
    bench.link.detach(one);
    bench.until_heard(&["r://b", "r://c"]).await;
    assert!(bench.link.unsubscribe(two, "r://c"), "nobody else wants it");
    bench.until_heard(&["r://b"]).await;
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_told_of_a_server_without_subscriptions() {
    let bench = Bench::new(Offers::None).await;
    assert_eq!(bench.subscribe("r://a").await, Err(Kind::MethodNotFound));
    assert_eq!(bench.subscribe("r://b").await, Err(Kind::MethodNotFound));
}

//! Who keeps an instance, and who gives way: on paused time, with a legacy server inside the test.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use ground::{Failure, Kind, ServerName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream},
    time::{Instant, sleep, timeout},
};
use upstream::{
    Fleet, Introduction, Link, Message, Peer, PeerId, Pool, Server, Want,
    spec::{Bounds, Builtin, Isolation, Origin, Spec},
};
use wire::era::Era;

/// A fleet of one server that counts its living copies, each of which takes a while to answer its handshake.
struct Bench {
    fleet: Arc<Fleet>,
    pool: Arc<Pool>,
    living: Arc<AtomicUsize>,
    _state: tempfile::TempDir,
}

impl Bench {
    async fn new(bounds: Bounds, slowness: Duration) -> Self {
        let state = tempfile::tempdir().unwrap();
        let living = Arc::new(AtomicUsize::new(0));
        let count = living.clone();
        let start = move || {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(copy(ours, count.clone(), slowness));
            theirs
        };
        let spec = Spec {
            name: ServerName::new("kept").unwrap(),
            origin: Origin::Builtin(Builtin { name: "copy", start: Arc::new(start) }),
            isolation: Isolation::Session,
            bounds,
        };
        let memories = store::Memories::open(state.path()).unwrap();
        let fleet = Fleet::new(tokio::runtime::Handle::current(), memories);
        fleet.apply(&[Arc::new(spec)]);
        let bench = Self { fleet, pool: Pool::new(), living, _state: state };
        // The one that is always kept.
        bench.until(1).await;
        bench
    }

    fn server(&self) -> Arc<Server> {
        self.fleet.get("kept").unwrap()
    }

    async fn link(&self, client: &Client) -> Result<Arc<Link>, Failure> {
        self.server().link(&self.pool, &client.want()).await
    }

    async fn until(&self, living: usize) {
        let reached = async {
            while self.living.load(Ordering::SeqCst) != living {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let now = || self.living.load(Ordering::SeqCst);
        assert!(timeout(Duration::from_secs(3600), reached).await.is_ok(), "{} instances, not {living}", now());
    }
}

/// One copy of the server: speaks a legacy revision only, offers nothing, lives as long as somebody holds it.
async fn copy(stream: DuplexStream, living: Arc<AtomicUsize>, slowness: Duration) {
    living.fetch_add(1, Ordering::SeqCst);
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let Some(id) = message.get("id") else { continue };
        let answer = if message["method"] == "initialize" {
            sleep(slowness).await;
            let greeting = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                "serverInfo": { "name": "copy", "version": "1" } });
            json!({ "jsonrpc": "2.0", "id": id, "result": greeting })
        } else {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "Method not found" } })
        };
        if writer.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            break;
        }
    }
    living.fetch_sub(1, Ordering::SeqCst);
}

/// A client's session, heard of when the test says so.
struct Client {
    id: PeerId,
    born: Instant,
    heard: AtomicU64,
}

impl Client {
    fn new() -> Arc<Self> {
        Arc::new(Self { id: PeerId::fresh(), born: Instant::now(), heard: AtomicU64::new(0) })
    }

    fn want(&self) -> Want {
        let params = Bytes::from_static(
            br#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#,
        );
        let introduction = Introduction { profile: 7, own: params.clone(), shared: params };
        Want { era: Era::Legacy, introduction: Arc::new(introduction), session: Some(self.id), alone: false }
    }

    fn hear(&self) {
        self.heard.store(self.born.elapsed().as_secs(), Ordering::SeqCst);
    }

    fn holds(self: &Arc<Self>, link: &Arc<Link>) {
        let peer: Arc<dyn Peer> = self.clone();
        link.attach(&peer);
    }
}

impl Peer for Client {
    fn id(&self) -> PeerId {
        self.id
    }

    fn idle(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_secs(self.heard.load(Ordering::SeqCst)))
    }

    fn deliver(&self, _: &Arc<Link>, _: Message) {}

    fn lost(&self, _: &Arc<Link>) {}
}

#[tokio::test(start_paused = true)]
async fn the_instance_of_a_silent_session_is_stopped_and_that_of_a_live_one_is_kept() {
    let bench = Bench::new(Bounds { idle: Duration::from_secs(120), ..Bounds::default() }, Duration::ZERO).await;
    let (silent, live) = (Client::new(), Client::new());
    for client in [&silent, &live] {
        client.holds(&bench.link(client).await.unwrap());
    }
    bench.until(3).await;
    for _ in 0..30 {
        sleep(Duration::from_secs(10)).await;
        live.hear();
    }
    assert_eq!(bench.living.load(Ordering::SeqCst), 2, "the kept one and the live session's");
    assert!(bench.server().open_link(&live.want()).is_some());
    assert!(bench.server().open_link(&silent.want()).is_none());
    bench.link(&silent).await.unwrap();
    bench.until(3).await;
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_the_longest_idle_instance_gives_way_and_none_that_is_in_use() {
    let bench = Bench::new(Bounds { instances: 3, ..Bounds::default() }, Duration::ZERO).await;
    let (first, second, third) = (Client::new(), Client::new(), Client::new());
    first.holds(&bench.link(&first).await.unwrap());
    sleep(Duration::from_secs(30)).await;
    second.holds(&bench.link(&second).await.unwrap());
    let refused = bench.link(&third).await.err().expect("all instances are in use");
    assert_eq!(refused.kind(), Kind::Overloaded);
    sleep(Duration::from_secs(40)).await;
    second.hear();
    third.holds(&bench.link(&third).await.unwrap());
    bench.until(3).await;
    assert!(bench.server().open_link(&first.want()).is_none(), "it was idle for longest");
    assert!(bench.server().open_link(&second.want()).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_starts_for_a_session_that_ended_meanwhile_does_not_stay() {
    let bench = Bench::new(Bounds::default(), Duration::from_secs(5)).await;
    let client = Client::new();
    let given_up = timeout(Duration::from_secs(1), bench.link(&client)).await;
    assert!(given_up.is_err(), "it takes longer than that");
    bench.until(2).await;
    bench.server().release(client.id);
    bench.until(1).await;
    assert!(bench.server().open_link(&client.want()).is_none());
}

#[tokio::test(start_paused = true)]
async fn doors_that_led_nowhere_do_not_count_as_instances() {
    let bench = Bench::new(Bounds { instances: 2, ..Bounds::default() }, Duration::ZERO).await;
    let modern = Want { era: Era::Modern, ..Client::new().want() };
    assert_eq!(bench.server().link(&bench.pool, &modern).await.err().unwrap().kind(), Kind::UnsupportedVersion);
    assert!(bench.link(&Client::new()).await.is_ok(), "one is kept, and one is free");
}

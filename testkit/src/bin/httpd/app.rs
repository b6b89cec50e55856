//! What all threads share: the offer, the sessions, the subscriptions, the counters.
//!
//! The way of an echo touches two counters and one short lock, no more: this server is a yardstick.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use testkit::{offer::Offer, protocol::key, tools};

use crate::{body::Log, options::Options, record::Recorder, session::Session};

/// Sessions kept; the next one is refused.
pub const MOST_SESSIONS: usize = 200_000;

/// Everything.
pub struct App {
    pub options: Options,
    pub offer: Offer,
    pub counts: Counts,
    pub recorder: Recorder,
    /// Requests that a fault could have struck.
    pub struck: AtomicU64,
    /// Whether the tool that comes and goes is there.
    pub extra: AtomicBool,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    listens: Mutex<HashMap<u64, Listen>>,
    numbers: AtomicU64,
}

/// A modern subscription.
pub struct Listen {
    pub id: Value,
    pub filter: Value,
    pub log: Arc<Log>,
}

/// What was counted since the start.
#[derive(Default)]
pub struct Counts {
    /// Requests of every kind at the MCP endpoint.
    pub requests: AtomicU64,
    /// `tools/call` among them.
    pub calls: AtomicU64,
    /// Notifications and responses of clients.
    pub notices: AtomicU64,
    /// Connections that carried at least one request to the MCP endpoint.
    pub connections: AtomicU64,
    /// Those that are still open.
    pub open_connections: AtomicU64,
    /// Legacy sessions made.
    pub sessions: AtomicU64,
    /// Sessions ended by DELETE.
    pub deleted: AtomicU64,
    /// Sessions forgotten on purpose.
    pub forgotten: AtomicU64,
    /// GET streams opened, or opened again.
    pub streams: AtomicU64,
    /// Streams taken up again by `Last-Event-ID`.
    pub resumed: AtomicU64,
    /// Calls in flight.
    pub running: AtomicU64,
    /// Calls that were given up before they were answered.
    pub cancelled: AtomicU64,
    /// Faults struck.
    pub faults: AtomicU64,
}

impl App {
    pub fn new(options: Options) -> Self {
        let offer = Offer {
            name: options.name.clone(),
            mode: options.mode,
            pages: options.list_pages,
            many_tools: options.many_tools,
            own_tools: own_tools(),
        };
        Self {
            options,
            offer,
            counts: Counts::default(),
            recorder: Recorder::default(),
            struck: AtomicU64::new(0),
            extra: AtomicBool::new(false),
            sessions: Mutex::default(),
            listens: Mutex::default(),
            numbers: AtomicU64::new(1),
        }
    }

    /// A number that no stream and no session of this process has had.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    pub fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn listens(&self) -> MutexGuard<'_, HashMap<u64, Listen>> {
        self.listens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of that id. Forgets it when it was used as often as the options allow.
    pub fn session(&self, id: &str) -> Option<Arc<Session>> {
        let mut sessions = self.sessions();
        let session = sessions.get(id)?;
        if let Some(limit) = self.options.forget_sessions_after
            && session.uses.fetch_add(1, Relaxed) >= limit
        {
            self.counts.forgotten.fetch_add(1, Relaxed);
            sessions.remove(id);
            return None;
        }
        Some(Arc::clone(session))
    }

    /// Sends a notification to every legacy session that `legacy` picks and every subscription that `modern` picks.
    pub fn tell(
        &self,
        method: &str,
        params: &Value,
        legacy: impl Fn(&Session) -> bool,
        modern: impl Fn(&Value) -> bool,
    ) {
        let message = testkit::protocol::notification(method, params);
        for session in self.sessions().values().filter(|session| legacy(session)) {
            session.stream.push(&message);
        }
        for listen in self.listens().values().filter(|listen| modern(&listen.filter)) {
            let mut params = params.clone();
            params["_meta"] = json!({ key::SUBSCRIPTION_ID: listen.id });
            listen.log.push(&testkit::protocol::notification(method, &params));
        }
    }

    /// The answer to `GET /stats`.
    pub fn stats(&self) -> Value {
        let counts = &self.counts;
        let of = |count: &AtomicU64| count.load(Relaxed);
        json!({
            "requests": of(&counts.requests),
            "calls": of(&counts.calls),
            "notices": of(&counts.notices),
            "connections": {"total": of(&counts.connections), "open": of(&counts.open_connections)},
            "sessions": {
                "total": of(&counts.sessions),
                "open": self.sessions().len(),
                "deleted": of(&counts.deleted),
                "forgotten": of(&counts.forgotten)
            },
            "streams": {"total": of(&counts.streams), "resumed": of(&counts.resumed)},
            "listens": self.listens().len(),
            "running": of(&counts.running),
            "cancelled": of(&counts.cancelled),
            "faults": of(&counts.faults)
        })
    }
}

/// Counts a call from its beginning to its answer, or to its being dropped without one.
pub struct InFlight {
    app: Arc<App>,
    answered: bool,
}

impl InFlight {
    pub fn new(app: &Arc<App>) -> Self {
        app.counts.running.fetch_add(1, Relaxed);
        Self { app: Arc::clone(app), answered: false }
    }

    pub fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.app.counts.running.fetch_sub(1, Relaxed);
        if !self.answered {
            self.app.counts.cancelled.fetch_add(1, Relaxed);
        }
    }
}

/// Tools that only a server over HTTP has.
fn own_tools() -> Vec<Value> {
    let mut regional =
        tools::tool("regional", "Answers with its region.", json!({"region": {"type": "string"}}), json!([]));
    regional["inputSchema"]["properties"]["region"]["x-mcp-header"] = json!("Region");
    vec![
        tools::tool("crash", "Exits in mid-call.", json!({}), json!([])),
        tools::tool("hang", "Never answers.", json!({}), json!([])),
        regional,
    ]
}

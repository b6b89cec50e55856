//! Who is told of changes, in either era, and what a legacy session keeps for it.
//!
//! Never waits for a client: one that has gone is forgotten when it is told next.
#![allow(deprecated, reason = "log levels are what the legacy suite looks at")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use rmcp::{
    RoleServer,
    model::{LoggingLevel, ResourceUpdatedNotificationParam},
    service::{Peer, SubscriptionSink},
};
use serde_json::Value;

/// What changed.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    Tools,
    Prompts,
    Resources,
    /// The resource with this URI.
    Resource(&'a str),
}

/// Lists that really change when it is said that they did: each has one entry more, or has not.
#[derive(Default)]
pub struct Toggles {
    pub tool: AtomicBool,
    pub prompt: AtomicBool,
    pub resource: AtomicBool,
}

impl Toggles {
    /// Adds the entry, or takes it away again.
    pub fn turn(&self, change: Change<'_>) {
        let toggle = match change {
            Change::Tools => &self.tool,
            Change::Prompts => &self.prompt,
            Change::Resources => &self.resource,
            Change::Resource(_) => return,
        };
        toggle.fetch_not(Ordering::Relaxed);
    }
}

/// A list, with one entry more while the toggle is on.
pub fn with(mut list: Vec<Value>, toggle: &AtomicBool, extra: Value) -> Vec<Value> {
    list.extend(toggle.load(Ordering::Relaxed).then_some(extra));
    list
}

/// What a legacy session keeps between its requests.
#[derive(Default)]
pub struct Session {
    peer: OnceLock<Peer<RoleServer>>,
    uris: Mutex<BTreeSet<String>>,
    level: Mutex<Option<LoggingLevel>>,
}

impl Session {
    /// The least level the client wants to be told of.
    pub fn set_level(&self, level: LoggingLevel) {
        *held(&self.level) = Some(level);
    }

    /// True when the client wants to be told of this level.
    pub fn wants(&self, level: LoggingLevel) -> bool {
        held(&self.level).is_none_or(|least| rank(level) >= rank(least))
    }

    /// The client wants to be told of this resource.
    pub fn watch(&self, uri: &str) {
        held(&self.uris).insert(uri.to_owned());
    }

    /// The client wants to be told of this resource no more.
    pub fn forget(&self, uri: &str) {
        held(&self.uris).remove(uri);
    }

    /// Nothing when the client has gone.
    async fn tell(&self, change: Change<'_>) -> Option<()> {
        let peer = self.peer.get()?;
        match change {
            Change::Tools => peer.notify_tool_list_changed().await.ok(),
            Change::Prompts => peer.notify_prompt_list_changed().await.ok(),
            Change::Resources => peer.notify_resource_list_changed().await.ok(),
            Change::Resource(uri) if held(&self.uris).contains(uri) => {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.ok()
            }
            Change::Resource(_) => Some(()),
        }
    }
}

/// The order of the levels, which the SDK's type does not have.
pub fn rank(level: LoggingLevel) -> u8 {
    level as u8
}

/// All who are told of changes.
#[derive(Default)]
pub struct Watchers {
    sessions: Mutex<Vec<Weak<Session>>>,
    listening: Mutex<(u64, BTreeMap<u64, SubscriptionSink>)>,
}

impl Watchers {
    /// A legacy session began.
    pub fn joined(&self, session: &Arc<Session>, peer: Peer<RoleServer>) {
        if session.peer.set(peer).is_ok() {
            let mut sessions = held(&self.sessions);
            sessions.retain(|session| session.strong_count() > 0);
            sessions.push(Arc::downgrade(session));
        }
    }

    /// A modern client listens; the key is for [`left`](Self::left).
    pub fn listens(&self, sink: SubscriptionSink) -> u64 {
        let mut listening = held(&self.listening);
        listening.0 += 1;
        let key = listening.0;
        listening.1.insert(key, sink);
        key
    }

    /// A modern client listens no more.
    pub fn left(&self, key: u64) {
        held(&self.listening).1.remove(&key);
    }

    /// Tells all who asked for it.
    pub async fn tell(&self, change: Change<'_>) {
        let sinks: Vec<SubscriptionSink> = held(&self.listening).1.values().cloned().collect();
        for sink in sinks {
            // What a client did not ask for is an error here, and no news to it.
            let _ = match change {
                Change::Tools => sink.notify_tool_list_changed().await,
                Change::Prompts => sink.notify_prompt_list_changed().await,
                Change::Resources => sink.notify_resource_list_changed().await,
                Change::Resource(uri) => sink.notify_resource_updated(uri).await,
            };
        }
        let sessions: Vec<Arc<Session>> = held(&self.sessions).iter().filter_map(Weak::upgrade).collect();
        for session in sessions {
            let _ = session.tell(change).await;
        }
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

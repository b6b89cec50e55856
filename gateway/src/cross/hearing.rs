//! Those who listen at a guest. One task for each guest keeps it at its server while anybody does, and subscribed to what
//! they want: whoever opens or closes a stream, or makes a call, only says what is wanted.
//!
//! Never ends a listener: whoever holds its place does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use ground::Kind;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use upstream::{Link, Message, Server};
use wire::{
    Splice,
    bridge::{self, Filter},
};

use super::{
    guest::{Guest, QUEUE},
    subscribing::{Came, Step, Subscribing},
};
use crate::{gateway::Lane, restore};

/// A lost session is opened anew, and what failed said again, no more often than this.
const AGAIN: Duration = Duration::from_secs(1);
/// Subscriptions on their way to one server.
const AT_ONCE: usize = 16;

/// The listeners of one guest.
#[derive(Default)]
pub struct Hearing {
    state: Mutex<State>,
    /// Rung for the task when more or less is wanted.
    wanted: Notify,
    /// Told to the listeners when the server has answered.
    answered: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    subscribing: Subscribing,
    listeners: Vec<Arc<Listener>>,
    /// The task is there.
    attended: bool,
    next: u64,
}

struct Listener {
    number: u64,
    filter: Filter,
    /// The raw id of its `subscriptions/listen`.
    id: Bytes,
    to: mpsc::Sender<Bytes>,
}

impl Hearing {
    /// Whether anybody listens.
    pub fn is_wanted(&self) -> bool {
        !self.state.lock().listeners.is_empty()
    }

    /// Hands a notification to those who want it.
    pub fn deliver(&self, from: &Link, message: &Message) {
        for listener in &self.state.lock().listeners {
            if listener.filter.wants(&message.body, &message.envelope) {
                let mut splice = Splice::new(message.body.clone());
                bridge::modern_notification(&mut splice, &message.envelope, &listener.id);
                if listener.to.try_send(splice.into_bytes()).is_err() {
                    tracing::debug!(server = %from.server(), "a listener reads too slowly; a notification was dropped");
                }
            }
        }
    }

    fn next(&self) -> Option<Step> {
        self.state.lock().subscribing.next()
    }

    fn came(&self, step: Step, came: Came) {
        self.state.lock().subscribing.came(step, came);
        self.answered.send_replace(());
    }

    /// Gives the attendance back if nobody listens any more. True when it was given back.
    fn retire(&self) -> bool {
        let mut state = self.state.lock();
        state.attended = !state.listeners.is_empty();
        !state.attended
    }
}

/// A listener's place at a guest, given back when dropped.
pub struct Listen {
    guest: Arc<Guest>,
    listener: Arc<Listener>,
}

impl Listen {
    /// Adds a listener under the raw id of its request. What it hears carries that id.
    #[must_use]
    pub fn at(guest: &Arc<Guest>, lane: &Lane, filter: Filter, id: Bytes) -> (Self, mpsc::Receiver<Bytes>) {
        let (to, from) = mpsc::channel(QUEUE);
        let mut state = guest.hearing.state.lock();
        state.next += 1;
        let listener = Arc::new(Listener { number: state.next, filter, id, to });
        state.subscribing.widen(&listener.filter);
        state.listeners.push(listener.clone());
        let attended = std::mem::replace(&mut state.attended, true);
        drop(state);
        if !attended {
            tokio::spawn(attend(guest.clone(), lane.clone()));
        }
        guest.hearing.wanted.notify_one();
        (Self { guest: guest.clone(), listener }, from)
    }

    /// Where it listens.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        self.guest.server()
    }

    /// Waits until the server has answered for all resources, but not for long. Returns those that it refused.
    pub async fn refused(&self, patience: Duration) -> BTreeSet<String> {
        let (hearing, uris) = (&self.guest.hearing, &self.listener.filter.uris);
        let mut answered = hearing.answered.subscribe();
        let _ = timeout(patience, answered.wait_for(|()| hearing.state.lock().subscribing.is_settled(uris))).await;
        let state = hearing.state.lock();
        uris.iter().filter(|uri| state.subscribing.is_refused(uri)).cloned().collect()
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        let mut state = self.guest.hearing.state.lock();
        state.listeners.retain(|listener| listener.number != self.listener.number);
        state.subscribing.narrow(&self.listener.filter);
        drop(state);
        self.guest.hearing.wanted.notify_one();
        self.guest.touch();
    }
}

/// Keeps a guest at its server for as long as anybody listens.
async fn attend(guest: Arc<Guest>, lane: Lane) {
    let mut pace = interval(AGAIN);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !guest.hearing.retire() {
        pace.tick().await;
        match guest.link(&lane).await {
            Ok(link) => stay(&guest, &lane, &link).await,
            Err(failure) => tracing::debug!(%failure, "listening to a server broke off"),
        }
    }
}

/// Says what is to be said on one link, until it ends or nobody listens.
async fn stay(guest: &Guest, lane: &Lane, link: &Arc<Link>) {
    let (hearing, closing) = (&guest.hearing, link.closing());
    hearing.state.lock().subscribing.afresh();
    let mut saying = FuturesUnordered::new();
    loop {
        while saying.len() < AT_ONCE
            && let Some(step) = hearing.next()
        {
            saying.push(async move {
                let came = say(guest.server(), lane, link, &step).await;
                (step, came)
            });
        }
        if saying.is_empty() && !hearing.is_wanted() {
            return;
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = hearing.wanted.notified() => {}
            Some((step, came)) = saying.next() => hearing.came(step, came),
        }
    }
}

async fn say(server: &Server, lane: &Lane, link: &Arc<Link>, step: &Step) -> Came {
    let (method, uri) = match step {
        Step::Subscribe(uri) => ("resources/subscribe", uri),
        Step::Unsubscribe(uri) => ("resources/unsubscribe", uri),
    };
    let Err(failure) = restore::subscribe(lane, server, link, method, uri).await else { return Came::Done };
    tracing::debug!(%failure, uri, "a resource of a server is not heard");
    if matches!(failure.kind(), Kind::InvalidParams | Kind::Timeout) {
        return Came::Refused;
    }
    sleep(AGAIN).await;
    Came::Failed
}

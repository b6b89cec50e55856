//! What is heard of a modern server unasked: one `subscriptions/listen` for the changes of its lists and for the resources
//! that legacy sessions subscribed to, widened and narrowed as they come and go.
//!
//! Follows the subscriptions page of revision 2026-07-28. Never hands out a message under the stream's own id, and never
//! lets go of a stream before the one in its place is acknowledged: what a server refuses to one subscriber costs the
//! others nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use foldhash::HashSet;
use ground::{Failure, Kind, Retry};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use wire::{
    Shape, Splice,
    bridge::{Filter, List, legacy_notification},
    era::{Era, MODERN, code},
};

use crate::{
    calls::Replies,
    hello::own_info,
    http::pool::Pool,
    link::Link,
    message::{Message, Outgoing},
    mux::DEPTH,
    peer::PeerId,
};

/// Until a stream that broke off is opened again.
const AGAIN: Duration = Duration::from_secs(5);
/// Several subscriptions in a row cost one new stream.
const GATHER: Duration = Duration::from_millis(5);
/// A server must acknowledge a stream within this time.
const ACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Resources by URI, shared by all who name them.
type Uris = BTreeSet<Arc<str>>;

/// What is wanted of a server, by whom, and what came of it.
#[derive(Default)]
pub struct Ear {
    wanted: Mutex<BTreeMap<Arc<str>, Wanted>>,
    changed: watch::Sender<()>,
}

/// A resource that somebody wants to hear of.
#[derive(Default)]
struct Wanted {
    by: HashSet<PeerId>,
    stand: watch::Sender<Stand>,
}

/// What came of a resource that is wanted.
#[derive(Clone, Default)]
enum Stand {
    /// The server has not said.
    #[default]
    Open,
    /// It is heard.
    Heard,
    /// The server refused it, so it is not wanted any more.
    Refused(Failure),
}

/// A subscriber's view of a resource that it wants to hear of.
pub struct Subscribed(watch::Receiver<Stand>);

impl Subscribed {
    /// Waits until the server has acknowledged the resource. False when it has not within the time.
    ///
    /// # Errors
    /// Why the server refused.
    pub async fn is_heard(mut self, patience: Duration) -> Result<bool, Failure> {
        let said = self.0.wait_for(|stand| !matches!(stand, Stand::Open));
        let Ok(Ok(stand)) = timeout(patience, said).await else { return Ok(false) };
        match &*stand {
            Stand::Refused(why) => Err(why.clone()),
            stand => Ok(matches!(stand, Stand::Heard)),
        }
    }
}

impl Ear {
    /// Notes that somebody wants to hear of a resource.
    pub(crate) fn subscribe(&self, peer: PeerId, uri: &Arc<str>) -> Subscribed {
        let mut wanted = self.wanted.lock();
        let is_new = !wanted.contains_key(uri);
        let entry = wanted.entry(uri.clone()).or_default();
        entry.by.insert(peer);
        let subscribed = Subscribed(entry.stand.subscribe());
        drop(wanted);
        if is_new {
            self.changed.send_replace(());
        }
        subscribed
    }

    /// Ends that. True when nobody else wants to hear of it.
    pub(crate) fn unsubscribe(&self, peer: PeerId, uri: &str) -> bool {
        let mut wanted = self.wanted.lock();
        let Some(entry) = wanted.get_mut(uri) else { return true };
        entry.by.remove(&peer);
        let last = entry.by.is_empty();
        if last {
            wanted.remove(uri);
            self.changed.send_replace(());
        }
        last
    }

    /// Ends all that somebody wanted.
    pub(crate) fn forget(&self, peer: PeerId) {
        let mut wanted = self.wanted.lock();
        let before = wanted.len();
        wanted.retain(|_, entry| {
            entry.by.remove(&peer);
            !entry.by.is_empty()
        });
        if wanted.len() < before {
            self.changed.send_replace(());
        }
    }

    fn uris(&self) -> Uris {
        self.wanted.lock().keys().cloned().collect()
    }

    fn heard(&self, uris: &Uris) {
        let wanted = self.wanted.lock();
        for entry in uris.iter().filter_map(|uri| wanted.get(uri)) {
            entry.stand.send_replace(Stand::Heard);
        }
    }

    /// Takes resources out of what is wanted, and lets their subscribers know why.
    fn refuse(&self, uris: &Uris, why: &Failure) {
        let mut wanted = self.wanted.lock();
        for entry in uris.iter().filter_map(|uri| wanted.remove(uri)) {
            entry.stand.send_replace(Stand::Refused(why.clone()));
        }
    }
}

/// Listens for as long as the link lives. A server without subscriptions is left in peace.
pub(crate) async fn listen(link: Arc<Link>, pool: Arc<Pool>) {
    let listening = async {
        loop {
            if let Err(failure) = attend(&link, &pool).await {
                tracing::debug!(server = %link.server(), %failure, "not listening to changes");
                if failure.kind() == Kind::MethodNotFound {
                    return refuse_all(&link, &failure).await;
                }
            }
            sleep(AGAIN).await;
        }
    };
    tokio::select! { () = listening => {}, () = async { link.closing().cancelled().await } => {} }
}

/// Tells all subscribers that this server is never heard.
async fn refuse_all(link: &Link, why: &Failure) {
    let mut changed = link.ear().changed.subscribe();
    loop {
        link.ear().refuse(&link.ear().uris(), why);
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// One stream after the other, each opened before the one before is let go. The first is for the lists alone: it tells
/// whether the server has subscriptions at all, and none of them can spoil it.
async fn attend(link: &Arc<Link>, pool: &Arc<Pool>) -> Result<(), Failure> {
    let mut changed = link.ear().changed.subscribe();
    changed.mark_changed();
    let replies = open(link, pool, &Uris::new()).await?;
    let mut stream = Stream { link, pool, replies, uris: Uris::new() };
    let mut again = None;
    loop {
        tokio::select! {
            event = stream.replies.next() => match event {
                Some(event) => take(link, event?)?,
                None => return Ok(()),
            },
            () = async { sleep_until(again.unwrap_or_else(Instant::now)).await }, if again.is_some() => {
                again = None;
                changed.mark_changed();
            }
            seen = changed.changed() => {
                if seen.is_err() {
                    return Ok(());
                }
                sleep(GATHER).await;
                changed.mark_unchanged();
                again = stream.adjust().await.is_err().then(|| Instant::now() + AGAIN);
            }
        }
    }
}

/// The stream that is open, and the resources heard on it.
struct Stream<'a> {
    link: &'a Arc<Link>,
    pool: &'a Arc<Pool>,
    replies: Replies,
    uris: Uris,
}

impl Stream<'_> {
    /// Brings the stream in line with what is wanted. New resources are asked for together; if the server refuses that, by
    /// halves, until those stand alone that it refuses.
    ///
    /// # Errors
    /// Why the rest has to wait; what was heard is heard as before.
    async fn adjust(&mut self) -> Result<(), Failure> {
        let wanted = self.link.ear().uris();
        let new: Vec<_> = wanted.difference(&self.uris).cloned().collect();
        let mut parts = vec![new];
        parts.retain(|part| !part.is_empty());
        while let Some(mut part) = parts.pop() {
            let wider = self.uris.intersection(&wanted).chain(&part).cloned().collect();
            match self.replace(wider).await {
                Err(why) if !is_refusal(&why) => return Err(why),
                Err(_) if part.len() > 1 => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                Err(why) => {
                    tracing::info!(server = %self.link.server(), failure = %why, "a resource cannot be subscribed to");
                    self.link.ear().refuse(&part.into_iter().collect(), &why);
                }
                Ok(()) => {}
            }
        }
        if !self.uris.is_subset(&wanted) {
            self.replace(self.uris.intersection(&wanted).cloned().collect()).await?;
        }
        Ok(())
    }

    /// Puts a stream for these resources in the place of this one, if the server opens it.
    async fn replace(&mut self, uris: Uris) -> Result<(), Failure> {
        let mut opening = Box::pin(open(self.link, self.pool, &uris));
        let replies = loop {
            tokio::select! {
                opened = &mut opening => break opened?,
                // If it ends meanwhile, that is seen when the new one is not opened.
                Some(event) = self.replies.next() => drop(event.and_then(|message| take(self.link, message))),
            }
        };
        // What the old stream still holds was said before the new one began.
        while let Ok(Some(Ok(message))) = timeout(Duration::ZERO, self.replies.next()).await {
            let _ = take(self.link, message);
        }
        drop(opening);
        self.replies = replies;
        self.link.ear().heard(&uris);
        self.uris = uris;
        Ok(())
    }
}

/// Whether the server will say the same the next time.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind(), Kind::InvalidParams | Kind::MethodNotFound)
}

async fn open(link: &Arc<Link>, pool: &Arc<Pool>, uris: &Uris) -> Result<Replies, Failure> {
    let meta = wire::build::modern_meta(MODERN, own_info().as_bytes(), b"{}", None);
    let uris = uris.iter().map(|uri| uri.as_ref().to_owned()).collect();
    let filter = Filter { lists: List::ALL.into_iter().collect(), uris };
    let id = format!("\"hostler-listen-{}\"", ground::fresh::ordered_id());
    let body = wire::build::request(id.as_bytes(), "subscriptions/listen", Some(&filter.listen_params(&meta)));
    let out = Outgoing::own(body, Era::Modern).map_err(|fault| {
        Failure::gateway(Kind::Internal, "a message of the gateway's own is malformed").with_detail(fault)
    })?;
    let opening = async {
        let mut replies = Replies::new(link.clone(), pool.clone(), link.call(pool, out, None).await?);
        take(link, replies.next().await.unwrap_or_else(|| Err(link.gone()))?)?;
        Ok(replies)
    };
    let opened = timeout(ACKNOWLEDGED, opening).await;
    opened.unwrap_or_else(|_| Err(trouble(link, Kind::Timeout, "did not acknowledge a subscription")))
}

/// Hands on what was heard.
fn take(link: &Arc<Link>, message: Message) -> Result<(), Failure> {
    match message.envelope.kind {
        Shape::Error => Err(refusal(link, &message)),
        Shape::Response => Err(trouble(link, Kind::Unavailable, "ended the subscription")),
        Shape::Request => Ok(()),
        Shape::Notification => {
            let mut splice = Splice::new(message.body.clone());
            legacy_notification(&mut splice, &message.envelope);
            let told = Message::parse(splice.into_bytes(), DEPTH)
                .map_err(|fault| trouble(link, Kind::Protocol, "sent an odd notification").with_detail(fault))?;
            if told.method().ends_with("/list_changed") {
                link.ring();
            }
            if told.method() != "notifications/subscriptions/acknowledged" {
                link.tell_all(&told);
            }
            Ok(())
        }
    }
}

/// What a server's error means to those who want to listen.
fn refusal(link: &Link, message: &Message) -> Failure {
    let kind = match message.envelope.error_code {
        Some(code::METHOD_NOT_FOUND) => Kind::MethodNotFound,
        Some(code::INVALID_PARAMS | code::RESOURCE_NOT_FOUND) => Kind::InvalidParams,
        _ => Kind::Unavailable,
    };
    let error = wire::field(&message.body, "error").unwrap_or_default();
    let said = wire::field(error, "message").and_then(wire::text).unwrap_or_default();
    trouble(link, kind, &format!("refused the subscription: {said}"))
}

fn trouble(link: &Link, kind: Kind, what: &str) -> Failure {
    Failure::server(kind, link.server(), Retry::No, format!("server `{}` {what}", link.server()))
}

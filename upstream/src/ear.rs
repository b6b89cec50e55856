//! What is heard of a modern server unasked: one `subscriptions/listen` for the changes of its lists and for the resources
//! that legacy sessions subscribed to, widened and narrowed as they come and go.
//!
//! Follows the subscriptions page of revision 2026-07-28. Never hands out a message under the stream's own id.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ground::{Failure, Kind, Retry};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use wire::{
    Shape, Splice,
    bridge::{Filter, List, legacy_notification},
    era::{Era, MODERN},
};

use crate::{
    calls::Replies,
    hello::own_info,
    http::pool::Pool,
    link::Link,
    message::{Message, Outgoing},
    mux::DEPTH,
};

/// Until a stream that broke off is opened again.
const AGAIN: Duration = Duration::from_secs(5);
/// Several subscriptions in a row cost one new stream.
const GATHER: Duration = Duration::from_millis(5);
/// A server must acknowledge a stream within this time.
const ACKNOWLEDGED: Duration = Duration::from_secs(10);

/// What is wanted of a server, and how much of that it has acknowledged.
pub struct Ear {
    wanted: watch::Sender<Wanted>,
    heard: watch::Sender<u64>,
}

/// The resources wanted. Each change has a higher number.
#[derive(Clone, Default)]
struct Wanted {
    number: u64,
    uris: BTreeSet<String>,
}

impl Default for Ear {
    fn default() -> Self {
        Self { wanted: watch::Sender::default(), heard: watch::Sender::new(0) }
    }
}

impl Ear {
    /// Changes the resources wanted.
    pub(crate) fn want(&self, uris: impl Iterator<Item = String>) {
        let uris = uris.collect();
        self.wanted.send_if_modified(|wanted| {
            let changed = wanted.uris != uris;
            if changed {
                *wanted = Wanted { number: wanted.number + 1, uris };
            }
            changed
        });
    }

    /// Waits until the server has acknowledged what is wanted now. False when it does not within the time.
    pub async fn is_heard(&self, patience: Duration) -> bool {
        let number = self.wanted.borrow().number;
        let mut heard = self.heard.subscribe();
        timeout(patience, heard.wait_for(|heard| *heard >= number)).await.is_ok_and(|heard| heard.is_ok())
    }
}

/// Listens for as long as the link lives. A server without subscriptions is left in peace.
pub(crate) async fn listen(link: Arc<Link>, pool: Arc<Pool>) {
    let listening = async {
        loop {
            if let Err(failure) = attend(&link, &pool).await {
                tracing::debug!(server = %link.server(), %failure, "not listening to changes");
                if failure.kind() == Kind::MethodNotFound {
                    return;
                }
            }
            sleep(AGAIN).await;
        }
    };
    tokio::select! { () = listening => {}, () = async { link.closing().cancelled().await } => {} }
}

/// One stream after the other, each opened before the one before is let go.
async fn attend(link: &Arc<Link>, pool: &Arc<Pool>) -> Result<(), Failure> {
    let mut wanted = link.ear().wanted.subscribe();
    let now = wanted.borrow_and_update().clone();
    let mut stream = open(link, pool, &now).await?;
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(event) => take(link, event?)?,
                None => return Ok(()),
            },
            changed = wanted.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                sleep(GATHER).await;
                let now = wanted.borrow_and_update().clone();
                let wider = open(link, pool, &now).await?;
                // What the old stream still holds was said before the new one began.
                while let Ok(Some(event)) = timeout(Duration::ZERO, stream.next()).await {
                    take(link, event?)?;
                }
                stream = wider;
            }
        }
    }
}

async fn open(link: &Arc<Link>, pool: &Arc<Pool>, wanted: &Wanted) -> Result<Replies, Failure> {
    let meta = wire::build::modern_meta(MODERN, own_info().as_bytes(), b"{}", None);
    let filter = Filter { lists: List::ALL.into_iter().collect(), uris: wanted.uris.clone() };
    let id = format!("\"hostler-listen-{}\"", wanted.number);
    let body = wire::build::request(id.as_bytes(), "subscriptions/listen", Some(&filter.listen_params(&meta)));
    let out = Outgoing::own(body, Era::Modern).map_err(|fault| {
        Failure::gateway(Kind::Internal, "a message of the gateway's own is malformed").with_detail(fault)
    })?;
    let mut replies = Replies::new(link.clone(), pool.clone(), link.call(pool, out, None).await?);
    let first = timeout(ACKNOWLEDGED, replies.next()).await;
    let first = first.map_err(|_| trouble(link, Kind::Timeout, "did not acknowledge a subscription"))?;
    let first = first.unwrap_or_else(|| Err(link.gone()))?;
    let acknowledged = first.method() == "notifications/subscriptions/acknowledged";
    take(link, first)?;
    if acknowledged {
        link.ear().heard.send_replace(wanted.number);
    }
    Ok(replies)
}

/// Hands on what was heard.
fn take(link: &Arc<Link>, message: Message) -> Result<(), Failure> {
    match message.envelope.kind {
        Shape::Error => Err(trouble(link, Kind::MethodNotFound, "offers no subscriptions")),
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

fn trouble(link: &Link, kind: Kind, what: &str) -> Failure {
    Failure::server(kind, link.server(), Retry::No, format!("server `{}` {what}", link.server()))
}

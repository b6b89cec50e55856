//! The next message of a server's answer, within the call's time and unless its caller gives it up.

use std::sync::Arc;

use ground::{Failure, Kind};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use upstream::{Link, Message, Replies};

use crate::{forward, route::Trip};

/// Waits for it.
///
/// # Errors
/// Why there is none.
pub async fn next(
    replies: &mut Replies,
    link: &Arc<Link>,
    trip: &Trip,
    deadline: Instant,
    bell: Option<Arc<Notify>>,
) -> Result<Message, Failure> {
    let patience = trip.server.spec().bounds.call_timeout;
    let cancelled = given_up(bell);
    tokio::select! {
        event = timeout_at((Instant::now() + patience).min(deadline), replies.next()) => match event {
            Ok(Some(event)) => event,
            Ok(None) => Err(link.gone()),
            Err(_) => {
                // The server is told that nobody waits any more.
                if let Some(number) = replies.number() {
                    link.give_up(number, "no answer in time");
                }
                Err(forward::late(trip, patience))
            }
        },
        () = cancelled => Err(cancelled_by_caller()),
    }
}

/// Waits until the caller gives the call up; for ever where nothing can tell.
pub async fn given_up(bell: Option<Arc<Notify>>) {
    match bell {
        Some(bell) => bell.notified().await,
        None => std::future::pending().await,
    }
}

/// The failure of a call that its caller gave up.
#[must_use]
pub fn cancelled_by_caller() -> Failure {
    Failure::client(Kind::Cancelled, "the request was cancelled by its caller")
}

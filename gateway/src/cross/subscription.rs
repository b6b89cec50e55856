//! A legacy session's subscriptions at a modern server: the gateway's own, for one stream there hears for all sessions.
//!
//! Never waits for the server without a bound.

use std::{sync::Arc, time::Duration};

use ground::{Failure, Kind};
use upstream::Link;

use crate::{call::Call, forward::Outcome, gateway::Lane, own, restore, route::Trip, session::Session};

/// A server has this long to acknowledge a subscription before the client is answered all the same.
const ACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Takes a `resources/subscribe` or `resources/unsubscribe`.
///
/// # Errors
/// `InvalidParams` for what the server refuses or the session may not have; `MethodNotFound` where the server lets nobody
/// subscribe.
pub async fn change(
    lane: &Lane,
    call: &Call,
    trip: &Trip,
    session: &Arc<Session>,
    link: &Arc<Link>,
) -> Result<Outcome, Failure> {
    if !link.hello().is_some_and(|hello| hello.features.subscribe) {
        return Err(Failure::client(Kind::MethodNotFound, format!("Method not found: {}", call.method)));
    }
    let lacks = || Failure::client(Kind::InvalidParams, format!("`params` of {} lacks the URI", call.method));
    let uri = trip.name.as_deref().ok_or_else(lacks)?;
    if call.method == "resources/unsubscribe" {
        session.subscriptions.remove(trip.server.name(), uri);
        link.unsubscribe(session.peer(), uri);
        return own::result(call, b"{}");
    }
    let uri = session.subscriptions.add(trip.server.name(), uri)?;
    let subscribed = link.subscribe(session.peer(), &uri);
    restore::attend(lane, session, link);
    let heard = subscribed.is_heard(ACKNOWLEDGED).await;
    match heard.inspect_err(|_| session.subscriptions.remove(trip.server.name(), &uri))? {
        true => {}
        false => tracing::debug!(server = %trip.server.name(), %uri, "a subscription is not acknowledged yet"),
    }
    own::result(call, b"{}")
}

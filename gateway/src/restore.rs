//! What a session set at a server before its link was lost or opened: said again on the new link.

use std::{sync::Arc, time::Duration};

use ground::{Failure, Kind, Retry};
use tokio::time::timeout;
use upstream::{Link, OnDrop, Outgoing, PeerId, Server};
use wire::era::Era;

use crate::{gateway::Lane, level, session::Session};

/// A server has this long to take what a call waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says a session's log level and subscriptions on a link that it holds from now on. What fails is logged: the call that
/// needed the link goes on.
pub async fn restore(lane: &Lane, session: &Arc<Session>, link: &Arc<Link>) {
    if link.era() == Era::Modern {
        // Each request says its level there, and what is subscribed to is heard by the link itself.
        return session.subscriptions_at(link.server()).iter().for_each(|uri| link.subscribe(session.peer(), uri));
    }
    say_level(lane, link, session.peer(), session.level()).await;
    for uri in session.subscriptions_at(link.server()) {
        let params = format!("{{\"uri\":{}}}", wire::quote(&uri));
        if let Err(failure) = say(lane, link, "resources/subscribe", &params, PATIENCE).await {
            tracing::debug!(server = %link.server(), %failure, "a subscription was not restored");
        }
    }
}

/// Lets a server send log messages from a level on, as long as nobody else on the link wants more.
pub async fn say_level(lane: &Lane, link: &Arc<Link>, peer: PeerId, wanted: u8) {
    let offers_logging = link.hello().is_some_and(|hello| hello.features.logging);
    if link.era() == Era::Modern || wanted == level::UNSET || !offers_logging {
        return;
    }
    let Some(word) = link.levels().want(peer, wanted).and_then(level::level) else { return };
    let params = format!("{{\"level\":\"{}\"}}", word.as_str());
    if let Err(failure) = say(lane, link, "logging/setLevel", &params, PATIENCE).await {
        tracing::debug!(server = %link.server(), %failure, "a level was not set");
    }
}

/// Subscribes to a resource of a legacy server, or ends that (`method`). Waits as long as a call may take.
///
/// # Errors
/// `InvalidParams` when the server refused.
pub async fn subscribe(lane: &Lane, server: &Server, link: &Arc<Link>, method: &str, uri: &str) -> Result<(), Failure> {
    let params = format!("{{\"uri\":{}}}", wire::quote(uri));
    say(lane, link, method, &params, server.spec().bounds.call_timeout).await
}

/// Makes a request in Hostler's own name. One that nobody waits for any more is not taken back: it may have been obeyed.
async fn say(lane: &Lane, link: &Arc<Link>, method: &str, params: &str, patience: Duration) -> Result<(), Failure> {
    let failure = |kind, what: &str| {
        let text = format!("server `{}` {what} {method}", link.server());
        Failure::server(kind, link.server(), Retry::MaybeSent, text)
    };
    let id = format!("\"hostler-{}\"", ground::fresh::ordered_id());
    let body = wire::build::request(id.as_bytes(), method, Some(params.as_bytes()));
    let mut out = Outgoing::own(body, Era::Legacy)
        .map_err(|fault| failure(Kind::Internal, "was not sent a malformed").with_detail(fault))?;
    out.on_drop = OnDrop::Forget;
    let answer = timeout(patience, link.ask(&lane.pool, out)).await;
    match answer.map_err(|_| failure(Kind::Timeout, "did not answer"))?? {
        refusal if refusal.envelope.error_code.is_some() => Err(failure(Kind::InvalidParams, "refused")),
        _ => Ok(()),
    }
}

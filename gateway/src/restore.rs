//! What a session set at a server, said again on every link that it has there after the first.
//!
//! Subscriptions are restored by a task of the session's own: never by a call, which may be given up half way.

use std::{sync::Arc, time::Duration};

use ground::{Failure, Kind, Retry, ServerName};
use tokio::time::{MissedTickBehavior, interval, timeout};
use upstream::{Link, OnDrop, Outgoing, PeerId, Server};
use wire::era::Era;

use crate::{cross, gateway::Lane, level, session::Session};

/// A lost link is opened anew no more often than this.
const AGAIN: Duration = Duration::from_secs(1);
/// A server has this long to take a level.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says a session's log level on a link that it holds from now on, and what it wants to hear of where that takes no time.
pub async fn restore(lane: &Lane, session: &Arc<Session>, link: &Arc<Link>) {
    if link.era() == Era::Legacy {
        return say_level(lane, link, session.peer(), session.level()).await;
    }
    // Each request says its level there, and what is subscribed to is heard by the link itself.
    for uri in session.subscriptions.at(link.server()) {
        link.subscribe(session.peer(), &uri);
    }
}

/// Sees to it that a session stays at a server, and goes on hearing, for as long as it subscribes to anything there. It is
/// subscribed on this link already.
pub fn attend(lane: &Lane, session: &Arc<Session>, link: &Arc<Link>) {
    if !session.subscriptions.attend(link.server()) {
        return;
    }
    let (lane, session, link) = (lane.clone(), session.clone(), link.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = session.closing.cancelled() => {}
            () = stay(&lane, &session, link) => {}
        }
    });
}

async fn stay(lane: &Lane, session: &Arc<Session>, mut link: Arc<Link>) {
    let name = link.server().clone();
    let mut pace = interval(AGAIN);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        link.closing().cancelled().await;
        pace.tick().await;
        if session.subscriptions.retire(&name) {
            return;
        }
        match subscribe_again(lane, session, &name).await {
            Ok(Some(again)) => link = again,
            Ok(None) => {}
            Err(failure) => tracing::debug!(server = %name, %failure, "a session hears nothing of a server"),
        }
    }
}

/// Subscribes on another link, also where the server was changed meanwhile. `None` while the server is gone, or while the
/// session is silent for as long as an instance may be.
async fn subscribe_again(lane: &Lane, session: &Arc<Session>, name: &ServerName) -> Result<Option<Arc<Link>>, Failure> {
    let Some(server) = lane.gateway.fleet.get(name.as_str()) else { return Ok(None) };
    if session.idle() >= server.spec().bounds.idle || !session.holds.approach(&server) {
        return Ok(None);
    }
    let link = server.link(&lane.pool, &cross::want(session, &server)).await?;
    if session.hold(&server, &link) {
        restore(lane, session, &link).await;
    }
    for uri in session.subscriptions.at(name) {
        // It may have been given up while others were said.
        if link.era() == Era::Legacy && session.subscriptions.has(name, &uri) {
            link.subscribe(session.peer(), &uri);
            if let Err(failure) = subscribe(lane, &server, &link, "resources/subscribe", &uri).await {
                tracing::debug!(server = %name, %failure, "a subscription was not restored");
            }
        }
    }
    Ok(Some(link))
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

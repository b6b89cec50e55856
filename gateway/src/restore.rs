//! What a session set at a server before its link was lost or opened: said again on the new link.

use std::sync::Arc;

use upstream::{Link, Outgoing, PeerId};
use wire::era::Era;

use crate::{gateway::Lane, level, session::Session};

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
        say(lane, link, "resources/subscribe", &params).await;
    }
}

/// Lets a server send log messages from a level on, as long as nobody else on the link wants more.
pub async fn say_level(lane: &Lane, link: &Arc<Link>, peer: PeerId, wanted: u8) {
    let offers_logging = link.hello().is_some_and(|hello| hello.features.logging);
    if link.era() == Era::Modern || wanted == level::UNSET || !offers_logging {
        return;
    }
    if let Some(word) = link.levels().want(peer, wanted).and_then(level::level) {
        say(lane, link, "logging/setLevel", &format!("{{\"level\":\"{}\"}}", word.as_str())).await;
    }
}

/// Makes a request in the session's name whose answer matters to nobody but the log.
pub async fn say(lane: &Lane, link: &Arc<Link>, method: &str, params: &str) {
    let id = format!("\"hostler-{}\"", ground::fresh::ordered_id());
    let body = wire::build::request(id.as_bytes(), method, Some(params.as_bytes()));
    let Ok(out) = Outgoing::own(body, Era::Legacy) else { return };
    let asked = tokio::time::timeout(std::time::Duration::from_secs(10), link.ask(&lane.pool, out)).await;
    match asked {
        Ok(Ok(answer)) if answer.envelope.error_code.is_none() => {}
        Ok(Ok(_)) => tracing::debug!(server = %link.server(), method, "refused by the server"),
        Ok(Err(failure)) => tracing::debug!(server = %link.server(), method, %failure, "not restored"),
        Err(_) => tracing::debug!(server = %link.server(), method, "not restored: no answer"),
    }
}

//! What clients send that asks for no answer: notifications, and their answers to servers' requests.

use ground::{Failure, Kind};
use upstream::{Message, OnDrop};
use wire::{Shape, Splice, era::Era};

use crate::{asked::Asker, call::Call, cross, forward::Outcome, gateway::Lane, place::Place};

/// Takes a notification or an answer.
///
/// # Errors
/// When it does not belong to anything here.
pub async fn take(lane: &Lane, call: Call) -> Result<Outcome, Failure> {
    match call.envelope.kind {
        Shape::Response | Shape::Error => answer(lane, &call).await?,
        _ => match &*call.method {
            "notifications/initialized" => initialized(lane, &call),
            "notifications/cancelled" => cancelled(lane, &call).await,
            "notifications/progress" => {}
            _ => pass_on(lane, &call).await,
        },
    }
    Ok(Outcome::Accepted)
}

/// The client's answer to a server's request goes back under the server's id.
async fn answer(lane: &Lane, call: &Call) -> Result<(), Failure> {
    let Some((session, id)) = call.session.as_ref().zip(call.envelope.id) else {
        return Err(Failure::client(Kind::InvalidRequest, "an answer needs a session and an id"));
    };
    let (link, original) = match session.asked.take(call.part(id)) {
        Some((_, Asker::Server(link, original))) => (link, original),
        Some((number, Asker::Call(waiting))) => {
            let message = Message { body: call.body.clone(), envelope: call.envelope };
            // A call that waits has room for each of its answers; one that is over has no use for them.
            let _ = waiting.try_send((number, message));
            return Ok(());
        }
        None => return Err(Failure::client(Kind::InvalidRequest, "no server waits for an answer with this id")),
    };
    let mut splice = Splice::new(call.body.clone());
    splice.replace(id, original);
    link.relay(&lane.pool, splice, call.envelope, call.body.clone()).await
}

/// The client is ready: at a single server's endpoint, its link is opened now, so that what the server says unasked is heard.
fn initialized(lane: &Lane, call: &Call) {
    let (Place::Server(name), Some(session)) = (&call.place, &call.session) else { return };
    let Some(server) = lane.gateway.fleet.get(name) else { return };
    let (want, session, lane) = (cross::want(session, &server), session.clone(), lane.clone());
    tokio::spawn(async move {
        if session.holds.approach(&server)
            && let Ok(link) = server.link(&lane.pool, &want).await
        {
            session.hold(&server, &link);
        }
    });
}

/// A call is given up: it ends here at once, and its server is told.
async fn cancelled(lane: &Lane, call: &Call) {
    let (Some(session), Some(id)) = (&call.session, call.envelope.request_id) else { return };
    let Some((went, bell)) = session.calls.find(call.part(id)) else { return };
    let reason = call.envelope.params.and_then(|p| wire::field(call.part(p), "reason")).and_then(wire::text);
    bell.notify_one();
    if let Some((link, upstream_id)) = went {
        link.cancel(&lane.pool, &upstream_id, reason.as_deref().unwrap_or("cancelled by the client")).await;
    }
}

/// Anything else concerns all servers that the session uses (`notifications/roots/list_changed`, extensions).
async fn pass_on(lane: &Lane, call: &Call) {
    if call.era == Era::Modern {
        return;
    }
    let Some(session) = &call.session else { return };
    // A server of the modern era has no session to hear of it.
    for link in session.holds.links().into_iter().filter(|link| link.era() == Era::Legacy) {
        let mut out = call.outgoing(&[], None);
        out.on_drop = OnDrop::Forget;
        if let Err(failure) = link.tell(&lane.pool, out).await {
            tracing::debug!(server = %link.server(), %failure, "a notification was not passed on");
        }
    }
}

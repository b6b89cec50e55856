//! `subscriptions/listen` at a legacy server: what its session says unasked, handed to those who asked for it.
//!
//! Follows the subscriptions page of revision 2026-07-28: acknowledged first, tagged with the request's id, ended in order
//! when Hostler stops.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use ground::{Failure, Kind};
use tokio::{sync::mpsc, time::timeout};
use upstream::{Message, Server, hello::Features, mux::DEPTH};
use wire::{
    Splice,
    bridge::{self, Filter, List},
};

use super::{guest::Listen, guests::Guests};
use crate::{call::Call, forward::Outcome, gateway::Lane, introduce, own::PATIENCE, rewrite};

/// Until a lost session is opened anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens the stream.
///
/// # Errors
/// `InvalidParams` for a filter that is none.
pub async fn listen(lane: &Lane, call: &Call, server: &Arc<Server>) -> Result<Outcome, Failure> {
    let params = call.envelope.params.map_or(&b"{}"[..], |span| call.part(span));
    let mut filter = Filter::read(params).map_err(|unfit| Failure::client(Kind::InvalidParams, unfit.to_string()))?;
    let id = call.envelope.id.map(|span| call.share(span)).unwrap_or_default();
    let (listen, heard) = join(lane, call, server, &mut filter, id.clone()).await?;
    let acknowledgement = Bytes::from(filter.acknowledgement(&id));
    let listening = Listening { lane: lane.clone(), listen, heard, id, first: Some(acknowledgement), ended: false };
    let messages = stream::unfold(listening, |mut listening| async move {
        let message = listening.next().await?;
        Some((message, listening))
    });
    Ok(Outcome::Listen(Box::pin(messages)))
}

/// Adds a listener to the guest of a caller. What the server does not offer is taken out of the filter.
///
/// # Errors
/// When there are too many guests.
pub async fn join(
    lane: &Lane,
    call: &Call,
    server: &Arc<Server>,
    filter: &mut Filter,
    id: Bytes,
) -> Result<(Listen, mpsc::Receiver<Bytes>), Failure> {
    let introduction = Arc::new(introduce::of_request(call));
    let bound = lane.gateway.plan.load().limits.sessions;
    let guests: &Guests = &lane.gateway.guests;
    let seat = guests.seat(server, &introduction, &call.identity(), false, bound)?;
    let guest = seat.guest.clone();
    let features = soon(PATIENCE, guest.link(lane)).await.and_then(|link| link.hello().map(|hello| hello.features));
    let features = features.unwrap_or(Features { tools: true, prompts: true, resources: true, ..Features::default() });
    filter.lists.retain(|list| match list {
        List::Tools => features.tools,
        List::Prompts => features.prompts,
        List::Resources => features.resources,
    });
    if !features.subscribe {
        filter.uris.clear();
    }
    let (mut listen, heard) = guest.listen(filter.clone(), id);
    // Subscribed before it is acknowledged, so that nothing is missed from then on.
    soon(PATIENCE, listen.subscribe(lane)).await;
    drop(seat);
    Ok((listen, heard))
}

/// Hands what a listener hears to the stream of a view, under the names of that view if it prefixes them, until nobody
/// reads that stream any more.
pub async fn carry(
    lane: Lane,
    mut listen: Listen,
    mut heard: mpsc::Receiver<Bytes>,
    prefixed_by: Option<Arc<Server>>,
    to: mpsc::Sender<Bytes>,
) {
    let carrying = async {
        while let Some(message) = heard.recv().await {
            let shown = match &prefixed_by {
                Some(server) => under_views_name(message, server),
                None => Some(message),
            };
            if let Some(shown) = shown
                && to.send(shown).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = carrying => {}
        () = to.closed() => {}
        () = keep(&mut listen, &lane) => {}
    }
}

fn under_views_name(message: Bytes, server: &Server) -> Option<Bytes> {
    let message = Message::parse(message, DEPTH).ok()?;
    let mut splice = Splice::new(message.body.clone());
    rewrite::message(&mut splice, &message, server.name());
    Some(splice.into_bytes())
}

struct Listening {
    lane: Lane,
    listen: Listen,
    heard: mpsc::Receiver<Bytes>,
    id: Bytes,
    first: Option<Bytes>,
    ended: bool,
}

impl Listening {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.ended {
            return None;
        }
        tokio::select! {
            biased;
            () = self.lane.gateway.stopping.cancelled() => {
                self.ended = true;
                Some(bridge::listening_ended(&self.id).into())
            }
            message = self.heard.recv() => message,
            () = keep(&mut self.listen, &self.lane) => None,
        }
    }
}

/// Keeps the session for as long as somebody listens. Never ends.
pub async fn keep(listen: &mut Listen, lane: &Lane) {
    loop {
        if let Err(failure) = listen.attend(lane).await {
            tracing::debug!(%failure, "listening to a server broke off");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits for something, but not for long.
async fn soon<T>(patience: Duration, what: impl Future<Output = Result<T, Failure>>) -> Option<T> {
    timeout(patience, what).await.ok()?.ok()
}

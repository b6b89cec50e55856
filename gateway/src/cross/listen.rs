//! `subscriptions/listen` at a legacy server: what its session says unasked, handed to those who asked for it.
//!
//! Follows the subscriptions page of revision 2026-07-28: acknowledged first, tagged with the request's id, ended in order
//! when Hostler stops or the server is removed. Never speaks to a server: `hearing` does.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use ground::{Failure, Kind};
use tokio::{sync::mpsc, time::timeout};
use upstream::{Message, Server, hello::Features, mux::DEPTH};
use wire::{
    Splice,
    bridge::{self, Filter, List},
};

use super::{guests::Visitor, hearing::Listen};
use crate::{call::Call, forward::Outcome, gateway::Lane, own::PATIENCE, rewrite};

/// Opens the stream.
///
/// # Errors
/// `InvalidParams` for a filter that is none.
pub async fn listen(lane: &Lane, call: &Call, server: &Arc<Server>) -> Result<Outcome, Failure> {
    let params = call.envelope.params.map_or(&b"{}"[..], |span| call.part(span));
    let filter = Filter::read(params).map_err(|unfit| Failure::client(Kind::InvalidParams, unfit.to_string()))?;
    let id = call.envelope.id.map(|span| call.share(span)).unwrap_or_default();
    let place = Place::join(lane, call, server, filter, id.clone()).await?;
    let acknowledgement = Bytes::from(place.granted.acknowledgement(&id));
    let listening = Listening { place, id, first: Some(acknowledgement), ended: false };
    let messages = stream::unfold(listening, |mut listening| async move {
        let message = listening.next().await?;
        Some((message, listening))
    });
    Ok(Outcome::Listen(Box::pin(messages)))
}

/// A listener's place at a server, whichever definition of it is in force.
pub struct Place {
    lane: Lane,
    visitor: Visitor,
    id: Bytes,
    wanted: Filter,
    /// What of that the server offers, and did not refuse at once.
    pub granted: Filter,
    listen: Listen,
    heard: mpsc::Receiver<Bytes>,
}

impl Place {
    /// Adds a listener, under the raw id of its request, to the guest of its caller.
    ///
    /// # Errors
    /// When there are too many guests.
    pub async fn join(
        lane: &Lane,
        call: &Call,
        server: &Arc<Server>,
        wanted: Filter,
        id: Bytes,
    ) -> Result<Self, Failure> {
        Self::take(lane, Visitor::of(call), server, wanted, id).await
    }

    async fn take(
        lane: &Lane,
        visitor: Visitor,
        server: &Arc<Server>,
        wanted: Filter,
        id: Bytes,
    ) -> Result<Self, Failure> {
        let bound = lane.gateway.plan.load().limits.sessions;
        let held = lane.gateway.guests.seat(server, &visitor, false, bound)?.into_hold();
        let link = timeout(PATIENCE, held.guest.link(lane)).await.ok().and_then(Result::ok);
        let features = link.and_then(|link| link.hello().map(|hello| hello.features));
        let mut granted = offered(&wanted, features);
        let (listen, heard) = Listen::at(&held.guest, lane, granted.clone(), id.clone());
        // Subscribed before it is acknowledged, so that nothing is missed from then on; a slow server is told the rest
        // after it.
        let refused = listen.refused(PATIENCE).await;
        granted.uris.retain(|uri| !refused.contains(uri));
        Ok(Self { lane: lane.clone(), visitor, id, wanted, granted, listen, heard })
    }

    /// The next thing heard. `None` when the server was removed, or speaks the listener's own era now: whoever listens has
    /// to ask anew.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let stopping = self.listen.server().stopping();
            tokio::select! {
                biased;
                message = self.heard.recv() => return message,
                () = stopping.cancelled() => {}
            }
            let server = self.lane.gateway.fleet.get(self.listen.server().name().as_str())?;
            if server.stopping().is_cancelled() {
                return None;
            }
            let (visitor, wanted) = (self.visitor.clone(), self.wanted.clone());
            *self = Self::take(&self.lane, visitor, &server, wanted, self.id.clone()).await.ok()?;
            if server.eras().legacy == Some(false) {
                return None;
            }
        }
    }
}

/// What of a filter a server offers. One that did not say in time may offer anything.
fn offered(wanted: &Filter, features: Option<Features>) -> Filter {
    let Some(features) = features else { return wanted.clone() };
    let mut offered = wanted.clone();
    offered.lists.retain(|list| match list {
        List::Tools => features.tools,
        List::Prompts => features.prompts,
        List::Resources => features.resources,
    });
    if !features.subscribe {
        offered.uris.clear();
    }
    offered
}

/// Hands what a listener hears to the stream of a view, under the names of that view if it prefixes them, until nobody
/// reads that stream any more.
pub async fn carry(mut place: Place, prefixed: bool, to: mpsc::Sender<Bytes>) {
    let carrying = async {
        while let Some(message) = place.next().await {
            let shown = match prefixed {
                true => under_views_name(message, place.listen.server()),
                false => Some(message),
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
    }
}

fn under_views_name(message: Bytes, server: &Server) -> Option<Bytes> {
    let message = Message::parse(message, DEPTH).ok()?;
    let mut splice = Splice::new(message.body.clone());
    rewrite::message(&mut splice, &message, server.name());
    Some(splice.into_bytes())
}

struct Listening {
    place: Place,
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
        let stopping = self.place.lane.gateway.stopping.clone();
        let message = tokio::select! {
            biased;
            () = stopping.cancelled() => None,
            message = self.place.next() => message,
        };
        self.ended = message.is_none();
        Some(message.unwrap_or_else(|| bridge::listening_ended(&self.id).into()))
    }
}

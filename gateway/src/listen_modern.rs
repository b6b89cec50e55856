//! `subscriptions/listen` on a view: acknowledged at once, fed by changes of the view and by the servers' own streams.
//!
//! Follows the subscriptions page of revision 2026-07-28. List changes come from the gateway's own knowledge; a resource
//! is listened to at its server, one stream a server for each listener.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use ground::{Failure, Kind};
use tokio::sync::mpsc;
use upstream::{Outgoing, Replies, Server, Want};
use wire::{
    Shape,
    bridge::{Filter, listening_ended},
    era::{Era, MODERN},
    names,
};

use crate::{call::Call, cross, forward::Outcome, gateway::Lane, introduce};

/// Opens the stream.
///
/// # Errors
/// When the place does not serve the modern era, or the filter is malformed or too large.
pub async fn listen(lane: &Lane, call: &Call) -> Result<Outcome, Failure> {
    let view = lane.gateway.view(&call.place)?;
    let id = call.envelope.id.map(|span| call.share(span)).unwrap_or_default();
    let params = call.envelope.params.map_or(&b"{}"[..], |span| call.part(span));
    let wanted = Filter::read(params).map_err(|unfit| Failure::client(Kind::InvalidParams, unfit.to_string()))?;
    let profile = introduce::profile_of(call);
    // What is shown now is what changes are told against.
    let _ = lane.gateway.views.face(&view, profile, &lane.gateway.fleet);
    let changes = lane.gateway.listeners.add(&view.name, profile, wanted.lists.clone(), id.clone());
    let (resources, honoured) = listen_at_servers(lane, call, &id, &wanted.uris).await;
    let listening = Listening {
        acknowledgement: Some(Filter { lists: wanted.lists, uris: honoured }.acknowledgement(&id).into()),
        changes,
        resources,
        stopping: lane.gateway.stopping.clone(),
        id,
        ended: false,
    };
    let messages = stream::unfold(listening, |mut listening| async move {
        let message = listening.next().await?;
        Some((message, listening))
    });
    Ok(Outcome::Listen(Box::pin(messages)))
}

/// Listens to the named resources at the servers they belong to. Returns what arrives and the URIs that are honoured.
async fn listen_at_servers(
    lane: &Lane,
    call: &Call,
    id: &Bytes,
    uris: &BTreeSet<String>,
) -> (mpsc::Receiver<Bytes>, BTreeSet<String>) {
    let (to, from) = mpsc::channel(64);
    let mut honoured = BTreeSet::new();
    let Ok(view) = lane.gateway.view(&call.place) else { return (from, honoured) };
    for selection in &view.selections {
        let Some(server) = lane.gateway.fleet.get(selection.server.as_str()) else { continue };
        let mine = uris.iter().filter_map(|uri| {
            let (name, original) =
                if view.prefix { names::split_uri(uri)? } else { (selection.server.to_string(), uri.as_str()) };
            let wanted = name == selection.server.as_str() && selection.resources.lets(original);
            wanted.then(|| (uri.clone(), original.to_owned()))
        });
        let (shown, own): (Vec<String>, Vec<String>) = mine.unzip();
        if own.is_empty() {
            continue;
        }
        if cross::is_needed(Era::Modern, &server) {
            let filter = Filter { uris: own.iter().cloned().collect(), ..Filter::default() };
            let Ok(place) = cross::listen::Place::join(lane, call, &server, filter, id.clone()).await else { continue };
            let granted = shown.into_iter().zip(&own).filter(|(_, own)| place.granted.uris.contains(*own));
            honoured.extend(granted.map(|(shown, _)| shown));
            tokio::spawn(cross::listen::carry(place, view.prefix, to.clone()));
            continue;
        }
        honoured.extend(shown);
        let meta = call.envelope.meta.map(|span| call.share(span)).unwrap_or_else(|| Bytes::from_static(b"{}"));
        let task = follow(lane.clone(), server, own, meta, id.clone(), view.prefix, to.clone());
        tokio::spawn(async move {
            // Ends with the listener: nobody can take what the server says then.
            task.await;
        });
    }
    (from, honoured)
}

async fn follow(
    lane: Lane,
    mut server: Arc<Server>,
    uris: Vec<String>,
    meta: Bytes,
    id: Bytes,
    prefix: bool,
    to: mpsc::Sender<Bytes>,
) {
    let listening = async {
        // Another definition of the server may be in force each time.
        while let Some(now) = lane.gateway.fleet.get(server.name().as_str()) {
            server = now;
            if let Err(failure) = follow_once(&lane, &server, &uris, &meta, &id, prefix, &to).await {
                tracing::debug!(server = %server.name(), %failure, "listening to resources broke off");
            }
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    };
    tokio::select! { () = listening => {}, () = to.closed() => {} }
}

async fn follow_once(
    lane: &Lane,
    server: &Arc<Server>,
    uris: &[String],
    meta: &Bytes,
    id: &Bytes,
    prefix: bool,
    to: &mpsc::Sender<Bytes>,
) -> Result<(), Failure> {
    let link = server.link(&lane.pool, &Want::own(Era::Modern)).await?;
    let quoted: Vec<_> = uris.iter().map(|uri| wire::quote(uri)).collect();
    let meta = String::from_utf8_lossy(meta);
    let params = format!("{{\"_meta\":{meta},\"notifications\":{{\"resourceSubscriptions\":[{}]}}}}", quoted.join(","));
    let body = wire::build::request(id, "subscriptions/listen", Some(params.as_bytes()));
    let Ok(mut out) = Outgoing::own(body, Era::Modern) else { return Ok(()) };
    out.headers = vec![(upstream::http::carrier::VERSION, http::HeaderValue::from_static(MODERN))];
    let answer = link.call(&lane.pool, out, None).await?;
    let mut replies = Replies::new(link.clone(), lane.pool.clone(), answer);
    while let Some(event) = replies.next().await {
        let message = event?;
        if message.envelope.kind != Shape::Notification || message.method() != "notifications/resources/updated" {
            continue;
        }
        let mut splice = wire::Splice::new(message.body.clone());
        if prefix {
            crate::rewrite::message(&mut splice, &message, server.name());
        }
        if to.send(splice.into_bytes()).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

struct Listening {
    acknowledgement: Option<Bytes>,
    changes: mpsc::Receiver<Bytes>,
    resources: mpsc::Receiver<Bytes>,
    stopping: tokio_util::sync::CancellationToken,
    id: Bytes,
    ended: bool,
}

impl Listening {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(acknowledgement) = self.acknowledgement.take() {
            return Some(acknowledgement);
        }
        if self.ended {
            return None;
        }
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => {
                self.ended = true;
                Some(listening_ended(&self.id).into())
            }
            Some(message) = self.changes.recv() => Some(message),
            Some(message) = self.resources.recv() => Some(message),
            else => None,
        }
    }
}

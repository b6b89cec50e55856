//! The lists of a view, page by page, from what is known: never from a server while a client waits.

use std::sync::Arc;

use futures_util::future::join_all;
use ground::{Failure, Kind};
use tokio::time::timeout;
use upstream::{Catalog, ListKind, Server, Want};
use wire::era::Era;

use crate::{
    call::Call,
    cross::{self, guests::Visitor},
    face::{Face, Shown},
    forward::Outcome,
    gateway::Lane,
    introduce, own,
    place::Place,
};

/// Answers one page of a list.
///
/// # Errors
/// `InvalidParams` for a cursor that is none of ours.
pub async fn page(lane: &Lane, call: &Call, kind: ListKind) -> Result<Outcome, Failure> {
    own::wait_settled(lane, &call.place).await?;
    let face = face(lane, call).await?;
    let shown = face.list(kind);
    let from = match call.envelope.cursor {
        Some(span) => start(shown, call.part(span))?,
        None => 0,
    };
    let until = shown.len().min(from + lane.gateway.plan.load().limits.page);
    own::result(call, &write(call.era, kind, shown, from, until))
}

/// The face that this client sees. A legacy client with capabilities of its own may be shown other tools by a server, so
/// the first look lets those servers get ready for it; it is told when their lists differ.
async fn face(lane: &Lane, call: &Call) -> Result<Arc<Face>, Failure> {
    let view = lane.gateway.view(&call.place)?;
    let profile = introduce::profile_of(call);
    if let Some(profile) = profile.filter(|profile| *profile != 0) {
        Box::pin(prepare(lane, call, profile)).await?;
    }
    if let Some(session) = call.session.as_ref().filter(|session| session.has_catalogs()) {
        let servers = lane.gateway.fleet.all();
        let shown = |name: &ground::ServerName| {
            session.catalog(name).or_else(|| servers.get(name).map(|server| server.catalog(profile)))
        };
        return Ok(Arc::new(Face::build(&view, shown)));
    }
    Ok(lane.gateway.views.face(&view, profile, &lane.gateway.fleet))
}

/// Lets servers get ready for a client whose capabilities may make them show other tools. A modern client, which is told
/// nothing later unless it listens, waits a little the first time.
async fn prepare(lane: &Lane, call: &Call, profile: u64) -> Result<(), Failure> {
    let legacy = |server: &Arc<Server>| server.eras().legacy == Some(true);
    let servers: Vec<_> = lane.gateway.servers(&call.place)?.into_iter().filter(legacy).collect();
    let mut learning = Vec::new();
    for server in servers {
        let lane = lane.clone();
        match &call.session {
            Some(session) if call.era == Era::Legacy => {
                let want = Want { session: None, ..session.want() };
                // Whether it works is seen by the calls that need it.
                tokio::spawn(async move { server.link(&lane.pool, &want).await.is_ok() });
            }
            _ if server.knows(profile) || server.eras().modern == Some(true) => {}
            _ => {
                let bound = lane.gateway.plan.load().limits.sessions;
                let held = lane.gateway.guests.seat(&server, &Visitor::of(call), false, bound)?.into_hold();
                learning.push(tokio::spawn(async move {
                    if let Ok(link) = held.guest.link(&lane).await {
                        server.learn_lists(&lane.pool, profile, &link).await;
                    }
                }));
            }
        }
    }
    // Whoever takes longer goes on learning, for the next look.
    let _ = timeout(own::PATIENCE, join_all(learning)).await;
    Ok(())
}

fn write(era: Era, kind: ListKind, shown: &[Shown], from: usize, until: usize) -> Vec<u8> {
    let entries = shown.get(from..until).unwrap_or_default();
    let mut out = Vec::with_capacity(entries.iter().map(|e| e.raw.len() + 1).sum::<usize>() + 256);
    out.extend_from_slice(format!("{{\"{}\":[", kind.member()).as_bytes());
    for (n, entry) in entries.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&entry.raw);
    }
    out.push(b']');
    if let Some(last) = entries.last().filter(|_| until < shown.len()) {
        out.extend_from_slice(format!(",\"nextCursor\":{}", wire::quote(&cursor(until, &last.key))).as_bytes());
    }
    if era == Era::Modern {
        let own = own::own_meta();
        let hints = format!(",\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",\"_meta\":{own}");
        out.extend_from_slice(hints.as_bytes());
    }
    out.push(b'}');
    out
}

/// A cursor names the entry that ended the page before, and where it stood.
fn cursor(position: usize, key: &str) -> String {
    format!("{position}.{key}")
}

/// Where to go on: behind the entry that the cursor names, wherever it stands now; else at its old position.
fn start(shown: &[Shown], raw: &[u8]) -> Result<usize, Failure> {
    let wrong = || Failure::client(Kind::InvalidParams, "the cursor is not one that this gateway gave out");
    let text = wire::text(raw).ok_or_else(wrong)?;
    let (position, key) = text.split_once('.').ok_or_else(wrong)?;
    let position: usize = position.parse().map_err(|_| wrong())?;
    if position.checked_sub(1).and_then(|at| shown.get(at)).is_some_and(|entry| entry.key == key) {
        return Ok(position);
    }
    let moved = shown.iter().position(|entry| entry.key == key);
    Ok(moved.map_or(position.min(shown.len()), |at| at + 1))
}

/// Whether a call asks a single server for one of its lists.
#[must_use]
pub fn may_be_remembered(call: &Call) -> bool {
    matches!(call.place, Place::Server(_)) && ListKind::of_method(&call.method).is_some()
}

/// The remembered list of a single server that is not there: clients are never kept waiting for a list. `None` when the
/// server can be asked, or nothing is remembered of it.
pub async fn remembered(lane: &Lane, call: &Call, server: &Arc<Server>) -> Option<Outcome> {
    let kind = ListKind::of_method(&call.method)?;
    let catalog = server.catalog(None);
    if cross::is_needed(call.era, server) {
        let reachable = server.is_up() || catalog.list(kind).is_empty();
        return if reachable { None } else { whole(call, kind, &catalog) };
    }
    let want = call.want();
    if server.open_link(&want).is_some() || catalog.list(kind).is_empty() {
        return None;
    }
    if matches!(timeout(own::PATIENCE, server.link(&lane.pool, &want)).await, Ok(Ok(_))) {
        return None;
    }
    whole(call, kind, &catalog)
}

fn whole(call: &Call, kind: ListKind, catalog: &Catalog) -> Option<Outcome> {
    let shown: Vec<_> =
        catalog.list(kind).iter().map(|entry| Shown { key: entry.key.clone(), raw: entry.raw.clone() }).collect();
    own::result(call, &write(call.era, kind, &shown, 0, shown.len())).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shown(keys: &[&str]) -> Vec<Shown> {
        keys.iter().map(|key| Shown { key: (*key).to_owned(), raw: format!("{{\"name\":\"{key}\"}}").into() }).collect()
    }

    #[test]
    fn pages_follow_each_other_even_when_the_list_changes_meanwhile() {
        let before = shown(&["a", "b", "c", "d"]);
        let page = String::from_utf8(write(Era::Legacy, ListKind::Tools, &before, 0, 2)).unwrap();
        assert_eq!(page, "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"nextCursor\":\"2.b\"}");
        assert_eq!(start(&before, b"\"2.b\"").unwrap(), 2);
        assert_eq!(start(&shown(&["0", "a", "b", "c"]), b"\"2.b\"").unwrap(), 3);
        assert_eq!(start(&shown(&["a", "c"]), b"\"2.b\"").unwrap(), 2);
        assert!(start(&before, b"\"rubbish\"").is_err());
        let last = String::from_utf8(write(Era::Legacy, ListKind::Tools, &before, 2, 4)).unwrap();
        assert!(!last.contains("nextCursor"));
    }
}

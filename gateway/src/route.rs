//! Where a call goes: to the gateway itself, or to a server under the name that server knows.
//!
//! Looks names up, never waits, never sends.

use std::sync::Arc;

use bytes::Bytes;
use ground::{Failure, Kind};
use plan::View;
use upstream::{ListKind, Server};
use wire::{Span, era::Era, names};

use crate::{
    call::Call,
    enter,
    face::{self, Face, Origin},
    gateway::Gateway,
    introduce,
    place::Place,
};

/// A call's destination at a server.
pub struct Trip {
    /// The server.
    pub server: Arc<Server>,
    /// What must differ in the body.
    pub edits: Vec<(Span, Bytes)>,
    /// The name or URI as the server knows it.
    pub name: Option<Arc<str>>,
    /// Whether the server lists that name: only then may it become a label of metrics.
    pub listed: bool,
}

/// What happens to a call.
pub enum Route {
    /// The gateway answers it itself.
    Own,
    /// It goes to a server.
    Server(Trip),
}

/// Finds a request's destination.
///
/// # Errors
/// When the place, the method or the name does not exist.
pub fn request(gateway: &Gateway, call: &Call) -> Result<Route, Failure> {
    if call.method == "initialize" && call.era == wire::era::Era::Modern {
        // That era has no handshake, and a server of both must not be led into one that all its callers share.
        return Err(Failure::client(Kind::MethodNotFound, "Method not found: initialize"));
    }
    let route = match &call.place {
        Place::Server(name) => untouched(gateway, call, name),
        Place::View(_) => federated(gateway, call),
    }?;
    if let Route::Server(trip) = &route {
        mirrored(call, trip)?;
    }
    Ok(route)
}

/// Arguments that a tool wants in headers must stand there as they stand in the body. A server that is reached in the
/// modern era over HTTP sees to it itself; for all others the gateway is where headers end ("Server Validation").
fn mirrored(call: &Call, trip: &Trip) -> Result<(), Failure> {
    if call.era == Era::Legacy || call.session.is_some() || call.method != "tools/call" {
        return Ok(());
    }
    let remote = matches!(trip.server.spec().origin, upstream::spec::Origin::Remote(_));
    let Some(name) = trip.name.as_ref().filter(|_| !remote || !trip.server.eras().may(Era::Modern)) else {
        return Ok(());
    };
    let catalog = trip.server.catalog(None);
    let wanted = catalog.headers(name);
    let arguments = call.envelope.arguments.map_or(&b"{}"[..], |span| call.part(span));
    for header in wanted {
        let mut received = call.headers.iter().filter(|(key, _)| header.name.eq_ignore_ascii_case(key.as_str()));
        let value = received.next().map(|(_, value)| value.to_str().unwrap_or("\u{0}"));
        if !header.agrees(value, arguments) {
            let text = format!("the header {} and the argument that it mirrors differ", header.name);
            return Err(Failure::client(Kind::HeaderMismatch, text));
        }
    }
    Ok(())
}

fn untouched(gateway: &Gateway, call: &Call, name: &str) -> Result<Route, Failure> {
    let server = gateway.fleet.get(name).ok_or_else(|| call.place.unknown())?;
    let own = matches!(&*call.method, "initialize" | "ping" | "logging/setLevel") && call.session.is_some();
    if own || call.method == "initialize" && call.era == Era::Legacy {
        return Ok(Route::Own);
    }
    let raw = match enter::is_of_task(&call.method) {
        true => enter::task_id(&call.envelope, &call.body),
        false => call.envelope.name.or(call.envelope.uri).map(|span| call.part(span)),
    };
    let named = raw.and_then(wire::text);
    let name: Option<Arc<str>> = named.map(Arc::from);
    let catalog = server.catalog(None);
    let listed =
        name.as_deref().is_some_and(|name| catalog.has(ListKind::Tools, name) || catalog.has(ListKind::Prompts, name));
    Ok(Route::Server(Trip { server, edits: Vec::new(), name, listed }))
}

fn federated(gateway: &Gateway, call: &Call) -> Result<Route, Failure> {
    let view = gateway.view(&call.place)?;
    let (kind, span) = match &*call.method {
        "tools/call" => (ListKind::Tools, call.envelope.name),
        "prompts/get" => (ListKind::Prompts, call.envelope.name),
        "resources/read" => (ListKind::Resources, call.envelope.uri),
        // Only the legacy era has these.
        "resources/subscribe" | "resources/unsubscribe" if call.era == Era::Legacy => {
            (ListKind::Resources, call.envelope.uri)
        }
        "completion/complete" if call.envelope.ref_uri.is_some() => (ListKind::Resources, call.envelope.ref_uri),
        "completion/complete" => (ListKind::Prompts, call.envelope.ref_name),
        _ => return Ok(unknown_here(gateway, call, &view)),
    };
    let lacks = || Failure::client(Kind::InvalidParams, format!("`params` of {} lacks the name or URI", call.method));
    let span = span.ok_or_else(lacks)?;
    let asked = wire::text(call.part(span)).ok_or_else(lacks)?;
    let profile = call.session.as_ref().filter(|_| call.era == Era::Legacy).map(|s| s.introduction().profile);
    let face = gateway.views.face(&view, profile, &gateway.fleet);
    // What a server shows only to callers with certain capabilities stands in the face of those.
    let special = || known(&gateway.views.face(&view, introduce::profile_of(call), &gateway.fleet), kind, &asked);
    let known = known(&face, kind, &asked).or_else(|| (call.era == Era::Modern).then(special).flatten());
    let listed = known.is_some();
    let origin = known.or_else(|| unlisted(&view, kind, &asked).map(Arc::new)).ok_or_else(|| missing(kind, &asked))?;
    let server = gateway.fleet.get(origin.server.as_str()).ok_or_else(|| missing(kind, &asked))?;
    let edits = if *origin.name == *asked { Vec::new() } else { vec![(span, Bytes::from(wire::quote(&origin.name)))] };
    Ok(Route::Server(Trip { server, edits, name: Some(origin.name.clone()), listed }))
}

/// Methods of extensions: a view of one server offers what that server has; of several, nobody can tell whose is meant.
fn unknown_here(gateway: &Gateway, call: &Call, view: &View) -> Route {
    let own = matches!(
        &*call.method,
        "ping"
            | "initialize"
            | "server/discover"
            | "logging/setLevel"
            | "subscriptions/listen"
            | "resources/subscribe"
            | "resources/unsubscribe"
    ) || ListKind::of_method(&call.method).is_some();
    let server = match &view.selections[..] {
        [only] if !own => gateway.fleet.get(only.server.as_str()),
        _ => None,
    };
    let name = enter::is_of_task(&call.method).then(|| enter::task_id(&call.envelope, &call.body)).flatten();
    let name = name.and_then(wire::text).map(Arc::from);
    server.map_or(Route::Own, |server| Route::Server(Trip { server, edits: Vec::new(), name, listed: false }))
}

fn known(face: &Face, kind: ListKind, asked: &str) -> Option<Arc<Origin>> {
    let found = face.origin(kind, asked);
    if kind == ListKind::Resources { found.or_else(|| face.origin(ListKind::Templates, asked)) } else { found }
}

/// A name that no list shows may still exist (lists are not always complete, and URIs are made from templates): it is
/// read as it would have been made, if the view's filters let it through and it was not renamed.
fn unlisted(view: &View, kind: ListKind, asked: &str) -> Option<Origin> {
    let (server, name) = match kind {
        ListKind::Tools | ListKind::Prompts if view.prefix => {
            let (server, name) = names::split(asked)?;
            (Some(server.to_owned()), name)
        }
        ListKind::Resources | ListKind::Templates if view.prefix => {
            let (server, uri) = names::split_uri(asked)?;
            (Some(server), uri)
        }
        // Without prefixes only a view of a single server leaves no doubt.
        _ => (None, asked),
    };
    let selection = match server {
        // Clients that parse URIs write schemes in lower case.
        Some(server) => view.selections.iter().find(|s| s.server.as_str().eq_ignore_ascii_case(&server))?,
        None if view.selections.len() == 1 => view.selections.first()?,
        None => return None,
    };
    let renamed = kind == ListKind::Tools && selection.overrides.get(name).is_some_and(|o| o.name.is_some());
    let lets = face::filter(selection, kind).lets(name) && !renamed;
    lets.then(|| Origin { server: selection.server.clone(), name: name.into() })
}

fn missing(kind: ListKind, asked: &str) -> Failure {
    let asked: String = asked.chars().take(200).collect();
    match kind {
        ListKind::Tools => Failure::client(Kind::InvalidParams, format!("Unknown tool: {asked}")),
        ListKind::Prompts => Failure::client(Kind::InvalidParams, format!("Unknown prompt: {asked}")),
        ListKind::Resources | ListKind::Templates => {
            Failure::client(Kind::ResourceNotFound, format!("Resource not found: {asked}"))
        }
    }
}

//! The requests that the gateway answers itself: handshakes, pings, levels, and what views list.
//!
//! Never waits for a server longer than a handshake may take; what is remembered is answered at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ground::{Failure, Kind};
use http::StatusCode;
use tokio::time::timeout;
use upstream::{ListKind, Server, Want};
use wire::{
    Splice,
    era::{Era, LEGACY, MODERN, Version},
};

use crate::{
    body::Body,
    call::Call,
    forward::Outcome,
    gateway::Lane,
    introduce, level, listen_modern, lists,
    place::Place,
    restore,
    session::{Session, Wire},
};

/// A handshake waits this long for a server that has not been asked yet; then what is remembered must do.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// A server is new for this long.
const NEW: Duration = Duration::from_secs(4);

/// Answers a request of the gateway's own.
///
/// # Errors
/// What is wrong with it.
pub async fn answer(lane: &Lane, call: &Call) -> Result<Outcome, Failure> {
    let modern = call.era == Era::Modern;
    match &*call.method {
        "ping" if !modern => result(call, b"{}"),
        "server/discover" if modern => discover(lane, call).await,
        "logging/setLevel" if !modern => set_level(lane, call).await,
        "subscriptions/listen" if modern => listen_modern::listen(lane, call),
        method => match ListKind::of_method(method) {
            Some(kind) => lists::page(lane, call, kind).await,
            None => Err(Failure::client(Kind::MethodNotFound, format!("Method not found: {method}"))),
        },
    }
}

/// An answer made of a result.
///
/// # Errors
/// Never; for the convenience of callers.
pub fn result(call: &Call, result: &[u8]) -> Result<Outcome, Failure> {
    let body = wire::build::result(call.id().unwrap_or(b"null"), result);
    Ok(Outcome::Whole { status: StatusCode::OK, body: Body::whole(body.into()) })
}

/// A legacy handshake: makes the session, and its greeting. On a shared wire the session is there already.
///
/// # Errors
/// When the place does not serve this era, or the handshake is malformed.
pub async fn initialize(lane: &Lane, call: &Call, wire: Wire) -> Result<(Arc<Session>, Outcome), Failure> {
    let introduction = introduce::read(call)?;
    let asked = call.envelope.params.and_then(|p| wire::field(call.part(p), "protocolVersion")).and_then(wire::text);
    let asked =
        asked.ok_or_else(|| Failure::client(Kind::InvalidParams, "`params` of initialize lacks `protocolVersion`"))?;
    let version = Version::parse(&asked).filter(|v| v.era() == Era::Legacy).unwrap_or(Version::V2025_11_25);
    wait_settled(lane, &call.place).await?;
    if !lane.gateway.eras(&call.place)?.1 {
        let text = "a server at this endpoint speaks only revision 2026-07-28 and later, so it offers no handshake";
        return Err(Failure::client(Kind::UnsupportedVersion, text));
    }
    if let Some(session) = &call.session {
        session.introduce(version, introduction);
        let greeting = greet(lane, session, version).await?;
        return Ok((session.clone(), result(call, &greeting)?));
    }
    let prefixed = lane.gateway.view(&call.place).is_ok_and(|view| view.prefix);
    // Known to others only with its greeting: a client that goes away meanwhile leaves nothing behind.
    let session = Newborn(Session::new(call.place.clone(), wire, prefixed));
    session.0.introduce(version, introduction);
    let greeting = greet(lane, &session.0, version).await?;
    let answer = result(call, &greeting)?;
    lane.gateway.admit(&session.0)?;
    Ok((session.grown(), answer))
}

/// A session in its handshake; it ends when that is not brought to its end.
struct Newborn(Arc<Session>);

impl Newborn {
    fn grown(self) -> Arc<Session> {
        let session = self.0.clone();
        std::mem::forget(self);
        session
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn greet(lane: &Lane, session: &Arc<Session>, version: Version) -> Result<Vec<u8>, Failure> {
    match &session.place {
        Place::Server(name) => greeting_of(lane, session, name, version).await,
        Place::View(_) => own_greeting(lane, &session.place, version),
    }
}

/// The greeting of the server itself: fresh if it is quick, else remembered.
async fn greeting_of(lane: &Lane, session: &Arc<Session>, name: &str, version: Version) -> Result<Vec<u8>, Failure> {
    let server = lane.gateway.fleet.get(name).ok_or_else(|| Place::Server(name.to_owned()).unknown())?;
    let want = Want { era: Era::Legacy, introduction: session.introduction(), session: Some(session.peer()) };
    session.holds.approach(&server);
    let fresh = match timeout(PATIENCE, server.link(&lane.pool, &want)).await {
        Ok(Ok(link)) => {
            session.hold(&server, &link);
            link.hello().map(|hello| hello.result.clone())
        }
        Ok(Err(failure)) => {
            tracing::debug!(server = name, %failure, "a session begins without its server");
            None
        }
        Err(_) => None,
    };
    let greeting = fresh.or_else(|| server.greeting(version.as_str(), Era::Legacy));
    Ok(match greeting {
        Some(greeting) => with_version(greeting, version).to_vec(),
        // Nothing is known: everything is promised, and the lists say what there really is.
        None => own_result(version, Promise::ALL, name, None),
    })
}

/// The server's own words, but for the revision that this client asked for.
fn with_version(greeting: Bytes, version: Version) -> Bytes {
    let mut splice = Splice::new(greeting.clone());
    if let Some(raw) = wire::field(&greeting, "protocolVersion")
        && let Some(span) = crate::rewrite::span_within(&greeting, raw)
        && wire::text(raw).as_deref() != Some(version.as_str())
    {
        splice.replace(span, format!("\"{}\"", version.as_str()).into_bytes());
    }
    splice.into_bytes()
}

/// What a greeting promises.
#[derive(Clone, Copy, Default)]
struct Promise {
    prompts: bool,
    resources: bool,
    subscribe: bool,
    completions: bool,
    logging: bool,
}

impl Promise {
    const ALL: Self = Self { prompts: true, resources: true, subscribe: true, completions: true, logging: true };

    /// What at least one server has. A server of which nothing is known may have anything.
    fn of(servers: &[Arc<Server>]) -> Self {
        let mut sum = Self::default();
        for server in servers {
            let greeting = server.greeting(LEGACY[0], Era::Legacy).or_else(|| server.greeting(MODERN, Era::Modern));
            let Some(greeting) = greeting else { return Self::ALL };
            let features = upstream::hello::Features::of(&greeting);
            sum.prompts |= features.prompts;
            sum.resources |= features.resources;
            sum.subscribe |= features.subscribe;
            sum.completions |= features.completions;
            sum.logging |= features.logging;
        }
        sum
    }

    fn capabilities(self, legacy: bool) -> String {
        let mut text = "{\"tools\":{\"listChanged\":true}".to_owned();
        if self.prompts {
            text.push_str(",\"prompts\":{\"listChanged\":true}");
        }
        if self.resources {
            text.push_str(&format!(",\"resources\":{{\"listChanged\":true,\"subscribe\":{}}}", self.subscribe));
        }
        if self.completions {
            text.push_str(",\"completions\":{}");
        }
        if self.logging && legacy {
            text.push_str(",\"logging\":{}");
        }
        text.push('}');
        text
    }
}

fn own_greeting(lane: &Lane, place: &Place, version: Version) -> Result<Vec<u8>, Failure> {
    let view = lane.gateway.view(place)?;
    let promise = Promise::of(&lane.gateway.servers(place)?);
    Ok(own_result(version, promise, ground::PRODUCT, view.instructions.as_deref()))
}

fn own_result(version: Version, promise: Promise, name: &str, instructions: Option<&str>) -> Vec<u8> {
    let instructions = instructions.map(|text| format!(",\"instructions\":{}", wire::quote(text))).unwrap_or_default();
    format!(
        "{{\"protocolVersion\":\"{}\",\"capabilities\":{},\"serverInfo\":{{\"name\":{},\"version\":\"{}\"}}{instructions}}}",
        version.as_str(),
        promise.capabilities(true),
        wire::quote(name),
        ground::VERSION,
    )
    .into_bytes()
}

async fn discover(lane: &Lane, call: &Call) -> Result<Outcome, Failure> {
    wait_settled(lane, &call.place).await?;
    if !lane.gateway.eras(&call.place)?.0 {
        return Err(no_modern());
    }
    let view = lane.gateway.view(&call.place)?;
    let promise = Promise::of(&lane.gateway.servers(&call.place)?);
    let instructions =
        view.instructions.as_deref().map(|text| format!(",\"instructions\":{}", wire::quote(text))).unwrap_or_default();
    let text = format!(
        "{{\"resultType\":\"complete\",\"supportedVersions\":[\"{MODERN}\"],\"capabilities\":{}{instructions},\"ttlMs\":0,\
         \"cacheScope\":\"private\",\"_meta\":{}}}",
        promise.capabilities(false),
        own_meta(),
    );
    result(call, text.as_bytes())
}

/// The identity that results of the gateway's own carry.
#[must_use]
pub fn own_meta() -> String {
    format!("{{\"io.modelcontextprotocol/serverInfo\":{}}}", upstream::hello::own_info())
}

/// The failure of a modern request where a server speaks only legacy revisions.
#[must_use]
pub fn no_modern() -> Failure {
    let text = "a server at this endpoint speaks only revisions with a handshake, so the endpoint offers those";
    Failure::client(Kind::UnsupportedVersion, text)
}

/// Waits a little until the eras of servers of which nothing is known have been found out.
///
/// # Errors
/// When the place does not exist.
pub async fn wait_settled(lane: &Lane, place: &Place) -> Result<(), Failure> {
    let servers = lane.gateway.servers(place)?;
    // Only a server that has just been added is worth waiting for.
    let unknown = |server: &Arc<Server>| server.eras().modern.is_none() && !server.is_settled() && server.age() < NEW;
    if !servers.iter().any(unknown) {
        return Ok(());
    }
    let mut generation = lane.gateway.fleet.generation();
    let settled = async {
        while servers.iter().any(unknown) {
            if generation.changed().await.is_err() {
                return;
            }
        }
    };
    let _ = timeout(PATIENCE, settled).await;
    Ok(())
}

async fn set_level(lane: &Lane, call: &Call) -> Result<Outcome, Failure> {
    let wrong = || {
        Failure::client(
            Kind::InvalidParams,
            "`level` must be one of debug, info, notice, warning, error, critical, alert, emergency",
        )
    };
    let rank = call.envelope.level.and_then(|span| level::rank(call.part(span))).ok_or_else(wrong)?;
    if let Some(session) = &call.session {
        session.set_level(rank);
        for link in session.holds.links() {
            restore::restore(lane, session, &link).await;
        }
    }
    result(call, b"{}")
}

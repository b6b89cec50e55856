//! The requests that the gateway answers itself: handshakes, pings, levels, and what views list.
//!
//! Never waits for a server longer than a handshake may take; what is remembered is answered at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ground::{Failure, Kind};
use http::StatusCode;
use tokio::time::timeout;
use upstream::{Link, ListKind, Server, Want};
use wire::{
    Level, Splice,
    bridge::Hints,
    era::{Era, LEGACY, MODERN, Version},
};

use crate::{
    body::Body,
    call::Call,
    cross,
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
        "subscriptions/listen" if modern => listen_modern::listen(lane, call).await,
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
    session.holds.approach(&server);
    let fresh = match timeout(PATIENCE, link(lane, session, &server)).await {
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
    let crosses = cross::is_needed(Era::Legacy, &server);
    let remembered =
        || if crosses { server.greeting(MODERN, Era::Modern) } else { server.greeting(version.as_str(), Era::Legacy) };
    Ok(match fresh.or_else(remembered) {
        Some(greeting) if crosses => wire::bridge::initialize_result(&greeting, version, unnamed(name).as_bytes()),
        Some(greeting) => with_version(greeting, version).to_vec(),
        // Nothing is known: everything is promised, and the lists say what there really is.
        None => own_result(version, Promise::ALL, name, None),
    })
}

/// The session's link, in the era that the server proves to speak.
async fn link(lane: &Lane, session: &Session, server: &Arc<Server>) -> Result<Arc<Link>, Failure> {
    match server.link(&lane.pool, &cross::want(session, server)).await {
        Err(failure) if failure.kind() == Kind::UnsupportedVersion => {
            server.link(&lane.pool, &cross::want(session, server)).await
        }
        opened => opened,
    }
}

/// The identity of a server that did not tell any.
fn unnamed(name: &str) -> String {
    format!("{{\"name\":{},\"version\":\"0\"}}", wire::quote(name))
}

/// The server's own words, but for the revision that this client asked for.
fn with_version(greeting: Bytes, version: Version) -> Bytes {
    let mut splice = Splice::new(greeting.clone());
    if let Some(raw) = wire::field(&greeting, "protocolVersion")
        && let Some(span) = wire::Span::within(&greeting, raw)
        && wire::text(raw).as_deref() != Some(version.as_str())
    {
        splice.replace(span, format!("\"{}\"", version.as_str()).into_bytes());
    }
    splice.into_bytes()
}

/// What a greeting promises.
#[derive(Clone, Default)]
struct Promise {
    prompts: bool,
    resources: bool,
    subscribe: bool,
    completions: bool,
    logging: bool,
    /// Of a single server: its extensions, whose methods the view passes on.
    extensions: Option<Bytes>,
}

impl Promise {
    const ALL: Self =
        Self { prompts: true, resources: true, subscribe: true, completions: true, logging: true, extensions: None };

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
        if let [only] = servers {
            let greeting = only.greeting(MODERN, Era::Modern);
            sum.extensions = greeting.and_then(|greeting| {
                let extensions = wire::field(wire::field(&greeting, "capabilities")?, "extensions")?;
                Some(greeting.slice_ref(extensions))
            });
        }
        sum
    }

    fn capabilities(&self) -> String {
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
        if self.logging {
            text.push_str(",\"logging\":{}");
        }
        if let Some(extensions) = &self.extensions {
            text.push_str(&format!(",\"extensions\":{}", String::from_utf8_lossy(extensions)));
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
        promise.capabilities(),
        wire::quote(name),
        ground::VERSION,
    )
    .into_bytes()
}

async fn discover(lane: &Lane, call: &Call) -> Result<Outcome, Failure> {
    wait_settled(lane, &call.place).await?;
    let view = lane.gateway.view(&call.place)?;
    let promise = Promise::of(&lane.gateway.servers(&call.place)?);
    let instructions =
        view.instructions.as_deref().map(|text| format!(",\"instructions\":{}", wire::quote(text))).unwrap_or_default();
    let text = format!(
        "{{\"resultType\":\"complete\",\"supportedVersions\":[{}],\"capabilities\":{}{instructions},\"ttlMs\":0,\
         \"cacheScope\":\"private\",\"_meta\":{}}}",
        versions().map(|version| wire::quote(version.as_str())).collect::<Vec<_>>().join(","),
        promise.capabilities(),
        own_meta(),
    );
    result(call, text.as_bytes())
}

/// The revisions that every endpoint serves.
fn versions() -> impl Iterator<Item = Version> {
    std::iter::once(MODERN).chain(LEGACY).filter_map(Version::parse)
}

/// What a legacy server says of itself, as a modern caller takes it.
///
/// # Errors
/// Never; for the convenience of callers.
pub async fn discover_of(lane: &Lane, call: &Call, server: &Arc<Server>) -> Result<Outcome, Failure> {
    let remembered = || server.greeting(LEGACY[0], Era::Legacy);
    if remembered().is_none() {
        // Opened for Hostler itself, whose link is the one that is kept; it may only be starting.
        let _ = timeout(PATIENCE, server.link(&lane.pool, &Want::own(Era::Legacy))).await;
    }
    let versions: Vec<_> = versions().collect();
    let found = match remembered() {
        Some(greeting) => wire::bridge::discover_result(&greeting, &versions, Hints::default()),
        None => {
            let promised = own_result(Version::V2025_11_25, Promise::ALL, server.name().as_str(), None);
            wire::bridge::discover_result(&promised, &versions, Hints::default())
        }
    };
    result(call, &found)
}

/// The identity that results of the gateway's own carry.
#[must_use]
pub fn own_meta() -> String {
    format!("{{\"io.modelcontextprotocol/serverInfo\":{}}}", upstream::hello::own_info())
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
    let rank = call.envelope.level.and_then(|span| Level::parse(call.part(span))).map(level::of).ok_or_else(wrong)?;
    if let Some(session) = &call.session {
        session.set_level(rank);
        for link in session.holds.links() {
            restore::say_level(lane, &link, session.peer(), rank).await;
        }
    }
    result(call, b"{}")
}

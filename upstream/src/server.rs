//! One configured server: its links by who may share them, what is known of it, and its backing off after failures.
//!
//! Hands out links; `open` makes them and `tend` keeps them. Never routes a call.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use ground::{Failure, Kind, Retry, ServerName};
use parking_lot::Mutex;
use store::{Memories, Memory};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use wire::era::Era;

use crate::{
    catalog::Catalog,
    door::{Door, Stand},
    http::{endpoint::Endpoint, pool::Pool},
    link::Link,
    peer::PeerId,
    process::StderrRing,
    spec::{Isolation, Origin, Spec},
    trouble::Trouble,
    want::{Eras, Share, Want},
};

/// An instance that was idle for this long gives way to a new one at the bound.
const SPARE: Duration = Duration::from_secs(60);
/// Sessions held at one remote server.
const REMOTE_SESSIONS: usize = 100_000;

/// What all servers of a fleet use.
#[derive(Clone)]
pub struct Surroundings {
    /// Where processes and tending tasks live.
    pub runtime: Handle,
    /// The connections of that runtime.
    pub pool: Arc<Pool>,
    /// What is remembered between runs.
    pub memories: Memories,
    /// Counts every change of any catalog or state.
    pub generation: watch::Sender<u64>,
    /// Bounds the starts that go on at once.
    pub starts: Arc<Semaphore>,
}

impl Surroundings {
    /// Lets everybody know that something changed.
    pub fn touch(&self) {
        self.generation.send_modify(|n| *n += 1);
    }
}

/// One configured server.
pub struct Server {
    pub(crate) spec: Arc<Spec>,
    pub(crate) around: Surroundings,
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    pub(crate) doors: Mutex<HashMap<Share, Arc<Door>>>,
    pub(crate) eras: ArcSwap<Eras>,
    pub(crate) greetings: Mutex<BTreeMap<String, Bytes>>,
    pub(crate) catalog: ArcSwap<Catalog>,
    pub(crate) profiles: Mutex<HashMap<u64, Arc<Catalog>>>,
    pub(crate) trouble: Mutex<Trouble>,
    pub(crate) stderr: Arc<StderrRing>,
    /// Rung when a link says that a list changed.
    pub(crate) changed: Arc<Notify>,
    pub(crate) stopping: CancellationToken,
    /// It has sent a request to a client before.
    pub(crate) asks: std::sync::atomic::AtomicBool,
    pub(crate) restarts: std::sync::atomic::AtomicU64,
    pub(crate) processes: Mutex<HashMap<u64, u32>>,
    pub(crate) tasks: tokio_util::task::TaskTracker,
    /// When it became part of the fleet.
    pub(crate) born: Instant,
    /// Held while what is known is written down.
    pub(crate) saving: Mutex<()>,
}

impl Server {
    /// A server of which nothing has been started yet.
    pub(crate) fn new(spec: Arc<Spec>, around: Surroundings) -> Arc<Self> {
        let memory = around.memories.load(&spec.name, &fingerprint(&spec));
        let endpoint = match &spec.origin {
            Origin::Remote(remote) => Endpoint::new(&spec.name, remote).map(Arc::new).ok(),
            _ => None,
        };
        Arc::new(Self {
            eras: ArcSwap::from_pointee(Eras { modern: memory.modern, legacy: memory.legacy, sse: memory.sse }),
            greetings: Mutex::new(greetings_of(&memory)),
            catalog: ArcSwap::from_pointee(catalog_of(&memory)),
            profiles: Mutex::new(HashMap::new()),
            endpoint,
            spec,
            around,
            doors: Mutex::new(HashMap::new()),
            trouble: Mutex::default(),
            stderr: Arc::new(StderrRing::new()),
            changed: Arc::new(Notify::new()),
            stopping: CancellationToken::new(),
            asks: std::sync::atomic::AtomicBool::new(memory.asks),
            restarts: std::sync::atomic::AtomicU64::new(0),
            processes: Mutex::new(HashMap::new()),
            tasks: tokio_util::task::TaskTracker::new(),
            born: Instant::now(),
            saving: Mutex::new(()),
        })
    }

    /// Its definition.
    #[must_use]
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ServerName {
        &self.spec.name
    }

    /// What is known of its eras.
    #[must_use]
    pub fn eras(&self) -> Eras {
        **self.eras.load()
    }

    /// What it wrote to its standard error.
    #[must_use]
    pub fn stderr(&self) -> &Arc<StderrRing> {
        &self.stderr
    }

    /// What it offers, as far as known: to the given profile where that is known to differ.
    #[must_use]
    pub fn catalog(&self, profile: Option<u64>) -> Arc<Catalog> {
        let own = profile.and_then(|p| self.profiles.lock().get(&p).cloned());
        own.unwrap_or_else(|| self.catalog.load_full())
    }

    /// What it said of itself in a revision, remembered from an earlier time; else in any revision of that era.
    #[must_use]
    pub fn greeting(&self, version: &str, era: Era) -> Option<Bytes> {
        let greetings = self.greetings.lock();
        let of_era = |v: &str| wire::era::Version::parse(v).is_some_and(|v| v.era() == era);
        let near = || greetings.iter().rev().find(|(v, _)| of_era(v)).map(|(_, g)| g.clone());
        greetings.get(version).cloned().or_else(near)
    }

    /// Who shares the link that a caller would get.
    #[must_use]
    pub fn share(&self, want: &Want) -> Share {
        let alone =
            want.alone || self.spec.isolation == Isolation::Session || matches!(self.spec.origin, Origin::Remote(_));
        match (want.era, want.session) {
            (Era::Modern, _) => Share::Modern,
            (Era::Legacy, Some(session)) if alone => Share::Session(session),
            (Era::Legacy, _) => Share::Profile(want.introduction.profile),
        }
    }

    /// A caller's link, if it is open already.
    #[must_use]
    pub fn open_link(&self, want: &Want) -> Option<Arc<Link>> {
        let share = self.share(want);
        self.doors.lock().get(&share)?.open_link()
    }

    /// A link for a caller, opened if need be. Waits for a server that is starting for the first time; one that failed
    /// before does not keep callers waiting while it tries again.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn link(self: &Arc<Self>, pool: &Arc<Pool>, want: &Want) -> Result<Arc<Link>, Failure> {
        let share = self.share(want);
        let opening = self.doors.lock().get(&share).is_some_and(|door| matches!(door.stand(), Stand::Opening));
        let failed = if opening { self.trouble.lock().starting_again(self.name()) } else { None };
        match failed {
            Some(failure) => Err(failure),
            None => self.wait_link(pool, want).await,
        }
    }

    /// As [`Server::link`], but always waits.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn wait_link(self: &Arc<Self>, pool: &Arc<Pool>, want: &Want) -> Result<Arc<Link>, Failure> {
        let share = self.share(want);
        if !self.eras().may(want.era) {
            return Err(self.wrong_era(want.era));
        }
        let door = self.door(share)?;
        loop {
            if let Some(link) = door.open_link() {
                return Ok(link);
            }
            if self.stopping.is_cancelled() {
                return Err(self.failure(Kind::Unavailable, "has been stopped"));
            }
            if let Some(failure) = self.trouble.lock().backing_off(self.name()) {
                return Err(failure);
            }
            if door.claim() {
                self.spawn_opening(pool, door.clone(), share, want.clone());
            }
            match door.wait().await {
                Ok(link) => return Ok(link),
                Err(Some(failure)) => return Err(failure),
                // It opened and closed again while we waited.
                Err(None) => {}
            }
        }
    }

    fn door(&self, share: Share) -> Result<Arc<Door>, Failure> {
        let mut doors = self.doors.lock();
        if let Some(door) = doors.get(&share) {
            return Ok(door.clone());
        }
        // Sessions at a remote server cost this machine little; processes are what the configured bound is about.
        let bound = if self.endpoint.is_some() { REMOTE_SESSIONS } else { self.spec.bounds.instances };
        if doors.len() >= bound {
            // Not those that somebody is about to open.
            doors.retain(|_, door| Arc::strong_count(door) > 1 || !door.is_spent());
        }
        if doors.len() >= bound
            && doors.values().filter(|door| door.is_taken()).count() >= bound
            && !self.make_room(&doors)
        {
            let text = format!("has {bound} instances in use, its limit (`instances`)");
            return Err(self.failure(Kind::Overloaded, &text));
        }
        Ok(doors.entry(share).or_default().clone())
    }

    /// Retires the instance that was idle for longest, or else the one whose calls have waited for their callers for
    /// longest, if any has for long enough.
    fn make_room(&self, doors: &HashMap<Share, Arc<Door>>) -> bool {
        let Some(link) = self.sparest(doors) else { return false };
        // Closing tells its sessions, which may ask for this server's doors: not while they are locked here.
        let why = self.failure(Kind::Unavailable, "was idle and gave way to another session");
        self.around.runtime.spawn(async move { link.close(&why) });
        true
    }

    fn sparest(&self, doors: &HashMap<Share, Arc<Door>>) -> Option<Arc<Link>> {
        let others = doors.iter().filter(|(share, _)| !self.is_base(**share));
        let links = others.filter_map(|(_, door)| door.open_link());
        let spare = links.map(|link| (link.in_flight() == 0, link.spare(), link));
        let longest = spare.filter(|(_, spare, _)| *spare >= SPARE).max_by_key(|(idle, spare, _)| (*idle, *spare));
        longest.map(|(.., link)| link)
    }

    /// Whether another instance may be started now, if need be in the place of one that nobody needs.
    #[must_use]
    pub fn has_room(&self) -> bool {
        if self.endpoint.is_some() {
            return true;
        }
        let doors = self.doors.lock();
        let taken = doors.values().filter(|door| door.is_taken()).count();
        taken < self.spec.bounds.instances || self.sparest(&doors).is_some()
    }

    fn spawn_opening(self: &Arc<Self>, pool: &Arc<Pool>, door: Arc<Door>, share: Share, want: Want) {
        let server = self.clone();
        let remote = matches!(self.spec.origin, Origin::Remote(_));
        let pool = if remote { pool.clone() } else { self.around.pool.clone() };
        let opening = async move { server.open_door(&pool, &door, share, &want).await };
        // A link to a remote server lives on the thread whose calls use it; a process lives on the control plane.
        if remote {
            tokio::spawn(opening);
        } else {
            self.around.runtime.spawn(opening);
        }
    }

    /// Whether callers find this door: a session that ended took its own away.
    pub(crate) fn leads_through(&self, share: Share, door: &Arc<Door>) -> bool {
        self.doors.lock().get(&share).is_some_and(|found| Arc::ptr_eq(found, door))
    }

    /// Ends the link that a session has for itself, also one that is still being opened.
    pub fn release(&self, session: PeerId) {
        let door = self.doors.lock().remove(&Share::Session(session));
        if let Some(Stand::Open(link)) = door.map(|door| door.stand()) {
            link.close(&self.failure(Kind::Unavailable, "the session has ended"));
        }
    }

    /// Gives up a link that proved dead (its session was forgotten), so that the next call opens another.
    pub fn renounce(&self, link: &Arc<Link>) {
        link.close(&self.failure(Kind::Unavailable, "no longer knows the session"));
        for door in self.doors.lock().values() {
            door.close_if(link);
        }
    }

    pub(crate) fn failure(&self, kind: Kind, what: &str) -> Failure {
        Failure::server(kind, &self.spec.name, Retry::NeverSent, format!("server `{}` {what}", self.spec.name))
    }

    /// The failure of a caller whose era the server does not speak.
    #[must_use]
    pub fn wrong_era(&self, era: Era) -> Failure {
        let what = match era {
            Era::Modern => "speaks only revisions with a handshake (2025-11-25 and earlier)",
            Era::Legacy => "speaks only revision 2026-07-28 and later",
        };
        self.failure(Kind::UnsupportedVersion, what)
    }

    /// Whether it has ever sent a request to a client, as far as is remembered.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.asks.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Notes that it sends requests to clients.
    pub fn note_asks(self: &Arc<Self>) {
        if !self.asks.swap(true, std::sync::atomic::Ordering::Relaxed) {
            self.remember();
        }
    }

    /// Cancelled when it is stopped for good: changed, removed, or Hostler ends.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Whether any link to it is open.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.doors.lock().values().any(|door| door.open_link().is_some())
    }

    /// For how long it has been part of the fleet.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }
}

/// Of which definition a memory was made. Holds no secret: values of variables and headers are not in it.
pub(crate) fn fingerprint(spec: &Spec) -> String {
    format!("{:?}", spec.origin)
}

fn greetings_of(memory: &Memory) -> BTreeMap<String, Bytes> {
    memory
        .greetings
        .iter()
        .map(|(version, raw)| (version.clone(), Bytes::copy_from_slice(raw.get().as_bytes())))
        .collect()
}

fn catalog_of(memory: &Memory) -> Catalog {
    use crate::catalog::ListKind::{Prompts, Resources, Templates, Tools};
    let mut catalog = Catalog::default();
    let lists = [
        (Tools, &memory.tools),
        (Prompts, &memory.prompts),
        (Resources, &memory.resources),
        (Templates, &memory.templates),
    ];
    for (kind, raws) in lists {
        catalog.set(kind, raws.iter().map(|raw| Bytes::copy_from_slice(raw.get().as_bytes())));
    }
    catalog
}

//! What all lanes share: the plan of the moment, the fleet, the sessions, the faces of the views.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use ground::Failure;
use http::{Request, Response};
use hyper::body::Incoming;
use plan::{Plan, View};
use tokio_util::sync::CancellationToken;
use upstream::{Fleet, Pool, Server};

use crate::{
    body::Body,
    budget::Budget,
    cross::{
        guests::Guests,
        seal::Seal,
        suspended::{self, Suspended},
    },
    listeners::Listeners,
    meters::Meters,
    place::Place,
    session::Session,
    sessions::Sessions,
    views::Views,
};

/// Answers requests that are none of the protocol's: the API, metrics, pages.
pub type Fallback =
    Arc<dyn Fn(Request<Incoming>) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync>;

/// The data plane's shared state.
pub struct Gateway {
    /// The plan of the moment.
    pub plan: ArcSwap<Plan>,
    /// The servers.
    pub fleet: Arc<Fleet>,
    /// The clients' sessions.
    pub sessions: Sessions,
    /// What the views show.
    pub views: Views,
    /// Modern clients that listen for changes.
    pub listeners: Listeners,
    /// Modern callers' sessions at legacy servers.
    pub guests: Guests,
    /// Modern callers' calls that wait for input.
    pub suspended: Suspended,
    /// What seals their states.
    pub seal: Seal,
    /// What is counted.
    pub meters: Meters,
    /// Room for large request bodies.
    pub(crate) budget: Budget,
    /// Who answers all else.
    pub fallback: Fallback,
    /// Cancelled when Hostler stops: streams end, connections drain.
    pub stopping: CancellationToken,
    /// Set once the servers of the first plan had their chance to start.
    pub ready: AtomicBool,
}

impl Gateway {
    /// A gateway for a first plan.
    #[must_use]
    pub fn new(plan: Arc<Plan>, fleet: Arc<Fleet>, fallback: Fallback, seal: Seal) -> Arc<Self> {
        let budget = Budget::new(plan.limits.held);
        Arc::new(Self {
            plan: ArcSwap::new(plan),
            fleet,
            sessions: Sessions::default(),
            views: Views::default(),
            listeners: Listeners::default(),
            guests: Guests::default(),
            suspended: Suspended::default(),
            seal,
            meters: Meters::default(),
            budget,
            fallback,
            stopping: CancellationToken::new(),
            ready: AtomicBool::new(false),
        })
    }

    /// The view at a place.
    ///
    /// # Errors
    /// When the plan has no such view.
    pub fn view(&self, place: &Place) -> Result<Arc<View>, Failure> {
        let Place::View(name) = place else { return Err(place.unknown()) };
        let plan = self.plan.load();
        plan.views.iter().find(|view| view.name == *name).cloned().ok_or_else(|| place.unknown())
    }

    /// The servers that a place shows.
    ///
    /// # Errors
    /// When the plan has no such place.
    pub fn servers(&self, place: &Place) -> Result<Vec<Arc<Server>>, Failure> {
        match place {
            Place::Server(name) => Ok(vec![self.fleet.get(name).ok_or_else(|| place.unknown())?]),
            Place::View(_) => {
                let view = self.view(place)?;
                Ok(view.selections.iter().filter_map(|s| self.fleet.get(s.server.as_str())).collect())
            }
        }
    }

    /// Tends what clients hold, until Hostler stops: changes of lists are told, idle sessions ended.
    pub async fn tend(self: Arc<Self>) {
        let mut generation = self.fleet.generation();
        let mut sweep = tokio::time::interval(std::time::Duration::from_secs(30));
        let mut suspended = tokio::time::interval(suspended::SWEEP);
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                changed = generation.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // A burst of changes is told once.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    generation.mark_unchanged();
                    self.tell_changes();
                }
                _ = sweep.tick() => {
                    self.sessions.sweep(self.plan.load().limits.session_idle);
                    self.guests.sweep();
                }
                _ = suspended.tick() => self.suspended.sweep(),
            }
        }
    }

    /// Puts another plan in place. Servers must have been brought in line before.
    pub fn replace(&self, plan: Arc<Plan>) {
        self.budget.resize(plan.limits.held);
        self.plan.store(plan);
        self.tell_changes();
    }

    fn tell_changes(&self) {
        let changes = self.views.refresh(&self.plan.load(), &self.fleet);
        if changes.is_empty() {
            return;
        }
        for session in self.sessions.all() {
            let Place::View(name) = &session.place else { continue };
            let profile = Some(session.introduction().profile);
            let lists = changes.iter().filter(|c| c.view == *name && c.profile == profile).flat_map(|c| &c.lists);
            let mut methods: Vec<_> = lists.map(|kind| kind.changed()).collect();
            methods.sort_unstable();
            methods.dedup();
            for method in methods {
                session.outlet.push(wire::build::notification(method, None).into());
            }
        }
        for change in &changes {
            self.listeners.changed(&change.view, change.profile, &change.lists);
        }
    }

    /// Whether Hostler is on its way out.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Whether it is ready for clients.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_stopping()
    }

    /// Adds a session within the bound.
    ///
    /// # Errors
    /// At the bound.
    pub fn admit(&self, session: &Arc<Session>) -> Result<(), Failure> {
        self.sessions.add(session.clone(), self.plan.load().limits.sessions)
    }
}

/// One data-plane thread's own things.
#[derive(Clone)]
pub struct Lane {
    /// What all share.
    pub gateway: Arc<Gateway>,
    /// This thread's connections to servers.
    pub pool: Arc<Pool>,
}

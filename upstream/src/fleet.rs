//! All servers: brought in line with the plan, looked up by calls, stopped together.
//!
//! Never decides which servers there should be.

use std::{collections::BTreeMap, sync::Arc, thread::available_parallelism};

use arc_swap::ArcSwap;
use ground::ServerName;
use store::Memories;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    http::pool::Pool,
    server::{Server, Surroundings},
    spec::Spec,
};

/// The servers.
pub struct Fleet {
    servers: ArcSwap<BTreeMap<ServerName, Arc<Server>>>,
    around: Surroundings,
}

impl Fleet {
    /// A fleet without servers. Its tasks and processes live on the given runtime.
    #[must_use]
    pub fn new(runtime: Handle, memories: Memories) -> Arc<Self> {
        // Starting is mostly reading and compiling: a few more than there are cores keeps them busy without thrashing.
        let starts = available_parallelism().map_or(4, |cores| cores.get() * 2);
        let around = Surroundings {
            runtime,
            pool: Pool::new(),
            memories,
            generation: watch::Sender::new(0),
            starts: Arc::new(Semaphore::new(starts)),
        };
        Arc::new(Self { servers: ArcSwap::default(), around })
    }

    /// Brings the fleet in line: new servers are started, those that are gone stopped, changed ones replaced, and those
    /// that did not change are left alone.
    pub fn apply(&self, specs: &[Arc<Spec>]) {
        let old = self.servers.load_full();
        let mut new = BTreeMap::new();
        for spec in specs {
            let server = match old.get(&spec.name) {
                Some(server) if server.spec() == spec => server.clone(),
                _ => {
                    let server = Server::new(spec.clone(), self.around.clone());
                    self.around.runtime.spawn(server.clone().tend());
                    server
                }
            };
            new.insert(spec.name.clone(), server);
        }
        let new = Arc::new(new);
        self.servers.store(new.clone());
        for (name, server) in old.iter() {
            if !new.get(name).is_some_and(|kept| Arc::ptr_eq(kept, server)) {
                tracing::info!(server = %name, "the server is stopped: it was changed or removed");
                let server = server.clone();
                self.around.runtime.spawn(async move { server.stop().await });
            }
        }
        self.around.touch();
    }

    /// A server by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Server>> {
        self.servers.load().get(name).cloned()
    }

    /// All servers, by name.
    #[must_use]
    pub fn all(&self) -> Arc<BTreeMap<ServerName, Arc<Server>>> {
        self.servers.load_full()
    }

    /// A number that changes whenever a server's state or lists change.
    #[must_use]
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.around.generation.subscribe()
    }

    /// Stops all servers at the same time and waits for their end.
    pub async fn stop(&self) {
        let servers = self.servers.swap(Arc::default());
        let mut stopping = JoinSet::new();
        for server in servers.values() {
            let server = Arc::clone(server);
            stopping.spawn(async move { server.stop().await });
        }
        stopping.join_all().await;
    }
}

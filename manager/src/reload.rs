//! Hot reload: a good file becomes the new plan, a bad one is told and changes nothing.
//!
//! Survives editors that replace the file, folders whose symbolic links are swapped, and files that are gone for a
//! moment. Never applies a plan: it publishes it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use notify_debouncer_full::{
    DebounceEventResult, Debouncer, NoCache, new_debouncer_opt,
    notify::{Config, EventKind, RecommendedWatcher, RecursiveMode},
};
use plan::Plan;
use serde::Serialize;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinHandle,
    time::MissedTickBehavior,
};

use crate::{Builtins, Loaded, Problem, Surroundings, load::attempt};

/// Events of a file are gathered for this long, because editors write in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// How often files are looked at where the system reports no events, as on network file systems.
const LOOK: Duration = Duration::from_secs(5);

/// Requests to reload at once that may wait.
const REQUESTS: usize = 8;

/// What became of the file the last time that it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reloaded {
    /// Counts the plans that were published, beginning with 1 for the first.
    pub generation: u64,
    /// What is wrong with the file as it is now; empty when the plan came from it as it is now.
    pub refused: Vec<Problem>,
    /// What is odd about the file that the plan came from.
    pub warnings: Vec<Problem>,
    /// Keys that the file changed since Hostler started and that only a restart brings into force.
    pub needs_restart: Vec<&'static str>,
}

/// Keeps the plan true to the file. Stops when it is dropped.
pub struct Reload {
    plans: watch::Receiver<Arc<Plan>>,
    state: watch::Receiver<Reloaded>,
    requests: mpsc::Sender<oneshot::Sender<Reloaded>>,
    task: JoinHandle<()>,
}

impl Drop for Reload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reload {
    /// Begins to watch the file of a configuration that was just loaded, and the files that values came from. Without a
    /// file nothing is watched. To be called inside a runtime.
    #[must_use]
    pub fn start(loaded: Loaded, builtins: Builtins) -> Self {
        Self::start_in(Surroundings::of_process(), loaded, builtins)
    }

    /// As [`Reload::start`], in given surroundings.
    #[must_use]
    pub fn start_in(surroundings: Surroundings, loaded: Loaded, builtins: Builtins) -> Self {
        let first = Arc::new(loaded.plan);
        let (plans_in, plans) = watch::channel(first.clone());
        let reloaded = Reloaded { generation: 1, warnings: loaded.warnings, ..Reloaded::default() };
        let (state_in, state) = watch::channel(reloaded);
        let (requests, inbox) = mpsc::channel(REQUESTS);
        let source = Source { surroundings, file: loaded.file, builtins };
        let keeper = Keeper { source: Arc::new(source), first, plans: plans_in, state: state_in };
        let task = tokio::spawn(keeper.run(loaded.value_files, inbox));
        Self { plans, state, requests, task }
    }

    /// The plan, now and whenever it changes.
    #[must_use]
    pub fn plans(&self) -> watch::Receiver<Arc<Plan>> {
        self.plans.clone()
    }

    /// What became of the file, now and whenever it is read again with another result.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Reloaded> {
        self.state.clone()
    }

    /// Reads the file now, for SIGHUP, and says what became of it.
    pub async fn reload_now(&self) -> Reloaded {
        let (answer, answered) = oneshot::channel();
        // Both fail only once the task is gone, and then nothing changes any more.
        if self.requests.send(answer).await.is_ok()
            && let Ok(reloaded) = answered.await
        {
            return reloaded;
        }
        self.state.borrow().clone()
    }
}

/// What a configuration is read from.
struct Source {
    surroundings: Surroundings,
    file: Option<PathBuf>,
    builtins: Builtins,
}

struct Keeper {
    source: Arc<Source>,
    /// The plan that Hostler started with: what a restart would be needed for is kept from it.
    first: Arc<Plan>,
    plans: watch::Sender<Arc<Plan>>,
    state: watch::Sender<Reloaded>,
}

impl Keeper {
    async fn run(self, value_files: Vec<PathBuf>, mut inbox: mpsc::Receiver<oneshot::Sender<Reloaded>>) {
        let mut watching = Watching::start();
        watching.aim(self.paths(value_files), None).await;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                () = watching.wake.notified() => None,
                _ = look.tick() => {
                    if !watching.moved().await {
                        continue;
                    }
                    None
                }
                request = inbox.recv() => match request {
                    Some(request) => Some(request),
                    None => return,
                },
            };
            // Looked at before it is read: what changes meanwhile is seen the next time.
            let looks = observe(watching.files.clone()).await.1;
            let value_files = self.read().await;
            watching.aim(self.paths(value_files), Some(looks)).await;
            if let Some(asked) = asked {
                // Whoever asked may have gone.
                let _ = asked.send(self.state.borrow().clone());
            }
        }
    }

    /// Every file that decides the plan.
    fn paths(&self, value_files: Vec<PathBuf>) -> Vec<PathBuf> {
        let here = self.source.surroundings.working_directory();
        self.source.file.iter().map(|file| here.join(file)).chain(value_files).collect()
    }

    /// Reads the file and publishes what became of it. Returns the files that values come from.
    async fn read(&self) -> Vec<PathBuf> {
        let source = self.source.clone();
        if source.file.is_none() {
            return Vec::new();
        }
        let reading = tokio::task::spawn_blocking(move || {
            attempt(&source.surroundings, source.file.as_deref(), &source.builtins)
        });
        // A reading that panics is a fault of the program, and the plan stays as it is.
        let Ok((result, value_files)) = reading.await else { return Vec::new() };
        match result {
            Ok(loaded) => self.accept(loaded),
            Err(problems) => self.refuse(problems),
        }
        value_files
    }

    fn accept(&self, loaded: Loaded) {
        let mut plan = loaded.plan;
        let needs_restart = kept_from_first(&mut plan, &self.first);
        let plan = Arc::new(plan);
        let changed = self.plans.send_if_modified(|current| {
            let changed = *current != plan;
            if changed {
                *current = plan;
            }
            changed
        });
        let generation = self.state.borrow().generation + u64::from(changed);
        let news = Reloaded { generation, refused: Vec::new(), warnings: loaded.warnings, needs_restart };
        if changed {
            tracing::info!(generation, "the configuration was reloaded");
        }
        self.tell(news);
    }

    fn refuse(&self, problems: Vec<Problem>) {
        let news = Reloaded { refused: problems, ..self.state.borrow().clone() };
        self.tell(news);
    }

    /// Publishes and logs what is new; the same again is not told twice.
    fn tell(&self, news: Reloaded) {
        let before = self.state.borrow().clone();
        if news == before {
            return;
        }
        if news.refused != before.refused {
            for problem in &news.refused {
                tracing::error!(%problem, "the configuration is not reloaded, and the one before stays in force");
            }
        }
        if news.warnings != before.warnings {
            for problem in &news.warnings {
                tracing::warn!(%problem, "the configuration has an oddity");
            }
        }
        if news.needs_restart != before.needs_restart {
            for key in &news.needs_restart {
                tracing::warn!(key, "this change of the configuration needs a restart of hostler");
            }
        }
        self.state.send_replace(news);
    }
}

/// Keeps in a plan what cannot change while Hostler runs, and names the keys that tried to.
fn kept_from_first(plan: &mut Plan, first: &Plan) -> Vec<&'static str> {
    let mut keys = Vec::new();
    if plan.listen.address != first.listen.address {
        keys.push("listen");
        // Whether any host may be named was decided for an address that is not in use.
        plan.guards.any_host &= first.guards.any_host;
    }
    if plan.listen.threads != first.listen.threads {
        keys.push("threads");
    }
    if plan.state_dir != first.state_dir {
        keys.push("state_dir");
    }
    if plan.cluster != first.cluster {
        keys.push("cluster");
    }
    plan.cluster = first.cluster.clone();
    if plan.log.json != first.log.json {
        keys.push("log.format");
    }
    plan.log.json = first.log.json;
    plan.listen = first.listen.clone();
    plan.state_dir.clone_from(&first.state_dir);
    keys
}

/// What a file looks like from outside; none while it is not there.
type Looks = Option<(PathBuf, SystemTime, u64)>;

/// The watch over some files, through the folders that they lie in, so that a file may be replaced or come back.
struct Watching {
    wake: Arc<Notify>,
    watcher: Option<Debouncer<RecommendedWatcher, NoCache>>,
    folders: BTreeSet<PathBuf>,
    files: Vec<PathBuf>,
    looks: Vec<Looks>,
}

impl Watching {
    fn start() -> Self {
        let wake = Arc::new(Notify::new());
        let handler = {
            let wake = wake.clone();
            // Reading a file is an event too, and must not lead to reading it again.
            move |events: DebounceEventResult| match events {
                Ok(events) if events.iter().all(|event| matches!(event.kind, EventKind::Access(_))) => {}
                Ok(_) | Err(_) => wake.notify_one(),
            }
        };
        let watcher = new_debouncer_opt(SETTLE, None, handler, NoCache::new(), Config::default());
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "no file events: changes are noticed after some seconds"))
            .ok();
        Self { wake, watcher, folders: BTreeSet::new(), files: Vec::new(), looks: Vec::new() }
    }

    /// Watches these files from now on. `looks` is how the files before were when they were read.
    async fn aim(&mut self, files: Vec<PathBuf>, looks: Option<Vec<Looks>>) {
        let same = files == self.files;
        let (files, now, folders) = observe(files).await;
        self.files = files;
        self.looks = looks.filter(|_| same).unwrap_or(now);
        if same && folders == self.folders {
            return;
        }
        if let Some(watcher) = &mut self.watcher {
            for gone in self.folders.difference(&folders) {
                // A folder that was removed is no longer watched anyway.
                let _ = watcher.unwatch(gone);
            }
            // One that cannot be watched is still looked at.
            for new in folders.difference(&self.folders) {
                let _ = watcher.watch(new, RecursiveMode::NonRecursive);
            }
        }
        self.folders = folders;
        // What changed before the watch began is found by reading once more.
        self.wake.notify_one();
    }

    /// Whether a file looks different from when it was last read.
    async fn moved(&self) -> bool {
        let (_, looks, _) = observe(self.files.clone()).await;
        looks != self.looks
    }
}

/// What files look like, and the folders in which a change of them shows.
async fn observe(files: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<Looks>, BTreeSet<PathBuf>) {
    let observing = tokio::task::spawn_blocking(move || {
        let looks: Vec<Looks> = files.iter().map(|file| look_at(file)).collect();
        let real = looks.iter().flatten().map(|(file, ..)| file.as_path());
        let folders = files.iter().map(PathBuf::as_path).chain(real).filter_map(Path::parent).map(Path::to_owned);
        let folders = folders.collect();
        (files, looks, folders)
    });
    observing.await.unwrap_or_default()
}

fn look_at(file: &Path) -> Looks {
    let real = file.canonicalize().ok()?;
    let metadata = real.metadata().ok()?;
    Some((real, metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests;

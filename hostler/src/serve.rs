//! Running the gateway: the threads, the wiring between the planes, and the orderly end.
//!
//! Data plane: one current-thread runtime a core, each a *lane* with its own listener. Control plane: one runtime of two
//! threads for processes, catalogs, the API and signals. Never decides anything about a call.

use std::{
    io,
    sync::{Arc, OnceLock, atomic::Ordering},
    thread,
    time::Duration,
};

use admin::{InstanceStatus, LogLine, LogLines, Ready, ServerStatus, State, View};
use anyhow::{Context, Result};
use gateway::{Body, Gateway, Lane, cross::seal::Seal};
use http_body_util::BodyExt;
use plan::{Limits, Plan};
use store::Memories;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};
use tower_service::Service;
use upstream::{Fleet, Pool, process};

use crate::{gauges::Gauges, log};

/// How long `ready` waits at most for the servers' first start.
const FIRST_START: Duration = Duration::from_secs(20);
/// What was learned of a server that is not in the configuration any more is kept for this long: 30 days.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);
/// As many open files as a handful of people with a dozen servers come to.
const FEW_FILES: u64 = 1024;

/// The control plane's runtime.
///
/// # Errors
/// When the system gives no threads.
pub fn control_runtime() -> Result<Runtime> {
    let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("control").enable_all().build();
    runtime.context("the control plane's threads could not be started")
}

/// What runs once the gateway is up.
pub struct Running {
    /// The data plane's shared state.
    pub gateway: Arc<Gateway>,
    lanes: Vec<thread::JoinHandle<io::Result<()>>>,
}

/// What states handed to clients are sealed with: the key that the nodes share, else this node's own.
fn seal(plan: &Plan) -> Result<Seal> {
    let material = match &plan.cluster.key {
        Some(key) => key.reveal().as_bytes().to_vec(),
        None => store::key::of_node(&plan.state_dir).context("the key in the state folder cannot be used")?,
    };
    let node = plan.cluster.advertise.clone().unwrap_or_default();
    Seal::new(&material, node).map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Has as many files open at once as the system allows, and says when that is fewer than the plan may need.
pub fn allow_files(plan: &Plan) {
    let wanted = plan.files(cores());
    let chosen = plan.limits.connections != Limits::default().connections;
    // The default bound is far beyond what most have connected; `hostler doctor` tells of it.
    let short = |allowed: &u64| *allowed < if chosen { wanted } else { wanted.min(FEW_FILES) };
    if let Some(allowed) = process::allow_many().filter(short) {
        tracing::warn!(
            allowed,
            wanted,
            "fewer files may be open at once than connections are allowed: raise the hard limit (`ulimit -Hn`) or lower \
             `limits.connections`"
        );
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Starts the gateway for a first plan.
///
/// # Errors
/// When the state folder or the address cannot be used.
pub fn start(control: &Runtime, mut plan: Plan) -> Result<Running> {
    process::become_subreaper();
    plan.listen.address = free_address(plan.listen.address)?;
    let memories = Memories::open(&plan.state_dir)
        .with_context(|| format!("the state folder {} cannot be used (`state_dir`)", plan.state_dir.display()))?;
    memories.sweep(&plan.servers.iter().map(|spec| &spec.name).collect::<Vec<_>>(), FORGOTTEN);
    let seal = seal(&plan)?;
    let plan = Arc::new(plan);
    let fleet = Fleet::new(control.handle().clone(), memories);
    let window = Arc::new(Window(OnceLock::new()));
    let gateway = Gateway::new(plan.clone(), fleet.clone(), fallback(window.clone()), seal);
    let _ = window.0.set(gateway.clone());
    Gauges::register(&gateway);
    let lanes = lanes(&gateway, &plan)?;
    fleet.apply(&plan.servers);
    control.spawn(gateway.clone().tend());
    control.spawn(watch_readiness(gateway.clone()));
    Ok(Running { gateway, lanes })
}

fn lanes(gateway: &Arc<Gateway>, plan: &Plan) -> Result<Vec<thread::JoinHandle<io::Result<()>>>> {
    let count = plan.listen.threads.unwrap_or_else(cores).max(1);
    // Not every system spreads connections over listeners that share a port; there, one lane must do.
    let count = if cfg!(target_os = "linux") { count } else { 1 };
    let address = plan.listen.address;
    let mut lanes = Vec::with_capacity(count);
    for number in 0..count {
        let listener = gateway::listen::bind(address, true).with_context(|| in_use(address))?;
        let gateway = gateway.clone();
        let run = move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(gateway::listen::serve(Lane { gateway, pool: Pool::new() }, listener))
        };
        let lane = thread::Builder::new().name(format!("lane-{number}")).spawn(run);
        lanes.push(lane.context("a data-plane thread could not be started")?);
    }
    Ok(lanes)
}

/// The address, with its port chosen if that was left open. Bound without sharing, so that an address in use by another
/// program is noticed: lanes would share it with another Hostler unseen.
fn free_address(address: std::net::SocketAddr) -> Result<std::net::SocketAddr> {
    let listener = gateway::listen::bind(address, false).with_context(|| in_use(address))?;
    listener.local_addr().with_context(|| in_use(address))
}

fn in_use(address: std::net::SocketAddr) -> String {
    format!(
        "{address} cannot be listened on: is another program (or another Hostler) using it? Set `listen` to another port"
    )
}

/// Ready once each server is open or has failed once: whoever waits for it finds what there is to find.
async fn watch_readiness(gateway: Arc<Gateway>) {
    let mut generation = gateway.fleet.generation();
    let settled = async {
        while !gateway.fleet.all().values().all(|server| server.is_settled()) {
            if generation.changed().await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(FIRST_START, settled).await;
    gateway.ready.store(true, Ordering::Release);
}

/// Serves until a signal asks for the end, following changes of the plan; then ends everything in order.
///
/// # Errors
/// When signals cannot be heard.
pub fn until_asked(
    control: &Runtime,
    running: Running,
    reload: &manager::Reload,
    log: &mut log::Running,
) -> Result<()> {
    let gateway = running.gateway;
    let mut plans = reload.plans();
    control.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => drop(reload.reload_now().await),
                Ok(()) = plans.changed() => {
                    let mut plan = Plan::clone(&plans.borrow_and_update());
                    // What is listened on stays until a restart, whatever the command line or the file says.
                    plan.listen = gateway.plan.load().listen.clone();
                    log.follow(&plan.log);
                    gateway.fleet.apply(&plan.servers);
                    gateway.replace(Arc::new(plan));
                    tracing::info!("the configuration has been put in place");
                }
            }
        }
        tracing::info!("stopping");
        gateway.stopping.cancel();
        gateway.sessions.end_all();
        gateway.fleet.stop().await;
        Ok::<_, anyhow::Error>(())
    })?;
    for lane in running.lanes {
        let _ = lane.join();
    }
    Ok(())
}

/// The API, as the data plane's fallback. Its answers are made on the control plane's behalf but cost little.
fn fallback(window: Arc<Window>) -> gateway::Fallback {
    let router = admin::router(window);
    Arc::new(move |request| {
        let mut router = router.clone();
        Box::pin(async move {
            // A router has no error of its own.
            let response = match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            response.map(|body| Body::foreign(body.map_err(Into::into).boxed_unsync()))
        })
    })
}

/// What the API sees of the running program.
struct Window(OnceLock<Arc<Gateway>>);

impl View for Window {
    fn servers(&self) -> Vec<ServerStatus> {
        let Some(gateway) = self.0.get() else { return Vec::new() };
        gateway.fleet.all().values().map(|server| told(&server.status())).collect()
    }

    fn server(&self, name: &str) -> Option<ServerStatus> {
        self.0.get()?.fleet.get(name).map(|server| told(&server.status()))
    }

    fn logs(&self, name: &str, tail: usize) -> Option<Vec<LogLine>> {
        let server = self.0.get()?.fleet.get(name)?;
        Some(server.stderr().tail(tail).into_iter().map(line).collect())
    }

    fn logs_after(&self, name: &str, after: u64) -> Option<LogLines> {
        let ring = self.0.get()?.fleet.get(name)?.stderr().clone();
        Some(Box::pin(async move { ring.follow(after).await.into_iter().map(line).collect() }))
    }

    fn metrics(&self) -> String {
        self.0.get().map(|gateway| gateway.meters.text()).unwrap_or_default()
    }

    fn ready(&self) -> Ready {
        match self.0.get() {
            Some(gateway) if gateway.is_ready() => Ready { ready: true, reasons: Vec::new() },
            Some(gateway) if gateway.is_stopping() => Ready { ready: false, reasons: vec!["stopping".into()] },
            _ => Ready { ready: false, reasons: vec!["servers are being started".into()] },
        }
    }
}

fn line(line: process::Line) -> LogLine {
    let unix = line.at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    LogLine {
        number: line.number,
        unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
        text: line.text.to_string(),
    }
}

fn told(status: &upstream::status::Status) -> ServerStatus {
    use upstream::status::State as Known;
    let mut eras = Vec::new();
    if status.eras.modern == Some(true) {
        eras.push("modern".to_owned());
    }
    if status.eras.legacy == Some(true) {
        eras.push("legacy".to_owned());
    }
    let [tools, prompts, resources, templates] = status.counts;
    ServerStatus {
        name: status.name.clone(),
        kind: status.kind.to_owned(),
        target: status.target.clone(),
        state: match status.state {
            Known::Starting => State::Starting,
            Known::Ready => State::Ready,
            Known::Failed => State::Failed,
            Known::Stopped => State::Stopped,
        },
        eras,
        restarts: status.restarts,
        failure: status.failure.clone(),
        instances: status.instances.iter().map(instance).collect(),
        tools,
        prompts,
        resources,
        templates,
    }
}

fn instance(instance: &upstream::status::Instance) -> InstanceStatus {
    InstanceStatus {
        id: instance.id,
        pid: instance.pid,
        era: if instance.era == wire::Era::Modern { "modern" } else { "legacy" }.to_owned(),
        version: instance.version.map(str::to_owned),
        share: instance.share.to_owned(),
        uptime_seconds: instance.age.as_secs(),
        calls: instance.calls,
        in_flight: instance.in_flight,
    }
}

//! Load: so many keep-alive connections, either each sending as soon as it was answered, or all together at a fixed rate.
//!
//! At a fixed rate a latency counts from when a request was due, not from when it could be sent, so that a server that
//! stands still is not spared the calls it kept from being made. Warm-up is never counted. Never retries: an error is
//! an error, and its connection ends.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::{io::AsyncReadExt as _, net::unix::pipe, time::Instant};

use crate::{
    client::Client,
    process::{Usage, usage},
    script::{FIRST_ID, Script},
};

/// Latencies above this count as this, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Keep-alive connections.
    pub connections: usize,
    /// Threads of the load itself.
    pub threads: usize,
    /// Load before counting begins.
    pub warm_up: Duration,
    /// Load that is counted.
    pub window: Duration,
    /// Requests in a second over all connections; nothing for as many as are answered.
    pub rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Requests answered in the window.
    pub requests: u64,
    /// The window.
    pub elapsed: Duration,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
    /// Wrong answers and broken connections, warm-up included.
    pub errors: u64,
    /// The first of them.
    pub error: Option<String>,
    /// Of each process family that was watched: processor time in the window, memory at its end.
    pub used: Vec<Usage>,
}

/// What the connections share with the one who counts.
struct Shared {
    script: Script,
    shape: Shape,
    /// Whether answers are being counted.
    counting: AtomicBool,
    over: AtomicBool,
    /// Answers so far, counted or not; one for each thread, so that they do not quarrel over it.
    answered: Vec<AtomicU64>,
    errors: AtomicU64,
    error: Mutex<Option<String>>,
}

/// Loads a server and watches the processes of these ids.
///
/// # Errors
/// When a watched process is gone or a thread cannot be started. Wrong answers are counted, not returned.
pub async fn run(script: &Script, shape: Shape, watched: &[u32]) -> Result<Measured> {
    let shared = Arc::new(Shared {
        script: script.clone(),
        shape,
        counting: AtomicBool::new(false),
        over: AtomicBool::new(false),
        answered: (0..shape.threads).map(|_| AtomicU64::new(0)).collect(),
        errors: AtomicU64::new(0),
        error: Mutex::new(None),
    });
    let threads: Vec<_> = (0..shape.threads)
        .map(|thread| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("load-{thread}")).spawn(move || work(&shared, thread))
        })
        .collect::<std::io::Result<_>>()?;
    tokio::time::sleep(shape.warm_up).await;
    let before = (Instant::now(), shared.total(), usages(watched)?);
    shared.counting.store(true, Relaxed);
    tokio::time::sleep(shape.window).await;
    shared.counting.store(false, Relaxed);
    let after = (Instant::now(), shared.total(), usages(watched)?);
    shared.over.store(true, Relaxed);
    let mut latency = histogram()?;
    for thread in threads {
        let part = thread.join().map_err(|_| anyhow::anyhow!("a thread of the load panicked"))??;
        latency.add(&part)?;
    }
    let used = after.2.iter().zip(&before.2);
    let used = used.map(|(now, then)| Usage { cpu: now.cpu.saturating_sub(then.cpu), memory: now.memory });
    let error = shared.error.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(Measured {
        requests: after.1 - before.1,
        elapsed: after.0 - before.0,
        latency,
        errors: shared.errors.load(Relaxed),
        error,
        used: used.collect(),
    })
}

fn usages(watched: &[u32]) -> Result<Vec<Usage>> {
    watched.iter().map(|pid| usage(*pid)).collect()
}

fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST, 3).context("histogram")
}

impl Shared {
    fn total(&self) -> u64 {
        self.answered.iter().map(|count| count.load(Relaxed)).sum()
    }

    fn failed(&self, error: &anyhow::Error) {
        self.errors.fetch_add(1, Relaxed);
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// One thread: its share of the connections, on a runtime of its own.
fn work(shared: &Arc<Shared>, thread: usize) -> Result<Histogram<u64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shape = &shared.shape;
        let mine = (thread..shape.connections).step_by(shape.threads);
        let tasks: Vec<_> =
            mine.map(|connection| tokio::spawn(drive(Arc::clone(shared), thread, connection))).collect();
        let mut latency = histogram()?;
        for task in tasks {
            match task.await? {
                Ok(part) => latency.add(&part)?,
                Err(error) => shared.failed(&error),
            }
        }
        Ok(latency)
    })
}

/// One connection until the end.
async fn drive(shared: Arc<Shared>, thread: usize, connection: usize) -> Result<Histogram<u64>> {
    let (mut client, session) = Client::connect(&shared.script).await?;
    let mut request = shared.script.call(&session);
    let mut schedule = shared.shape.rate.map(|rate| Schedule::new(rate, &shared.shape, connection)).transpose()?;
    let mut latency = histogram()?;
    let mut id = FIRST_ID;
    while !shared.over.load(Relaxed) {
        let begin = match &mut schedule {
            Some(schedule) => schedule.next().await?,
            None => Instant::now(),
        };
        if let Err(error) = client.call(request.with_id(id), id).await {
            // What the server was still answering when the load went away is no error of its own.
            if !shared.over.load(Relaxed) {
                shared.failed(&error);
            }
            break;
        }
        shared.answered[thread].fetch_add(1, Relaxed);
        if shared.counting.load(Relaxed) {
            let nanoseconds = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(LONGEST);
            latency.saturating_record(nanoseconds);
        }
        id += 1;
    }
    Ok(latency)
}

/// When the requests of one connection are due. The runtime's own timer ticks in milliseconds, which would be most
/// of what is measured, so the kernel's is used.
struct Schedule {
    alarm: pipe::Receiver,
    start: Instant,
    interval: Duration,
    sent: u32,
}

impl Schedule {
    /// The connections take turns evenly over one interval.
    fn new(rate: f64, shape: &Shape, connection: usize) -> Result<Self> {
        let connections = shape.connections as f64;
        let interval = Duration::from_secs_f64(connections / rate);
        let delay = interval.mul_f64((connection as f64 + 1.0) / connections);
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let expiration = Expiration::IntervalDelayed(TimeSpec::from(delay), TimeSpec::from(interval));
        timer.set(expiration, TimerSetTimeFlags::empty())?;
        let start = Instant::now() + delay;
        // A timer is read like a pipe: it is not one, and the unchecked constructor does not ask.
        let alarm = pipe::Receiver::from_owned_fd_unchecked(OwnedFd::from(timer))?;
        Ok(Self { alarm, start, interval, sent: 0 })
    }

    /// Waits for the next request to be due, unless it is overdue; gives back when it was due.
    async fn next(&mut self) -> Result<Instant> {
        let due = self.start + self.interval * self.sent;
        self.sent += 1;
        while Instant::now() < due {
            // The number of expirations that it reads is of no use here: the clock says what is due.
            self.alarm.read_exact(&mut [0; 8]).await?;
        }
        Ok(due)
    }
}

//! The log: lines on standard error, as text for people or JSON for programs. Written by a thread of its own, so that a
//! call never waits for a terminal or a pipe.

use std::io::IsTerminal;

use plan::Log;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; beyond it lines are dropped rather than calls delayed.
const WAITING: usize = 16_384;

/// The log, while it is held. What is still waiting is written when it is dropped.
pub struct Running {
    _writer: WorkerGuard,
    level: String,
    refilter: Box<dyn Fn(EnvFilter) + Send + Sync>,
}

impl Running {
    /// Logs by another level from now on. The format stays until a restart.
    pub fn follow(&mut self, log: &Log) {
        if log.level != self.level {
            self.level.clone_from(&log.level);
            (self.refilter)(filter(log));
        }
    }
}

fn filter(log: &Log) -> EnvFilter {
    EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Starts the log.
pub fn start(log: &Log) -> Running {
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING).lossy(true).finish(std::io::stderr());
    let lines = tracing_subscriber::fmt().with_env_filter(filter(log)).with_writer(writer);
    // Starting fails only when a log was started before, another filter only when the log is gone.
    let refilter: Box<dyn Fn(EnvFilter) + Send + Sync> = if log.json {
        let lines = lines.json().flatten_event(true).with_filter_reloading();
        let handle = lines.reload_handle();
        let _ = lines.try_init();
        Box::new(move |filter| drop(handle.reload(filter)))
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = lines.with_ansi(colour).with_filter_reloading();
        let handle = lines.reload_handle();
        let _ = lines.try_init();
        Box::new(move |filter| drop(handle.reload(filter)))
    };
    Running { _writer: guard, level: log.level.clone(), refilter }
}

//! The log: lines on standard error, as text for people or JSON for programs. Written by a thread of its own, so that a
//! call never waits for a terminal or a pipe.

use std::io::IsTerminal;

use plan::Log;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; beyond it lines are dropped rather than calls delayed.
const WAITING: usize = 16_384;

/// Starts the log. What is still waiting is written when the guard is dropped.
pub fn start(log: &Log) -> WorkerGuard {
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING).lossy(true).finish(std::io::stderr());
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // Fails only when a log was started before.
    let _ = if log.json {
        lines.json().flatten_event(true).try_init()
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        lines.with_ansi(colour).try_init()
    };
    guard
}

//! The administration API: what the gateway and its servers are doing, as JSON over HTTP, and the probes and metrics
//! that an orchestrator reads.
//!
//! Never changes anything: every endpoint only reads. Never opens a socket, never checks who asks: whoever mounts the
//! router puts the gateway's guards before it. Never knows where its data comes from: that is behind [`View`].

mod logs;
mod problem;
mod router;
mod view;

pub use problem::Problem;
pub use router::router;
pub use view::{InstanceStatus, LogLine, LogLines, Ready, ServerStatus, State, View};

/// Most lines that one question for logs is answered with.
pub const TAIL_MAX: usize = 2000;

/// Lines that a question for logs is answered with when it does not say how many.
pub const TAIL_DEFAULT: usize = 100;

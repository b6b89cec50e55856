//! What must hold for any bytes: one function a fuzz target, called by libFuzzer and, with the seeds, by a test of `wire`.
//!
//! Never makes bytes up and never catches a panic: what does not hold ends the run.

mod bridge;
mod framing;
mod message;

pub use bridge::bridge;
pub use framing::{lines, sse};
pub use message::envelope;

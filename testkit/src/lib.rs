//! Fake MCP servers for tests and benchmarks, and what it takes to drive them.
//!
//! Two programs are built from this crate: `faulty`, a server on stdio that misbehaves to order, and `httpd`, a cheap
//! server over HTTP that counts and records what reaches it. Both are written from the specification alone and share
//! nothing with the gateway, so that a mistake in the gateway cannot hide behind the same mistake here.
//!
//! Never part of what is shipped: only tests and benchmarks depend on it. Here panics are answers: a test that
//! cannot start its server has failed.

pub mod offer;
pub mod pipe;
pub mod program;
pub mod protocol;
pub mod tools;
pub mod web;

pub use pipe::Pipe;
pub use program::{Httpd, program};

//! End-to-end tests: the built gateway between real servers and the official clients.
//!
//! The drivers in `drivers/` run one scenario with an official client and print what they saw; [`claims`] say what must
//! hold, the same whether the server is reached directly or through the gateway; `tests/` put the pieces together. The
//! direct runs (`tests/direct.rs`) prove drivers and claims without a gateway. Never part of what is shipped, never
//! looks inside the gateway: what it knows, a client could know.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a crate of tests: a failed expectation is its report")]

pub mod attempt;
pub mod claims;
pub mod client;
pub mod gateway;
pub mod http;
pub mod installed;
pub mod mark;
pub mod page;
pub mod relay;
pub mod server;
pub mod spawned;
pub mod wait;

pub use client::{Client, Place, Seen};
pub use gateway::{Gateway, Setting};
pub use server::Server;

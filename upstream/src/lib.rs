//! Instances of servers: started, greeted, kept, called, stopped. Processes, in-memory servers, and servers on HTTP.
//!
//! Makes the world match the plan's specs and reports back. Never decides what there should be, never answers a client,
//! never turns a message into typed values.

pub mod calls;
pub mod catalog;
mod departed;
mod door;
pub mod ear;
pub mod fleet;
mod hear;
pub mod hello;
pub mod http;
pub mod levels;
pub mod link;
pub mod message;
pub mod mux;
mod open;
mod outbox;
pub mod pause;
pub mod peer;
mod pipe;
pub mod process;
pub mod server;
pub mod spec;
pub mod status;
mod tend;
mod trouble;
pub mod want;

pub use calls::{Answer, Replies};
pub use catalog::{Catalog, Entry, ListKind};
pub use fleet::Fleet;
pub use http::pool::Pool;
pub use link::Link;
pub use message::{Message, Method, OnDrop, Outgoing};
pub use pause::Pause;
pub use peer::{Peer, PeerId};
pub use server::Server;
pub use want::{Introduction, Want};

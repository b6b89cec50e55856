//! The data plane: from a client's bytes to a server and back. Read [`path`] first.
//!
//! Never opens the database, never starts a server, never decodes a message into typed values on its way through.

pub mod admit;
mod asked;
pub mod body;
mod budget;
mod call;
mod compress;
pub mod cross;
mod enter;
mod face;
mod failure;
mod finish;
mod follow;
mod forward;
pub mod gateway;
mod holds;
mod in_flight;
mod introduce;
mod level;
mod linger;
pub mod listen;
mod listen_modern;
mod listeners;
mod lists;
pub mod meters;
mod notify;
mod outlet;
mod own;
mod path;
mod place;
mod respond;
mod restore;
mod resume;
mod rewrite;
mod route;
mod seldom;
mod session;
mod sessions;
mod shared;
mod subscriptions;
mod trail;
mod views;
mod websocket;

pub use body::Body;
pub use gateway::{Fallback, Gateway, Lane};

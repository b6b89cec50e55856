//! What every floor stands on: the failure type, names, limits and fresh identifiers.
//!
//! Never does I/O and never knows MCP.

pub mod failure;
pub mod fresh;
pub mod name;

pub use failure::{Failure, Kind, Retry, Source};
pub use name::ServerName;

/// The product's name as it introduces itself to servers and clients.
pub const PRODUCT: &str = "hostler";

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

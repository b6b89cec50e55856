//! The control plane: configuration files become a validated `Plan`, and clients' files are read and written.
//!
//! Never touches a process or a socket of a server: it publishes a Plan, `upstream` makes the world match it. The only
//! programs that it starts are well-known runtimes, which `doctor` asks for their version.

mod build;
mod client;
mod disk;
mod doctor;
mod document;
pub mod export;
mod find;
mod fit;
pub mod import;
mod interpolate;
mod jsonc;
mod key;
mod load;
mod near;
mod problem;
mod reload;
mod schema;
mod surroundings;
mod tree;
mod units;

pub use client::Client;
pub use doctor::{Finding, Level, doctor};
pub use find::{find, find_in, fresh_file};
pub use load::{Builtins, Loaded, load, load_in};
pub use problem::{Problem, Severity};
pub use reload::{Reload, Reloaded};
pub use schema::schema;
pub use surroundings::Surroundings;

//! What Hostler remembers between runs. The only crate that writes state to a disk.
//!
//! For now that is what it learned about each server (era, greeting, lists), one file a server, replaced atomically:
//! a crash leaves the old file or the new one, never a mixture; and the node's key. No other secret is kept.

pub mod key;
pub mod memory;

pub use memory::{Memories, Memory};

//! How MCP is spelled on the wire: JSON-RPC messages, server-sent events, headers, federated names, revisions.
//!
//! Never does I/O, never reads a clock, never turns arguments or results into trees. Bodies are read in place: what is
//! found is told as ranges, and what must differ is spliced between slices of the same buffer.

pub mod bridge;
pub mod build;
mod envelope;
pub mod era;
mod fault;
pub mod header;
mod keys;
mod level;
mod lines;
pub mod names;
mod nesting;
pub mod param_header;
mod reader;
mod scan;
mod skip;
mod span;
mod splice;
pub mod sse;
mod text;
#[cfg(target_arch = "x86_64")]
mod vector;
mod walk;

pub use envelope::{Envelope, Shape};
pub use era::{Era, Version};
pub use fault::Fault;
pub use level::Level;
pub use lines::Lines;
pub use scan::MAX_DEPTH;
pub use span::Span;
pub use splice::{Pieces, Splice, one_line};
pub use text::{quote, text, write_quoted};
pub use walk::{batch, elements, field, is_batch, members};

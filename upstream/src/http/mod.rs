//! Servers on HTTP: pooled connections, the two eras of Streamable HTTP, and the deprecated HTTP+SSE transport.

pub mod body;
pub mod carrier;
pub mod endpoint;
pub mod events;
pub mod pool;
pub mod sse;

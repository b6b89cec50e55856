//! The embedded demo server: a small MCP server inside Hostler, so that a fresh install has something to show.
//!
//! Speaks both eras on the same stream, newline-delimited JSON-RPC as on stdio. Never touches a file, a process or the
//! network. Everything it keeps is bounded and gone when Hostler ends.

mod countdown;
mod message;
mod notes;
mod offer;
mod session;
mod tools;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _, DuplexStream},
    sync::{broadcast::error::RecvError, mpsc},
};

use upstream::spec::Builtin;

use crate::lines::{Line, Lines};
use notes::Notes;
use session::Session;

/// The name by which the configuration calls this server.
pub const NAME: &str = "demo";

/// Bytes on their way in one direction of the in-memory stream.
const STREAM: usize = 64 << 10;

/// Longest message, in bytes: a little more than the largest body that the gateway lets through.
const MESSAGE: usize = 65 << 20;

/// Messages waiting to be written.
const OUTBOX: usize = 256;

/// The notes that all copies share: they live as long as Hostler runs, whatever happens to a copy.
static NOTES: LazyLock<Arc<Notes>> = LazyLock::new(Arc::default);

/// Starts a copy and returns the client's end of its stream. The copy ends when that end is dropped.
///
/// To be called within a runtime of tokio.
pub fn start() -> DuplexStream {
    start_with(NOTES.clone())
}

/// This server, as the configuration's `builtin: demo`.
pub fn builtin() -> Builtin {
    Builtin { name: NAME, start: Arc::new(start) }
}

fn start_with(notes: Arc<Notes>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(STREAM);
    tokio::spawn(serve(far, notes));
    near
}

async fn serve(stream: DuplexStream, notes: Arc<Notes>) {
    let (reader, writer) = tokio::io::split(stream);
    let (out, outbox) = mpsc::channel(OUTBOX);
    tokio::spawn(write(outbox, writer));
    let mut changes = notes.changes();
    let mut lines = Lines::new(reader, MESSAGE);
    let mut session = Session::new(notes, out);
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(Line::Text(text))) => session.read(&text).await,
                Ok(Some(Line::TooLong)) => session.too_long().await,
                Ok(None) | Err(_) => break,
            },
            change = changes.recv() => match change {
                Ok(change) => session.changed(&change).await,
                Err(RecvError::Lagged(_)) => session.missed_changes().await,
                Err(RecvError::Closed) => break,
            },
            Some(ended) = session.running.join_next() => session.ended(ended),
        }
    }
    // With the session its running calls are dropped, and with the last sender the writer ends.
}

/// Writes messages until nobody is left to send one, or nobody to read.
async fn write(mut outbox: mpsc::Receiver<Bytes>, mut to: impl AsyncWrite + Unpin) {
    while let Some(message) = outbox.recv().await {
        let written = async {
            to.write_all(&message).await?;
            to.write_all(b"\n").await
        };
        if written.await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

//! The stdio framing over any pair of byte streams: one JSON-RPC message a line, which `wire` cuts.
//!
//! Follows the stdio transport of every revision. Never interprets a message beyond finding its line.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ground::{Failure, Kind, Retry};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::{Lines, Pieces};

use crate::{link::Link, outbox::Outbox};

/// Lines that are no messages, after which the server is taken to speak something else than MCP.
const GARBAGE_BOUND: u32 = 10_000;

/// How much is asked of the stream at once, in bytes.
const CHUNK: usize = 64 << 10;

/// Writes messages until there are no more or the stream ends.
pub async fn write(mut outbox: Outbox, mut stream: impl AsyncWrite + Unpin + Send) {
    while let Some(message) = outbox.next().await {
        if write_line(message, &mut stream).await.is_err() {
            // The reader sees the end of the stream and tells why; what is still queued has nowhere to go.
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn write_line(message: Pieces, stream: &mut (impl AsyncWrite + Unpin + Send)) -> std::io::Result<()> {
    let mut line = BytesMut::new();
    for piece in message {
        let piece = wire::one_line(piece);
        if piece.len() > CHUNK {
            stream.write_all_buf(&mut line).await?;
            stream.write_all(&piece).await?;
        } else {
            line.extend_from_slice(&piece);
        }
    }
    line.extend_from_slice(b"\n");
    stream.write_all_buf(&mut line).await?;
    stream.flush().await
}

/// Reads messages and hands them to the link until the stream ends; returns why it ended.
pub async fn read(link: &Arc<Link>, mut stream: impl AsyncRead + Unpin + Send, bound: usize) -> Failure {
    let mut lines = Lines::new(bound);
    let mut garbage = 0;
    loop {
        match lines.next() {
            Ok(Some(line)) => {
                if !take_line(link, line, &mut garbage) {
                    return protocol(link, "the server prints something else than MCP on its standard output");
                }
                continue;
            }
            Ok(None) => {}
            Err(_) => {
                return protocol(
                    link,
                    &format!("the server sent a line of more than {bound} bytes (bound: `message`)"),
                );
            }
        }
        match stream.read_buf(lines.room(CHUNK)).await {
            Ok(0) => return ended(link, None),
            Err(error) => return ended(link, Some(error)),
            Ok(_) => {}
        }
    }
}

/// Hands on one line. False when too many lines were none.
fn take_line(link: &Arc<Link>, line: Bytes, garbage: &mut u32) -> bool {
    if line.iter().all(u8::is_ascii_whitespace) {
        return true;
    }
    if let Err(fault) = link.receive(line) {
        *garbage += 1;
        if garbage.is_power_of_two() {
            tracing::warn!(server = %link.server(), lines = *garbage, %fault, "not a message on the server's standard output; ignored");
        }
    }
    *garbage < GARBAGE_BOUND
}

fn protocol(link: &Link, text: &str) -> Failure {
    Failure::server(Kind::Protocol, link.server(), Retry::MaybeSent, format!("server `{}`: {text}", link.server()))
}

fn ended(link: &Link, error: Option<std::io::Error>) -> Failure {
    let text = format!("server `{}` went away", link.server());
    let failure = Failure::server(Kind::Broken, link.server(), Retry::MaybeSent, text);
    match error {
        Some(error) => failure.with_detail(error),
        None => failure,
    }
}

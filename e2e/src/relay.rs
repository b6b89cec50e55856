//! A WebSocket in front of a server on stdio, a process for each connection: there is no reference server that speaks
//! WebSocket, and the client that does has to be proved somewhere.
//!
//! Never looks into a message: a text frame is a line, a line is a text frame.

use std::process::Stdio;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinHandle,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

use crate::{Place, Server};

/// A listening relay; it ends with this value.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    listening: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn to(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, server.clone()));
            }
        });
        Self { port, listening }
    }

    /// As a client sees it.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::ws(&format!("ws://127.0.0.1:{}/ws", self.port))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(stream: TcpStream, server: Server) {
    #[allow(clippy::result_large_err, reason = "the library's own signature")]
    let agree = |_: &Request, mut response: Response| {
        // The client offers this subprotocol and insists on it.
        response.headers_mut().insert("sec-websocket-protocol", "mcp".parse().expect("a header value"));
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async(stream, agree).await else { return };
    let (mut out, mut frames) = socket.split();
    let [program, args @ ..] = server.command() else { return };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().expect("the server starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    loop {
        tokio::select! {
            frame = frames.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let line = format!("{text}\n");
                    if stdin.write_all(line.as_bytes()).await.is_err() { return }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
            line = lines.next_line() => match line {
                Ok(Some(line)) => if out.send(Message::text(line)).await.is_err() { return },
                _ => return,
            },
        }
    }
}

//! `hostler connect`: for clients that can only start programs, the gateway as such a program.
//!
//! Never writes anything but the protocol to standard output.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use tokio::time::timeout;
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Error, protocol::WebSocketConfig},
};

use crate::{
    bridge::{self, Dial, MESSAGE, WebSocket},
    cli::Connect,
    client::endpoint,
    exit::Exit,
    reach::{Gateway, Trouble},
};

/// From the connection to the end of its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Bridges the standard streams until standard input ends.
pub async fn run(args: &Connect, gateway: Gateway) -> Result<Exit> {
    let path = endpoint(args.server.as_deref(), args.view.as_deref(), "ws")?;
    let name = gateway.url();
    let (url, gateway) = (gateway.websocket(&path), Arc::new(gateway));
    let dial: Dial = Arc::new(move || {
        let (gateway, url) = (gateway.clone(), url.clone());
        Box::pin(async move { dial(&gateway, &url).await })
    });
    bridge::run(Box::new(tokio::io::stdin()), Box::new(tokio::io::stdout()), dial, &name, note).await;
    Ok(Exit::Ok)
}

async fn dial(gateway: &Gateway, url: &str) -> Result<WebSocket, String> {
    let socket = gateway.open().await.map_err(|trouble| match trouble {
        Trouble::Unreachable { why, .. } => format!("{why}; start it with `hostler serve`"),
        other => other.to_string(),
    })?;
    // Lists and results come in one message: somewhat more room than the longest that may be sent.
    let most = Some(MESSAGE + (1 << 20));
    let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
    match timeout(HANDSHAKE, client_async_with_config(url, socket, Some(config))).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(response))) => {
            Err(format!("it answered {} to {url}: there is no such server, or this is no Hostler", response.status()))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no WebSocket handshake within {HANDSHAKE:?}")),
    }
}

fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "hostler: {text}");
}

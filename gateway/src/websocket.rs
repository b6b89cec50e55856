//! WebSocket: one text frame a message, in either era, both ways on one connection.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use ground::{Failure, Kind};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{sync::Semaphore, time::interval};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{body::Body, gateway::Lane, outlet::KEEP_ALIVE, place::Place, respond, session::Session, shared};

/// Accepts the handshake (RFC 6455) and serves the connection.
///
/// # Errors
/// When it is no WebSocket handshake, or the place does not exist.
pub fn upgrade(lane: &Lane, place: Place, mut request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let headers = request.headers();
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|v: &HeaderValue| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.trim().eq_ignore_ascii_case(word))
    };
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| STANDARD.decode(key).is_ok_and(|k| k.len() == 16));
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|v| v == "13");
    let (true, true, true, Some(key)) =
        (says(header::CONNECTION, "upgrade"), says(header::UPGRADE, "websocket"), version, key)
    else {
        return Err(Failure::client(Kind::InvalidRequest, "this endpoint takes WebSocket connections (RFC 6455)"));
    };
    let accept = derive_accept_key(key.as_bytes());
    // The name of the protocol is confirmed where the client offers it; some clients insist.
    let subprotocol = says(header::SEC_WEBSOCKET_PROTOCOL, "mcp");
    let session = shared::connect(lane, place)?;
    let upgraded = hyper::upgrade::on(&mut request);
    let (lane, held) = (lane.clone(), shared::Ending { lane: lane.clone(), session: session.clone() });
    tokio::spawn(async move {
        let _held = held;
        match upgraded.await {
            Ok(stream) => serve(lane, session, stream).await,
            Err(error) => tracing::debug!(%error, "a WebSocket handshake was not completed"),
        }
    });
    let mut response = respond::bare(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mcp"));
    }
    if let Ok(accept) = accept.parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

async fn serve(lane: Lane, session: Arc<Session>, stream: Upgraded) {
    let limits = lane.gateway.plan.load().limits.clone();
    let config = WebSocketConfig::default().max_message_size(Some(limits.body)).max_frame_size(Some(limits.body));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await;
    let (mut sink, mut source) = socket.split();
    session.outlet.held();
    let turns = Arc::new(Semaphore::new(limits.session_calls * 2));
    let mut beat = interval(KEEP_ALIVE);
    loop {
        tokio::select! {
            () = session.closing.cancelled() => break,
            () = lane.gateway.stopping.cancelled() => break,
            outgoing = session.outlet.take() => match outgoing.map(text) {
                Some(Some(message)) => if sink.send(Message::Text(message)).await.is_err() { return },
                Some(None) => tracing::warn!("a message that is not UTF-8 was not sent"),
                None => break,
            },
            _ = beat.tick() => if sink.send(Message::Ping(Bytes::new())).await.is_err() { return },
            incoming = source.next() => {
                let body = match incoming {
                    Some(Ok(Message::Text(message))) => Bytes::from(message),
                    Some(Ok(Message::Binary(message))) => message,
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => break,
                    Some(Ok(_)) => continue,
                };
                session.touch();
                if !take(&lane, &session, &turns, body) {
                    break;
                }
            }
        }
    }
    let _ = sink.send(Message::Close(None)).await;
}

/// Takes a message; all that are in flight run at the same time. False at the bound.
fn take(lane: &Lane, session: &Arc<Session>, turns: &Arc<Semaphore>, body: Bytes) -> bool {
    let Ok(turn) = turns.clone().try_acquire_owned() else {
        // Far beyond the session's own bound: a client that asks and does not read. Waiting for it here would keep the
        // answers that it does not read from being written.
        tracing::warn!("a WebSocket connection is closed: too many requests that wait for their answers");
        return false;
    };
    let (lane, session) = (lane.clone(), session.clone());
    tokio::spawn(async move {
        shared::message(&lane, &session, body).await;
        drop(turn);
    });
    true
}

fn text(bytes: Bytes) -> Option<Utf8Bytes> {
    Utf8Bytes::try_from(bytes).ok()
}

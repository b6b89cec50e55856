//! WebSocket: one text frame a message, in either era, both ways on one connection.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use ground::{Failure, Kind};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{interval, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    body::Body,
    gateway::Lane,
    outlet::{KEEP_ALIVE, Outlet},
    place::Place,
    respond,
    session::Session,
    shared,
};

/// A client that takes nothing of a message for this long is not there, or does not read.
const STALLED: Duration = Duration::from_secs(30);
/// The slowest client that is waited for, in bytes a millisecond.
const SLOWEST: u64 = 100;
/// For the last frame and the end of the connection.
const FAREWELL: Duration = Duration::from_secs(1);

type Frame = Result<Message, tungstenite::Error>;

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
    let body = lane.gateway.plan.load().limits.body;
    let config = WebSocketConfig::default().max_message_size(Some(body)).max_frame_size(Some(body));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await;
    let (mut sink, source) = socket.split();
    session.outlet.held();
    // Each goes on while the others wait: a client that does not read is still heard, and can still be closed.
    tokio::select! {
        () = session.closing.cancelled() => {}
        () = lane.gateway.stopping.cancelled() => {}
        () = read(&lane, &session, source) => {}
        () = write(&session.outlet, &mut sink) => {}
    }
    let _ = timeout(FAREWELL, sink.close()).await;
}

/// Takes what the client says, until it ends the connection or asks for too much.
async fn read(lane: &Lane, session: &Arc<Session>, mut source: impl Stream<Item = Frame> + Unpin) {
    while let Some(Ok(frame)) = source.next().await {
        // A pong too: a client may do nothing but listen.
        session.touch();
        let body = match frame {
            Message::Text(message) => Bytes::from(message),
            Message::Binary(message) => message,
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        // Nothing more is read until there is room; what is to be said goes on being written.
        let mut room = lane.gateway.budget.room();
        room.wait(body.len()).await;
        let body = room.around(body);
        if !shared::begin(lane, session, &lane.gateway.plan.load().limits, body) {
            tracing::warn!(
                "a WebSocket connection is closed: too many requests wait for answers that it does not read"
            );
            return;
        }
    }
}

/// Writes what there is to say, and pings. Returns when all is said or the client does not take it.
async fn write(outlet: &Outlet, sink: &mut (impl Sink<Message> + Unpin)) {
    let mut beat = interval(KEEP_ALIVE);
    loop {
        let message = tokio::select! {
            outgoing = outlet.take() => match outgoing.map(Utf8Bytes::try_from) {
                Some(Ok(message)) => Message::Text(message),
                Some(Err(_)) => {
                    tracing::warn!("a message that is not UTF-8 was not sent");
                    continue;
                }
                None => return,
            },
            _ = beat.tick() => Message::Ping(Bytes::new()),
        };
        let patience = STALLED + Duration::from_millis(message.len() as u64 / SLOWEST);
        match timeout(patience, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::warn!("a WebSocket connection is closed: it has not taken a message within {patience:?}");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::{
        io::{DuplexStream, duplex},
        time::Instant,
    };

    use super::*;

    async fn socket(stream: DuplexStream, role: Role) -> WebSocketStream<DuplexStream> {
        WebSocketStream::from_raw_socket(stream, role, None).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up_after_a_bound() {
        let (here, _there) = duplex(64);
        let (mut sink, _source) = socket(here, Role::Server).await.split();
        let outlet = Outlet::new(0, false);
        outlet.push(Bytes::from(vec![b'x'; 500_000]));
        let start = Instant::now();
        write(&outlet, &mut sink).await;
        let took = start.elapsed();
        assert!(took >= STALLED && took < STALLED + Duration::from_secs(10), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_to_which_nothing_is_said_is_pinged() {
        let (here, there) = duplex(1024);
        let (mut sink, _source) = socket(here, Role::Server).await.split();
        let outlet = Outlet::new(0, false);
        let mut client = socket(there, Role::Client).await;
        let start = Instant::now();
        tokio::select! {
            () = write(&outlet, &mut sink) => panic!("it ended"),
            () = async {
                for _ in 0..4 {
                    assert!(matches!(client.next().await, Some(Ok(Message::Ping(_)))));
                }
            } => assert_eq!(start.elapsed().as_secs(), 3 * KEEP_ALIVE.as_secs()),
        }
    }
}

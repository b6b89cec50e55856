//! Connections to servers, kept by one runtime thread for itself.
//!
//! A connection is driven by a task of the thread that opened it, so a call never wakes another core. Each thread has
//! its own pool; the lock inside is therefore never contended.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use ground::{Failure, Kind, Retry};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use tokio::time::Instant;
use tower_service::Service;

use super::{body::PiecesBody, endpoint::Endpoint};

/// Idle connections kept for one server on one thread.
const IDLE_KEPT: usize = 64;
/// An idle connection is not used again after this: most servers close at 5 s (Node) or later.
const IDLE_FOR: Duration = Duration::from_secs(4);
/// A connection is not used again at this age.
const AGE: Duration = Duration::from_secs(300);
/// For name resolution, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

/// The connections of one thread.
pub struct Pool {
    connector: HttpsConnector<HttpConnector>,
    idle: Mutex<HashMap<u64, Vec<Connection>>>,
}

struct Connection {
    sender: SendRequest<PiecesBody>,
    born: Instant,
    idle_since: Instant,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.enforce_http(false);
        let connector =
            HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(http);
        Arc::new(Self { connector, idle: Mutex::new(HashMap::new()) })
    }

    /// Sends a request. A kept connection that the server closed meanwhile is replaced unseen.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached, `Broken` when it goes away before it answers.
    pub async fn send(
        self: &Arc<Self>,
        to: &Endpoint,
        mut request: Request<PiecesBody>,
    ) -> Result<Response<PooledBody>, Failure> {
        loop {
            let (mut connection, fresh) = match self.take(to).await {
                Some(kept) => (kept, false),
                None => (Box::pin(self.connect(to)).await?, true),
            };
            match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    let lease = Lease { connection, pool: self.clone(), endpoint: to.id };
                    return Ok(response.map(|incoming| PooledBody::new(incoming, lease)));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    unsent => {
                        let retry = if unsent.is_some() { Retry::NeverSent } else { Retry::MaybeSent };
                        let failure = to.failure(Kind::Broken, retry, "closed the connection before it answered");
                        return Err(failure.with_detail(error.into_error()));
                    }
                },
            }
        }
    }

    async fn take(&self, to: &Endpoint) -> Option<Connection> {
        loop {
            let mut kept = self.idle.lock().get_mut(&to.id)?.pop()?;
            let now = Instant::now();
            let young = now - kept.born < AGE && now - kept.idle_since < IDLE_FOR;
            if young && !kept.sender.is_closed() && kept.sender.ready().await.is_ok() {
                return Some(kept);
            }
        }
    }

    fn put(&self, endpoint: u64, mut connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        connection.idle_since = Instant::now();
        let mut idle = self.idle.lock();
        let kept = idle.entry(endpoint).or_default();
        if kept.len() >= IDLE_KEPT {
            // The oldest is the least likely to be open still.
            kept.remove(0);
        }
        kept.push(connection);
    }

    async fn connect(&self, to: &Endpoint) -> Result<Connection, Failure> {
        let unreachable = |detail: String| {
            let what = format!("cannot be reached at {}", to.url.authority().map_or("", |a| a.as_str()));
            to.failure(Kind::Unavailable, Retry::NeverSent, &what).with_detail(detail)
        };
        let mut connector = self.connector.clone();
        let stream = tokio::time::timeout(CONNECT, connector.call(to.url.clone()))
            .await
            .map_err(|_| unreachable(format!("no connection within {CONNECT:?}")))?
            .map_err(|error| unreachable(chain(error.as_ref())))?;
        // Head and small bodies in one buffer: a plain write costs less than a gathered one.
        let (sender, driver) = http1::Builder::new()
            .writev(false)
            .handshake(stream)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        tokio::spawn(async move {
            // Its end is seen by whoever uses the connection.
            let _ = driver.await;
        });
        let now = Instant::now();
        Ok(Connection { sender, born: now, idle_since: now })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

struct Lease {
    connection: Connection,
    pool: Arc<Pool>,
    endpoint: u64,
}

/// The body of an answer. Read to its end, its connection goes back to the pool; dropped before, the connection closes.
pub struct PooledBody {
    source: Source,
    lease: Option<Lease>,
}

enum Source {
    Incoming(Incoming),
    Read(Bytes),
}

impl PooledBody {
    /// A body that has been read already.
    #[must_use]
    pub fn read(bytes: Bytes) -> Self {
        Self { source: Source::Read(bytes), lease: None }
    }

    fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { source: Source::Incoming(incoming), lease: Some(lease) };
        if body.is_end_stream() {
            body.release();
        }
        body
    }

    fn release(&mut self) {
        if let Some(Lease { connection, pool, endpoint }) = self.lease.take() {
            pool.put(endpoint, connection);
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match &mut self.source {
            Source::Incoming(incoming) => ready!(Pin::new(incoming).poll_frame(cx)),
            Source::Read(bytes) if bytes.is_empty() => None,
            Source::Read(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
        };
        match &frame {
            None => self.release(),
            Some(Ok(_)) if self.is_end_stream() => self.release(),
            Some(Ok(_)) => {}
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Incoming(incoming) => incoming.is_end_stream(),
            Source::Read(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Incoming(incoming) => incoming.size_hint(),
            Source::Read(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

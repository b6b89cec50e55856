//! The doors to the outside: sockets, connections, their limits and their orderly end; and which request goes where.
//!
//! One runtime thread, a *lane*, has its own listener on the shared port, so a connection lives on one core.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ground::{Failure, Kind};
use http::{Method, Request, Response, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    admit,
    body::Body,
    compress,
    gateway::Lane,
    linger::Back,
    path,
    place::{Offer, Place},
    respond, resume,
    seldom::Seldom,
    shared, websocket,
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// Connections get this long to end in order.
const DRAIN: Duration = Duration::from_secs(10);

/// After the first failure to accept a connection; twice as long after each further one.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connections that could not be accepted, and those that were closed at once.
static FAILED: Seldom = Seldom::new();
static CLOSED: Seldom = Seldom::new();

/// Opens a listener on a port that several lanes share.
///
/// # Errors
/// When the address is in use by another program, or not this machine's.
pub fn bind(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(shared)?;
    #[cfg(not(target_os = "linux"))]
    let _ = shared;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections on this lane until Hostler stops, then lets them end.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(lane: Lane, listener: std::net::TcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let stopping = lane.gateway.stopping.clone();
    let graceful = GracefulShutdown::new();
    let open = Arc::new(AtomicUsize::new(0));
    let mut pause = PAUSE;
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                pause = PAUSE;
                take(&lane, &graceful, &open, stream);
            }
            Err(error) => {
                // Out of descriptors, mostly: those who wait stay in the queue until some are free.
                if let Some(times) = FAILED.tell(1) {
                    tracing::warn!(%error, times, "connections cannot be accepted");
                }
                tokio::select! {
                    () = stopping.cancelled() => break,
                    () = sleep(pause) => pause = LONGEST_PAUSE.min(pause * 2),
                }
            }
        }
    }
    let _ = timeout(DRAIN, graceful.shutdown()).await;
    Ok(())
}

/// Serves a connection within the bound of those that are open.
fn take(lane: &Lane, graceful: &GracefulShutdown, open: &Arc<AtomicUsize>, stream: TcpStream) {
    let limits = lane.gateway.plan.load().limits.clone();
    if open.load(Ordering::Relaxed) >= limits.connections {
        if let Some(times) = CLOSED.tell(1) {
            let limit = limits.connections;
            tracing::warn!(limit, times, "connections are closed: the limit (`limits.connections`) is reached");
        }
        return;
    }
    let _ = stream.set_nodelay(true);
    let serving = {
        let lane = lane.clone();
        service_fn(move |request| {
            // Boxed: hyper moves it, and would keep room for it in each connection that is idle.
            let answering = Box::pin(compress::dispatch(lane.clone(), request));
            async move { Ok::<_, Infallible>(answering.await) }
        })
    };
    let back = Back::default();
    let stream = TokioIo::new(back.lend(stream));
    let connection = builder(&limits).serve_connection_with_upgrades(stream, serving).into_owned();
    let connection = graceful.watch(connection);
    open.fetch_add(1, Ordering::Relaxed);
    lane.gateway.meters.connections.inc();
    let (open, lane) = (open.clone(), lane.clone());
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
        Box::pin(back.end()).await;
        open.fetch_sub(1, Ordering::Relaxed);
        lane.gateway.meters.connections.dec();
    });
}

fn builder(limits: &plan::Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        // Not with `pipeline_flush`: answers would be taken from servers and streams without a bound, however slowly the
        // client reads.
        .max_buf_size(limits.headers.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(10_000)
        .max_header_list_size(u32::try_from(limits.headers).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// Sends a request where its path leads.
pub async fn dispatch(lane: &Lane, request: Request<Incoming>) -> Response<Body> {
    let Some((place, offer)) = Place::parse(request.uri().path()) else {
        return Box::pin(fallback(lane, request)).await;
    };
    if lane.gateway.is_stopping() {
        return respond::refused(lane, &Failure::gateway(Kind::Stopping, "the gateway is stopping"));
    }
    if offer == Offer::Streamable && request.method() == Method::POST {
        return path::walk(lane, place, request).await;
    }
    // Off the track, and boxed so that a call's future stays small.
    Box::pin(besides(lane, place, offer, request)).await
}

/// What is asked of an endpoint besides a call: streams, ends of sessions, other transports.
async fn besides(lane: &Lane, place: Place, offer: Offer, request: Request<Incoming>) -> Response<Body> {
    let plan = lane.gateway.plan.load_full();
    if let Err(failure) = admit::gate(&plan, request.uri(), request.headers()) {
        return respond::refused(lane, &failure);
    }
    let answered = match (offer, request.method().as_str()) {
        (Offer::Streamable, "GET") => resume::stream(lane, &place, request.headers()),
        (Offer::Streamable, "DELETE") => resume::end(lane, &place, request.headers()),
        (Offer::Sse, "GET") => shared::open(lane, place, request.headers()),
        (Offer::Messages, "POST") => shared::post(lane, place, request).await,
        (Offer::WebSocket, "GET") => websocket::upgrade(lane, place, request),
        (Offer::Streamable, _) => Err(wrong_method("GET, POST, DELETE")),
        (Offer::Sse | Offer::WebSocket, _) => Err(wrong_method("GET")),
        (Offer::Messages, _) => Err(wrong_method("POST")),
    };
    answered.unwrap_or_else(|failure| {
        let mut response = respond::refused(lane, &failure);
        if failure.kind() == Kind::MethodNotAllowed
            && let Ok(allowed) = failure.detail().unwrap_or_default().parse()
        {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    })
}

fn wrong_method(allowed: &str) -> Failure {
    Failure::client(Kind::MethodNotAllowed, "this HTTP method is not offered here").with_detail(allowed)
}

/// What is none of the protocol's is guarded in the same way.
async fn fallback(lane: &Lane, request: Request<Incoming>) -> Response<Body> {
    let plan = lane.gateway.plan.load_full();
    if let Err(failure) = admit::gate(&plan, request.uri(), request.headers()) {
        return respond::refused(lane, &failure);
    }
    (lane.gateway.fallback)(request).await
}

//! Streamable HTTP: the SDK's service at one path of a listener on loopback.
//!
//! Never answers a Host or an Origin that is not of this machine, in either era.

use std::{convert::Infallible, io::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use crate::{
    polling::Sessions,
    server::{Reference, Shared},
};

/// Where clients connect.
const PATH: &str = "/mcp";
/// How long a client is told to wait before it comes back to a stream that was closed.
const RETRY: Duration = Duration::from_millis(100);

/// Serves for ever. Prints where it listens before it accepts.
pub async fn serve(address: SocketAddr, shared: Arc<Shared>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let config = StreamableHttpServerConfig::default()
        .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"])
        .with_sse_retry(Some(RETRY))
        .with_legacy_session_mode(shared.era.has_sessions())
        .with_stateless_protocol_metadata_required(!shared.era.has_sessions());
    let new_server = move || Ok(Reference::new(Arc::clone(&shared)));
    let service = StreamableHttpService::new(new_server, Arc::new(Sessions::new(RETRY)), config);
    writeln!(std::io::stdout(), "listening on http://{address}{PATH}")?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(at_path(&service, request).await) }
            });
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

type Service = StreamableHttpService<Reference, Sessions>;
type Body = http_body_util::combinators::BoxBody<bytes::Bytes, Infallible>;

async fn at_path(service: &Service, request: http::Request<hyper::body::Incoming>) -> http::Response<Body> {
    if request.uri().path() == PATH {
        return service.handle(request).await;
    }
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    response
}

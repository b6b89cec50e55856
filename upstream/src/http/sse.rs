//! The deprecated HTTP+SSE transport of revision 2024-11-05: one GET stream for what the server says, a POST for each
//! message to it. A shared two-way stream in effect, so it carries a [`crate::mux::Mux`].

use std::{str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use ground::{Failure, Kind, Retry};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header, uri::PathAndQuery};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{
    body::PiecesBody,
    carrier::{Media, media},
    endpoint::Endpoint,
    events::Events,
    pool::Pool,
};
use crate::{
    link::Link,
    outbox::{self, Outbox},
};

/// The stream must name its message endpoint within this.
const FIRST_EVENT: Duration = Duration::from_secs(10);
/// A message must be taken within this.
const TAKEN: Duration = Duration::from_secs(30);

/// Opens the stream, learns the message endpoint and starts reading and writing.
///
/// # Errors
/// Why this is no server of this transport.
pub async fn connect(
    link: &Arc<Link>,
    outbox: Outbox,
    endpoint: &Arc<Endpoint>,
    pool: &Arc<Pool>,
    tasks: &TaskTracker,
) -> Result<(), Failure> {
    let (mut events, target) = open(endpoint, pool, link.bound).await?;
    let target = Endpoint::at(&endpoint.server, &target, endpoint.headers.clone())?;
    let writing = write(link.clone(), outbox, target, pool.clone());
    let closed = link.closing();
    tasks.spawn(async move { outbox::emptied(writing, &closed).await });
    let (link, endpoint) = (link.clone(), endpoint.clone());
    tasks.spawn(async move {
        let closed = link.closing();
        loop {
            let event = tokio::select! { event = events.next(&endpoint) => event, () = closed.cancelled() => return };
            match event {
                Ok(Some(event)) if event.data.is_empty() => {}
                Ok(Some(event)) => {
                    if let Err(fault) = link.receive(event.data) {
                        tracing::warn!(server = %link.server(), %fault, "not a message on the server's stream; ignored");
                    }
                }
                Ok(None) => return link.close(&endpoint.failure(Kind::Broken, Retry::MaybeSent, "closed its stream")),
                Err(failure) => return link.close(&failure),
            }
        }
    });
    Ok(())
}

/// Whether a GET at the endpoint opens a stream of this transport.
pub async fn speaks(endpoint: &Endpoint, pool: &Arc<Pool>) -> bool {
    open(endpoint, pool, 64 << 10).await.is_ok()
}

async fn open(endpoint: &Endpoint, pool: &Arc<Pool>, bound: usize) -> Result<(Events, Uri), Failure> {
    let refused = |what: &str| endpoint.failure(Kind::Unavailable, Retry::No, what);
    let mut request = Request::new(PiecesBody::empty());
    *request.uri_mut() = endpoint.target.clone();
    *request.headers_mut() = endpoint.headers.clone();
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    let first = async {
        let response = pool.send(endpoint, request).await?;
        if response.status() != StatusCode::OK || media(response.headers()) != Media::Events {
            return Err(refused(&format!("answered HTTP {} instead of an event stream", response.status())));
        }
        let mut events = Events::new(response.into_body(), bound);
        let event = events.next(endpoint).await?.ok_or_else(|| refused("closed its stream at once"))?;
        Ok((events, event))
    };
    let (events, event) =
        timeout(FIRST_EVENT, first).await.map_err(|_| refused("did not open an event stream in time"))??;
    if event.name.as_deref() != Some(b"endpoint") {
        return Err(refused("did not name its message endpoint first"));
    }
    let target =
        resolve(&endpoint.url, &event.data).ok_or_else(|| refused("named a message endpoint of another origin"))?;
    Ok((events, target))
}

/// The message endpoint, which must be of the same origin: anything else would send credentials elsewhere.
fn resolve(base: &Uri, reference: &Bytes) -> Option<Uri> {
    let reference = std::str::from_utf8(reference).ok()?.trim();
    if reference.contains("://") {
        let uri = Uri::from_str(reference).ok()?;
        let same = uri.scheme() == base.scheme() && uri.authority() == base.authority();
        return same.then_some(uri);
    }
    let path = match reference.as_bytes().first()? {
        b'/' if reference.starts_with("//") => return None,
        b'/' => reference.to_owned(),
        b'?' => format!("{}{reference}", base.path()),
        _ => format!("{}/{reference}", base.path().rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_str(&path).ok()?);
    Uri::from_parts(parts).ok()
}

async fn write(link: Arc<Link>, mut outbox: Outbox, target: Endpoint, pool: Arc<Pool>) {
    while let Some(message) = outbox.next().await {
        let mut request = Request::new(PiecesBody::new(message));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.target.clone();
        *request.headers_mut() = target.headers.clone();
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let failure = match timeout(TAKEN, pool.send(&target, request)).await {
            Ok(Ok(response)) if response.status().is_success() => continue,
            Ok(Ok(response)) => {
                let what = format!("answered HTTP {} to a message", response.status());
                target.failure(Kind::Broken, Retry::MaybeSent, &what)
            }
            Ok(Err(failure)) => failure,
            Err(_) => {
                target.failure(Kind::Timeout, Retry::MaybeSent, &format!("did not take a message within {TAKEN:?}"))
            }
        };
        return link.close(&failure);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_message_endpoint_stays_within_the_origin() {
        let base = Uri::from_static("http://a.example:1/x/sse?k=1");
        let at =
            |reference: &'static str| resolve(&base, &Bytes::from_static(reference.as_bytes())).map(|u| u.to_string());
        assert_eq!(at("/messages?s=1").as_deref(), Some("http://a.example:1/messages?s=1"));
        assert_eq!(at("messages").as_deref(), Some("http://a.example:1/x/messages"));
        assert_eq!(at("?s=1").as_deref(), Some("http://a.example:1/x/sse?s=1"));
        assert_eq!(at("http://a.example:1/m").as_deref(), Some("http://a.example:1/m"));
        for elsewhere in ["http://b.example/m", "//b.example/m", "https://a.example:1/m", ""] {
            assert_eq!(at(elsewhere), None, "{elsewhere}");
        }
    }
}

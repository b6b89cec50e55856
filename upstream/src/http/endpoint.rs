//! Where a server on HTTP is, prepared once so that a request only clones what is ready.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use ground::{Failure, Kind, Retry, ServerName};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::spec::RemoteSpec;

/// A server's URL and the headers that go with every request.
#[derive(Debug)]
pub struct Endpoint {
    /// Identifies it in the pools.
    pub id: u64,
    /// The server.
    pub server: ServerName,
    /// The whole URL.
    pub url: Uri,
    /// Path and query, as a request line has them.
    pub target: Uri,
    /// `Host` and the configured headers.
    pub headers: HeaderMap,
}

impl Endpoint {
    /// Prepares what a spec says.
    ///
    /// # Errors
    /// A URL without a host, or a header that HTTP does not allow.
    pub fn new(server: &ServerName, spec: &RemoteSpec) -> Result<Self, Failure> {
        let wrong = |text: String| Failure::server(Kind::Unavailable, server, Retry::No, text);
        let mut headers = HeaderMap::new();
        for (name, value) in &spec.headers {
            let name = HeaderName::from_str(name)
                .map_err(|_| wrong(format!("server `{server}`: `{name}` is not a header name")))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                wrong(format!("server `{server}`: the value of header `{name}` has characters HTTP forbids"))
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Self::at(server, &spec.url, headers)
    }

    /// The same server at another URL (the message endpoint of HTTP+SSE).
    ///
    /// # Errors
    /// A URL without a host.
    pub fn at(server: &ServerName, url: &Uri, mut headers: HeaderMap) -> Result<Self, Failure> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let wrong = || {
            Failure::server(Kind::Unavailable, server, Retry::No, format!("server `{server}`: `{url}` is no HTTP URL"))
        };
        let authority = url.authority().ok_or_else(wrong)?;
        let host = match authority.port_u16() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        headers.insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| wrong())?);
        let target = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let target = Uri::from_str(target).map_err(|_| wrong())?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, server: server.clone(), url: url.clone(), target, headers })
    }

    /// A failure to reach it.
    #[must_use]
    pub fn failure(&self, kind: Kind, retry: Retry, what: &str) -> Failure {
        Failure::server(kind, &self.server, retry, format!("server `{}`: {what}", self.server))
    }
}

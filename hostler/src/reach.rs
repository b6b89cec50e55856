//! The way to a running gateway: its address, its connections, and what can go wrong on the way.
//!
//! Never knows what is asked over it.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service as _;
use wire::sse::{Decoder, Event};

/// From the first packet to the last of opening a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Largest answer, and largest event of a stream, in bytes.
const ANSWER: usize = 64 << 20;

/// What went wrong on the way to the gateway or there.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The address is not one.
    #[error("{0}")]
    Address(String),
    /// Nothing answers there.
    #[error("nothing answers at {url}: {why}; start the gateway with `hostler serve`, or say with --url where it is")]
    Unreachable {
        /// The gateway's address.
        url: String,
        /// What happened instead.
        why: String,
    },
    /// It answered that it will not.
    #[error("the gateway answered {status}: {detail}")]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// Its explanation.
        detail: String,
    },
    /// It answered with a JSON-RPC error.
    #[error("{message} (error {code})")]
    Error {
        /// The code.
        code: i64,
        /// The message.
        message: String,
        /// The data, where there is any.
        data: serde_json::Value,
    },
    /// What it answered makes no sense, or the connection broke.
    #[error("{0}")]
    Broken(String),
}

/// A byte stream to the gateway, encrypted or not.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// The gateway at an address.
pub struct Gateway {
    scheme: String,
    authority: String,
    /// Before every path; empty, or begins with a slash and does not end with one.
    prefix: String,
    connector: HttpsConnector<HttpConnector>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Gateway {
    /// The gateway at a URL such as `http://127.0.0.1:7400`. Opens nothing yet. The MCP endpoint's own URL is taken too.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn new(url: &str) -> Result<Self, Trouble> {
        let wrong = |what: &str| Trouble::Address(format!("`{url}` is no address of a gateway: {what}"));
        let uri: Uri = url.parse().map_err(|_| wrong("it must look like http://127.0.0.1:7400"))?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("it must begin with http:// or https://"));
        };
        let path = uri.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/mcp").unwrap_or(path);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector =
            HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self {
            scheme: scheme.to_owned(),
            authority: authority.to_string(),
            prefix: prefix.to_owned(),
            client: Client::builder(TokioExecutor::new()).build(connector.clone()),
            connector,
        })
    }

    /// The gateway's address.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.prefix)
    }

    /// The URI of a path of the gateway, which begins with a slash.
    ///
    /// # Errors
    /// When the path has characters that no path has.
    pub fn uri(&self, path: &str) -> Result<Uri, Trouble> {
        let uri = format!("{}{path}", self.url());
        uri.parse().map_err(|_| Trouble::Address(format!("`{path}` cannot be part of an address")))
    }

    /// Sends a request and returns the answer's head, whatever its status.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Trouble> {
        self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                Trouble::Unreachable { url: self.url(), why: root(&error) }
            } else {
                Trouble::Broken(format!("the connection to {} broke: {}", self.url(), root(&error)))
            }
        })
    }

    /// Opens a connection of one's own.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn open(&self) -> Result<Box<dyn Socket>, Trouble> {
        let uri = self.uri("/")?;
        let stream = self.connector.clone().call(uri).await;
        let stream = stream.map_err(|error| Trouble::Unreachable { url: self.url(), why: root(&*error) })?;
        Ok(Box::new(TokioIo::new(stream)))
    }

    /// The handshake URL of a WebSocket at a path. Encryption is the connection's own matter, so it is always `ws`.
    pub fn websocket(&self, path: &str) -> String {
        format!("ws://{}{}{path}", self.authority, self.prefix)
    }
}

/// A name as one part of a path.
///
/// # Errors
/// When it is no name, so that it can lead nowhere else.
pub fn segment(name: &str) -> Result<&str, Trouble> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
    let named = !name.is_empty() && name != "." && name != ".." && name.chars().all(allowed);
    named.then_some(name).ok_or_else(|| Trouble::Address(format!("`{name}` cannot be the name of a server")))
}

/// The innermost reason: what the system said.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The whole body of an answer, within the bound.
///
/// # Errors
/// When it breaks off or is too large.
pub async fn whole(response: Response<Incoming>) -> Result<Bytes, Trouble> {
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    Ok(body.map_err(|error| Trouble::Broken(format!("the answer could not be read: {error}")))?.to_bytes())
}

/// The failure that an answer with an error status tells of.
pub async fn refusal(response: Response<Incoming>) -> Trouble {
    let status = response.status();
    let body = whole(response).await.unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let told = json["detail"].as_str().or(json["error"]["message"].as_str());
    let detail = told.or(status.canonical_reason()).unwrap_or("no explanation").to_owned();
    Trouble::Refused { status: status.as_u16(), detail }
}

/// Whether an answer is a stream of events.
pub fn is_stream(response: &Response<Incoming>) -> bool {
    let media = response.headers().get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    media.is_some_and(|media| {
        media.split(';').next().is_some_and(|m| m.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

/// The events of an answer.
pub struct Events {
    body: Incoming,
    decoder: Decoder,
}

impl Events {
    /// Of an answer that is a stream.
    pub fn of(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), decoder: Decoder::new(ANSWER) }
    }

    /// The next event that has data; nothing at the end.
    ///
    /// # Errors
    /// When the stream breaks off or an event is too large.
    pub async fn next(&mut self) -> Result<Option<Event>, Trouble> {
        loop {
            match self.decoder.next() {
                Ok(Some(event)) if !event.data.is_empty() => return Ok(Some(event)),
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(fault) => return Err(Trouble::Broken(format!("the gateway sent {fault}"))),
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.decoder.feed(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(Trouble::Broken(format!("the stream broke off: {}", root(&error)))),
                None => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn an_address_is_taken_with_and_without_the_endpoint() {
        for (url, ws) in [
            ("http://127.0.0.1:7400", "ws://127.0.0.1:7400/ws"),
            ("http://127.0.0.1:7400/", "ws://127.0.0.1:7400/ws"),
            ("http://localhost:1/mcp", "ws://localhost:1/ws"),
            ("https://example.com/tools/mcp/", "ws://example.com/tools/ws"),
        ] {
            assert_eq!(Gateway::new(url).unwrap().websocket("/ws"), ws);
        }
        for url in ["", "127.0.0.1:7400", "ftp://x", "http://", "http://a b"] {
            assert!(matches!(Gateway::new(url), Err(Trouble::Address(_))), "{url}");
        }
        let gateway = Gateway::new("http://x/y/mcp").unwrap();
        assert_eq!(gateway.uri("/mcp").unwrap().to_string(), "http://x/y/mcp");
        assert!(gateway.uri("/servers/a b").is_err());
        assert!(segment("my-server_2.x").is_ok());
        for name in ["", ".", "..", "a/b", "a?b", "a b", "%2e"] {
            assert!(segment(name).is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_there_is_unreachable() {
        // A port that was free a moment ago.
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let gateway = Gateway::new(&format!("http://127.0.0.1:{port}")).unwrap();
        let request = Request::get(gateway.uri("/live").unwrap()).body(Full::default()).unwrap();
        let trouble = gateway.send(request).await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Unreachable { why, .. } if why.contains("refused")), "{trouble}");
        assert!(matches!(gateway.open().await, Err(Trouble::Unreachable { .. })));
    }
}

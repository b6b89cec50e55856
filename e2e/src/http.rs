//! A plain HTTP client that sends exactly what a test says: for what the official clients would never send.
//!
//! One connection for each request, so that nothing is shared. Never follows, retries or adds anything but a length.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);

/// A request that is put together bit by bit.
#[derive(Debug, Clone)]
pub struct Ask {
    address: SocketAddr,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    body: Incoming,
    rest: Vec<u8>,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The `id` field.
    pub id: Option<String>,
    /// The `event` field.
    pub name: Option<String>,
    /// The `data` lines, joined.
    pub data: String,
}

impl Ask {
    /// A request without headers but `Host`.
    #[must_use]
    pub fn new(address: SocketAddr, method: Method, path: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, address.to_string().parse().expect("an address is a header value"));
        Self { address, method, path: path.into(), headers, body: Bytes::new() }
    }

    /// A GET.
    #[must_use]
    pub fn get(address: SocketAddr, path: &str) -> Self {
        Self::new(address, Method::GET, path)
    }

    /// A POST of one JSON value, with the headers that every MCP client sends.
    #[must_use]
    pub fn post(address: SocketAddr, path: &str, body: &Value) -> Self {
        let ask = Self::new(address, Method::POST, path).header("content-type", "application/json");
        ask.header("accept", "application/json, text/event-stream").body(body.to_string())
    }

    /// A modern request: version, capabilities and identity in `_meta`, and the headers that mirror the body.
    #[must_use]
    pub fn modern(address: SocketAddr, path: &str, id: i64, method: &str, params: Value) -> Self {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "e2e-raw", "version": "1.0.0" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str).map(str::to_owned);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let ask = Self::post(address, path, &body).header("mcp-protocol-version", "2026-07-28");
        let ask = ask.header("mcp-method", method);
        name.map_or(ask.clone(), |name| ask.header("mcp-name", &name))
    }

    /// Sets a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    /// Removes a header field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it, and waits for the head of the answer.
    ///
    /// # Errors
    /// What went wrong with the connection.
    pub async fn send(self) -> Result<Answer, String> {
        let what = format!("{} {}", self.method, self.path);
        let exchange = async {
            let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            let mut request = Request::builder().method(self.method).uri(self.path).body(Full::new(self.body)).unwrap();
            *request.headers_mut() = self.headers;
            let (head, body) = sender.send_request(request).await.map_err(|error| error.to_string())?.into_parts();
            Ok(Answer { status: head.status, headers: head.headers, body, rest: Vec::new() })
        };
        timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(format!("{what}: no answer within {PATIENCE:?}")))
    }
}

impl Answer {
    /// A header field, or an empty string.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The whole body.
    ///
    /// # Panics
    /// When it breaks off or takes too long.
    pub async fn bytes(self) -> Bytes {
        timeout(PATIENCE, self.body.collect()).await.expect("a body in time").expect("a whole body").to_bytes()
    }

    /// How many bytes come before the body breaks off, or nothing when it ends well.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn bytes_before_it_breaks(mut self) -> Option<usize> {
        let mut read = 0;
        loop {
            match timeout(PATIENCE, self.body.frame()).await.expect("a piece in time")? {
                Ok(frame) => read += frame.data_ref().map_or(0, Bytes::len),
                Err(_) => return Some(read),
            }
        }
    }

    /// The next piece of the body as it came, or nothing at its end.
    ///
    /// # Panics
    /// When it breaks off or takes too long.
    pub async fn piece(&mut self) -> Option<Bytes> {
        loop {
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("a piece in time")?;
            if let Ok(data) = frame.expect("an unbroken body").into_data() {
                return Some(data);
            }
        }
    }

    /// The message of the answer: the body, or the first event with data that is no notification.
    ///
    /// # Panics
    /// When there is none.
    pub async fn message(mut self) -> Value {
        if !self.header("content-type").starts_with("text/event-stream") {
            let body = self.bytes().await;
            return serde_json::from_slice(&body).unwrap_or_else(|_| panic!("not JSON: {body:?}"));
        }
        loop {
            let event = self.event().await.expect("the stream ended without an answer");
            let message: Value = serde_json::from_str(&event.data).unwrap_or_default();
            if message.get("result").or_else(|| message.get("error")).is_some() {
                return message;
            }
        }
    }

    /// The next event of a stream, or nothing at its end. Comments, which keep a stream alive, are no events.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn event(&mut self) -> Option<Event> {
        let next = async {
            loop {
                while let Some(event) = self.take_event() {
                    if event != Event::default() {
                        return Some(event);
                    }
                }
                let frame = self.body.frame().await?;
                if let Ok(data) = frame.expect("an unbroken stream").into_data() {
                    self.rest.extend_from_slice(&data);
                }
            }
        };
        timeout(PATIENCE, next).await.expect("an event in time")
    }

    /// Servers under test end their lines with `\n` or `\r\n`.
    fn take_event(&mut self) -> Option<Event> {
        let text = String::from_utf8(self.rest.clone()).ok()?.replace("\r\n", "\n");
        let (block, rest) = text.split_once("\n\n")?;
        let mut event = Event::default();
        let mut data = Vec::new();
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => event.id = Some(value.into()),
                "event" => event.name = Some(value.into()),
                "data" => data.push(value),
                _ => {}
            }
        }
        event.data = data.join("\n");
        self.rest = rest.as_bytes().to_vec();
        Some(event)
    }
}

/// A legacy session that a test opens by hand.
#[derive(Debug, Clone)]
pub struct Session {
    address: SocketAddr,
    path: String,
    /// The id that the server gave it.
    pub id: Option<String>,
    version: String,
}

impl Session {
    /// Shakes hands at `path`; `capabilities` are the client's.
    ///
    /// # Errors
    /// When the handshake is refused.
    pub async fn open(address: SocketAddr, path: &str, version: &str, capabilities: Value) -> Result<Self, String> {
        let info = json!({ "name": "e2e-raw", "version": "1.0.0" });
        let params = json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": info });
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = Ask::post(address, path, &hello).send().await?;
        let id = Some(answer.header("mcp-session-id").to_owned()).filter(|id| !id.is_empty());
        let status = answer.status;
        let message = answer.message().await;
        let version = message["result"]["protocolVersion"].as_str().ok_or(format!("{status}: {message}"))?.to_owned();
        let session = Self { address, path: path.into(), id, version };
        session.ask(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).send().await?;
        Ok(session)
    }

    /// The revision that was agreed on.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A POST within the session.
    #[must_use]
    pub fn ask(&self, message: &Value) -> Ask {
        self.dress(Ask::post(self.address, &self.path, message))
    }

    /// The session's GET stream.
    #[must_use]
    pub fn stream(&self) -> Ask {
        self.dress(Ask::get(self.address, &self.path).header("accept", "text/event-stream"))
    }

    /// Calls a method and returns the whole answer.
    ///
    /// # Errors
    /// What went wrong with the connection.
    pub async fn call(&self, id: i64, method: &str, params: Value) -> Result<Value, String> {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        Ok(self.ask(&message).send().await?.message().await)
    }

    /// Ends it.
    ///
    /// # Errors
    /// What went wrong with the connection.
    pub async fn end(self) -> Result<StatusCode, String> {
        let ask = self.dress(Ask::new(self.address, Method::DELETE, &self.path));
        Ok(ask.send().await?.status)
    }

    fn dress(&self, ask: Ask) -> Ask {
        let ask = ask.header("mcp-protocol-version", &self.version);
        match &self.id {
            Some(id) => ask.header("mcp-session-id", id),
            None => ask,
        }
    }
}

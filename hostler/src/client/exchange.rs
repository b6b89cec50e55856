//! One request and its answer, in the words and headers of either era.
//!
//! Never decides which era to speak.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};
use wire::era::{MODERN, code};

use super::{Client, Object};
use crate::reach::{Events, Trouble, is_stream, refusal, whole};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// How the endpoint is spoken to.
#[derive(Debug)]
pub(super) enum Dialect {
    /// Every request stands alone.
    Modern,
    /// In a session.
    Legacy {
        /// The revision settled; nothing before the handshake is over.
        version: Option<&'static str>,
        /// The session's id, if the server gave one.
        session: Option<HeaderValue>,
    },
}

impl Dialect {
    /// Before the handshake.
    pub(super) fn greeting() -> Self {
        Self::Legacy { version: None, session: None }
    }

    /// The handshake is over.
    pub(super) fn settle(&mut self, settled: &'static str) {
        if let Self::Legacy { version, .. } = self {
            *version = Some(settled);
        }
    }
}

pub(super) fn client_info() -> Value {
    json!({ "name": ground::PRODUCT, "version": ground::VERSION })
}

pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// Hands on the parameters of progress notifications.
pub(super) type Progress<'p> = Option<&'p mut (dyn FnMut(&Value) + Send)>;

impl Client<'_> {
    /// Sends a request and returns its result.
    pub(super) async fn ask_with(
        &mut self,
        method: &str,
        mut params: Object,
        headers: &[(HeaderName, HeaderValue)],
        progress: Progress<'_>,
    ) -> Result<Value, Trouble> {
        let id = self.next_id;
        self.next_id += 1;
        let mut meta = Object::new();
        if let Dialect::Modern = self.dialect {
            meta.insert("io.modelcontextprotocol/protocolVersion".into(), MODERN.into());
            meta.insert("io.modelcontextprotocol/clientInfo".into(), client_info());
            meta.insert("io.modelcontextprotocol/clientCapabilities".into(), json!({}));
        }
        if progress.is_some() {
            meta.insert("progressToken".into(), id.into());
        }
        if !meta.is_empty() {
            params.insert("_meta".into(), meta.into());
        }
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut request = self.post(&message)?;
        for (name, value) in headers {
            request.headers_mut().append(name, value.clone());
        }
        let response = self.gateway.send(request).await?;
        if let (Dialect::Legacy { session, .. }, Some(given)) = (&mut self.dialect, response.headers().get(SESSION)) {
            *session = Some(given.clone());
        }
        let answer = self.answer(id, response, progress).await?;
        result(answer)
    }

    /// Sends a notification or an answer.
    pub(super) async fn tell(&self, method: &str, params: Value) -> Result<(), Trouble> {
        self.tell_message(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await
    }

    async fn tell_message(&self, message: &Value) -> Result<(), Trouble> {
        let response = self.gateway.send(self.post(message)?).await?;
        if response.status().is_success() { Ok(()) } else { Err(refusal(response).await) }
    }

    /// Tells that a call is given up: on a legacy session a lost connection does not say so.
    pub async fn cancel(&self) {
        if let Dialect::Legacy { .. } = self.dialect {
            let params = json!({ "requestId": self.next_id - 1, "reason": "given up by the caller" });
            let _ = self.tell("notifications/cancelled", params).await;
        }
    }

    pub(super) async fn end_session(self) {
        if let Dialect::Legacy { session: Some(session), version } = &self.dialect
            && let Ok(uri) = self.gateway.uri(&self.path)
        {
            let mut request = Request::new(Full::default());
            *request.method_mut() = Method::DELETE;
            *request.uri_mut() = uri;
            request.headers_mut().insert(SESSION, session.clone());
            if let Some(version) = version {
                request.headers_mut().insert(VERSION, HeaderValue::from_static(version));
            }
            let _ = self.gateway.send(request).await;
        }
    }

    fn post(&self, message: &Value) -> Result<Request<Full<Bytes>>, Trouble> {
        let mut request = Request::new(Full::from(message.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.gateway.uri(&self.path)?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        match &self.dialect {
            Dialect::Modern => {
                headers.insert(VERSION, HeaderValue::from_static(MODERN));
                headers.insert(METHOD, mirrored(&message["method"])?);
                if !message["params"]["name"].is_null() {
                    headers.insert(NAME, mirrored(&message["params"]["name"])?);
                }
            }
            Dialect::Legacy { version, session } => {
                if let Some(version) = version {
                    headers.insert(VERSION, HeaderValue::from_static(version));
                }
                if let Some(session) = session {
                    headers.insert(SESSION, session.clone());
                }
            }
        }
        Ok(request)
    }

    /// The answer to the request with this id, out of a body of either kind.
    async fn answer(&self, id: u64, response: Response<Incoming>, progress: Progress<'_>) -> Result<Value, Trouble> {
        if !response.status().is_success() {
            return self.answer_in_error(response).await;
        }
        if !is_stream(&response) {
            let body = whole(response).await?;
            return serde_json::from_slice(&body)
                .map_err(|_| Trouble::Broken("the gateway's answer is not JSON".into()));
        }
        let (mut events, mut progress) = (Events::of(response), progress);
        while let Some(event) = events.next().await? {
            let message: Value = serde_json::from_slice(&event.data)
                .map_err(|_| Trouble::Broken("an event from the gateway is not JSON".into()))?;
            match (message["method"].as_str(), &message["id"]) {
                (None, own) if *own == id => return Ok(message),
                (Some("notifications/progress"), Value::Null) if message["params"]["progressToken"] == id => {
                    if let Some(progress) = &mut progress {
                        progress(&message["params"]);
                    }
                }
                (Some(method), asked) if !asked.is_null() => self.answer_request(method, asked).await?,
                _ => {}
            }
        }
        Err(Trouble::Broken("the gateway ended the stream before the answer".into()))
    }

    /// Error statuses come with a JSON-RPC error, another explanation, or none.
    async fn answer_in_error(&self, response: Response<Incoming>) -> Result<Value, Trouble> {
        let status = response.status();
        let body = whole(response).await?;
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        if message["error"]["code"].is_i64() && status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN {
            return Ok(message);
        }
        let told = message["error"]["message"].as_str().or(message["detail"].as_str());
        let detail = told.or(status.canonical_reason()).unwrap_or("no explanation").to_owned();
        Err(Trouble::Refused { status: status.as_u16(), detail })
    }

    /// Answers what a legacy server asks in mid-call: it is alive, and can do nothing.
    async fn answer_request(&self, method: &str, id: &Value) -> Result<(), Trouble> {
        let mut answer = json!({ "jsonrpc": "2.0", "id": id });
        if method == "ping" {
            answer["result"] = json!({});
        } else {
            answer["error"] = json!({ "code": code::METHOD_NOT_FOUND, "message": "the command line cannot do that" });
        }
        self.tell_message(&answer).await
    }
}

/// A value that stands in a header as in the body (2026-07-28, streamable-http, "Value Encoding").
pub(super) fn mirrored(value: &Value) -> Result<HeaderValue, Trouble> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let header = HeaderValue::from_str(&wire::header::encode_header(&text));
    header.map_err(|_| Trouble::Broken(format!("`{text}` cannot be sent in a header")))
}

fn result(mut answer: Value) -> Result<Value, Trouble> {
    if let Value::Object(result) = answer["result"].take() {
        return Ok(result.into());
    }
    let error = &answer["error"];
    match (error["code"].as_i64(), error["message"].as_str()) {
        (Some(code), Some(message)) => {
            Err(Trouble::Error { code, message: message.to_owned(), data: error["data"].clone() })
        }
        _ => Err(Trouble::Broken("the gateway's answer has neither a result nor an error".into())),
    }
}

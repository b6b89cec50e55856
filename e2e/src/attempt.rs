//! A modern client's call of a tool that asks its user, and the retry with the answer, sent as they are.
//!
//! Never remembers a state: each attempt is given what it needs.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Answer, Ask};

/// A call of `ask`, which asks the user for a city, by a client that can be asked.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Where it is made.
    pub path: &'static str,
    /// The client's name.
    pub client: &'static str,
    /// What it shows to prove who it is.
    pub credential: Option<&'static str>,
    /// Method parameters but for `_meta`.
    pub params: Value,
}

impl Attempt {
    /// The call at this endpoint.
    #[must_use]
    pub fn at(path: &'static str) -> Self {
        Self { path, client: "one", credential: None, params: json!({ "name": "ask", "arguments": {} }) }
    }

    /// A call of another tool.
    #[must_use]
    pub fn of(mut self, tool: &str) -> Self {
        self.params["name"] = tool.into();
        self
    }

    /// By another client.
    #[must_use]
    pub fn by(mut self, client: &'static str) -> Self {
        self.client = client;
        self
    }

    /// The retry that a state asks for.
    #[must_use]
    pub fn with(&self, state: &str, responses: Value) -> Self {
        let mut retry = self.clone();
        retry.params["requestState"] = state.into();
        retry.params["inputResponses"] = responses;
        retry
    }

    /// The whole message.
    #[must_use]
    pub fn message(&self) -> Value {
        let mut params = self.params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": self.client, "version": "1.0.0" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
            "io.modelcontextprotocol/logLevel": "debug",
        });
        json!({ "jsonrpc": "2.0", "id": "7", "method": "tools/call", "params": params })
    }

    /// Makes it, and waits for the head of the answer.
    ///
    /// # Errors
    /// What went wrong with the connection.
    pub async fn open(&self, address: SocketAddr) -> Result<Answer, String> {
        let mut ask = Ask::post(address, self.path, &self.message()).header("mcp-protocol-version", "2026-07-28");
        let tool = self.params["name"].as_str().expect("a tool's name");
        ask = ask.header("mcp-method", "tools/call").header("mcp-name", tool);
        if let Some(credential) = self.credential {
            ask = ask.header("authorization", credential);
        }
        ask.send().await
    }

    /// Makes it, and waits for its answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn send(&self, address: SocketAddr) -> (u16, Value) {
        let answer = self.open(address).await.unwrap();
        (answer.status.as_u16(), answer.message().await)
    }

    /// The state and the key of the one question that a suspended call asks.
    ///
    /// # Panics
    /// When it is not suspended.
    pub async fn suspended(&self, address: SocketAddr) -> (String, String) {
        let (status, answer) = self.send(address).await;
        assert_eq!(status, 200, "{answer:#}");
        asked(&answer)
    }
}

/// The state and the key of the one question that an answer asks.
///
/// # Panics
/// When it asks none, or several.
#[must_use]
pub fn asked(answer: &Value) -> (String, String) {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer:#}");
    let requests = result["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 1, "{answer:#}");
    let (key, request) = requests.iter().next().unwrap();
    assert_eq!(request["method"], "elicitation/create", "{answer:#}");
    (result["requestState"].as_str().unwrap().to_owned(), key.clone())
}

/// The answer to that question.
#[must_use]
pub fn oslo(key: &str) -> Value {
    json!({ key: { "action": "accept", "content": { "city": "Oslo" } } })
}

/// The retry is refused, in words that hold this.
///
/// # Panics
/// When it is not.
pub async fn refused(address: SocketAddr, retry: &Attempt, why: &str) {
    let (status, answer) = retry.send(address).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32602)), "{why}: {answer:#}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(why), "{why}: {answer:#}");
}

/// The retry is the call's end, with the city in its result.
///
/// # Panics
/// When it is not.
pub async fn goes_on(address: SocketAddr, retry: &Attempt) {
    let (status, answer) = retry.send(address).await;
    assert_eq!((status, &answer["id"]), (200, &json!("7")), "{answer:#}");
    assert_eq!(answer["result"]["resultType"], "complete", "{answer:#}");
    assert_eq!(answer["result"]["content"][0]["text"], "accept: Oslo", "{answer:#}");
}

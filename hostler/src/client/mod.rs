//! A small MCP client over Streamable HTTP, for the commands that ask the running gateway: modern first, else legacy, as
//! the specification says (2026-07-28, basic/transports/streamable-http, "Backward Compatibility").
//!
//! Never declares a capability: it cannot be asked for input.

mod argument;
mod exchange;

use serde_json::{Map, Value, json};
use wire::era::{LEGACY, MODERN, code};

use crate::reach::{Gateway, Trouble, segment};

pub use argument::{Arguments, typed};
use exchange::Dialect;

/// Pages of one list; more are taken for a server that never ends.
const PAGES: usize = 1000;

/// A JSON object.
pub type Object = Map<String, Value>;

/// A client that has settled how to speak with one endpoint of the gateway.
pub struct Client<'a> {
    gateway: &'a Gateway,
    path: String,
    dialect: Dialect,
    next_id: u64,
}

/// The path of an endpoint of everything, of one server, or of a virtual server. `word` is `mcp` or `ws`.
///
/// # Errors
/// When a name cannot be part of a path.
pub fn endpoint(server: Option<&str>, view: Option<&str>, word: &str) -> Result<String, Trouble> {
    Ok(match (server, view) {
        (Some(server), _) => format!("/servers/{}/{word}", segment(server)?),
        (None, Some(view)) => format!("/v/{}/{word}", segment(view)?),
        (None, None) => format!("/{word}"),
    })
}

impl<'a> Client<'a> {
    /// Settles the era with the endpoint at a path.
    ///
    /// # Errors
    /// When the gateway cannot be reached, or speaks no revision that is known here.
    pub async fn open(gateway: &'a Gateway, path: &str) -> Result<Self, Trouble> {
        let mut client = Self { gateway, path: path.to_owned(), dialect: Dialect::Modern, next_id: 1 };
        match client.ask("server/discover", Object::new()).await {
            Ok(found) if names(&found["supportedVersions"]).any(|version| version == MODERN) => return Ok(client),
            // It answers, but in other revisions only: the handshake is the other way that is known here.
            Ok(_) => {}
            Err(trouble) if !may_be_legacy(&trouble) => return Err(trouble),
            Err(_) => {}
        }
        client.dialect = Dialect::greeting();
        let params = json!({
            "protocolVersion": LEGACY[0],
            "capabilities": {},
            "clientInfo": exchange::client_info(),
        });
        let greeted = client.ask("initialize", exchange::object(params)).await?;
        let version = LEGACY.into_iter().find(|version| greeted["protocolVersion"] == *version);
        let version = version.ok_or_else(|| {
            Trouble::Broken(format!(
                "the gateway settled on revision {}, which is not known here",
                greeted["protocolVersion"]
            ))
        })?;
        client.dialect.settle(version);
        client.tell("notifications/initialized", json!({})).await?;
        Ok(client)
    }

    /// All tools, from all pages.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub async fn tools(&mut self) -> Result<Vec<Value>, Trouble> {
        let mut tools = Vec::new();
        let mut cursor = Value::Null;
        for _ in 0..PAGES {
            let mut params = Object::new();
            if !cursor.is_null() {
                params.insert("cursor".into(), cursor);
            }
            let mut page = self.ask("tools/list", params).await?;
            match page["tools"].take() {
                Value::Array(entries) => tools.extend(entries),
                _ => return Err(Trouble::Broken("the answer to `tools/list` has no tools in it".into())),
            }
            cursor = page["nextCursor"].take();
            if cursor.is_null() {
                return Ok(tools);
            }
        }
        Err(Trouble::Broken(format!("the list of tools did not end after {PAGES} pages")))
    }

    /// Calls a tool as it is listed, and hands on the `params` of every progress notification.
    ///
    /// # Errors
    /// When there is no result. A result that says `isError` is one.
    pub async fn call(
        &mut self,
        tool: &Value,
        arguments: Object,
        progress: &mut (dyn FnMut(&Value) + Send),
    ) -> Result<Value, Trouble> {
        let name = tool["name"].as_str().unwrap_or_default();
        let headers = argument::headers(&tool["inputSchema"], &arguments);
        let params = json!({ "name": name, "arguments": arguments });
        self.ask_with("tools/call", exchange::object(params), &headers, Some(progress)).await
    }

    async fn ask(&mut self, method: &str, params: Object) -> Result<Value, Trouble> {
        self.ask_with(method, params, &[], None).await
    }

    /// Says goodbye, where there is a session to end. What goes wrong with that is of no interest.
    pub async fn close(self) {
        self.end_session().await;
    }
}

/// Whether a server that answered a modern request like this may still speak a legacy revision.
fn may_be_legacy(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Error { code: code::UNSUPPORTED_VERSION, data, .. } => {
            names(&data["supported"]).any(|version| LEGACY.contains(&version))
        }
        Trouble::Error { code: code::HEADER_MISMATCH | code::MISSING_CAPABILITY, .. } => false,
        Trouble::Error { .. } => true,
        Trouble::Refused { status, .. } => matches!(status, 400 | 404 | 405 | 406 | 415 | 422),
        Trouble::Address(_) | Trouble::Unreachable { .. } | Trouble::Broken(_) => false,
    }
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests;

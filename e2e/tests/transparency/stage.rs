//! One server behind a gateway, and a client that sends the very bytes it is given.
//!
//! Never changes a message; what the gateway may change is told by [`Stage::fills`].

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use e2e::{
    Gateway, Server, Setting,
    http::{Answer, Ask, Event, Session},
    wait,
};
use http::StatusCode;
use serde_json::{Value, json};
use testkit::{Httpd, web};

use crate::message::{Era, Exchange, Fill, LEGACY, MARK, mirrored, quoted};

/// The server's name: one that URIs cannot have as it is.
pub const NAME: &str = "srv_1";
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the client meets the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Alone.
    Untouched,
    /// Among others, under names that say whose they are.
    Federated,
    /// Among others, under its own names.
    Plain,
    /// Chosen for a virtual server, under names that say whose they are.
    Chosen,
}

/// The views that one gateway offers.
pub const VIEWS: [&[View]; 2] = [&[View::Untouched, View::Federated, View::Chosen], &[View::Plain]];

impl View {
    pub fn path(self) -> String {
        self.offer("mcp")
    }

    /// The path of one of the transports.
    pub fn offer(self, word: &str) -> String {
        match self {
            Self::Untouched => format!("/servers/{NAME}/{word}"),
            Self::Federated | Self::Plain => format!("/{word}"),
            Self::Chosen => format!("/v/chosen/{word}"),
        }
    }

    /// The name, or the URI, under which a thing of the server appears here.
    pub fn exposed(self, native: &str, by_uri: bool) -> String {
        match self {
            Self::Untouched | Self::Plain => native.into(),
            Self::Federated | Self::Chosen if by_uri => format!("{}{native}", self.uri_prefix().unwrap_or_default()),
            Self::Federated | Self::Chosen => format!("{NAME}__{native}"),
        }
    }

    pub fn uri_prefix(self) -> Option<&'static str> {
        matches!(self, Self::Federated | Self::Chosen).then_some("srv.1+")
    }
}

/// A gateway with one server.
pub struct Stage {
    pub gateway: Gateway,
    pub era: Era,
    pub views: &'static [View],
}

impl Stage {
    /// With a server on standard streams.
    pub async fn stdio(era: Era, views: &'static [View]) -> Self {
        Self::stdio_with(era, views, json!({})).await
    }

    /// The same under limits of its own.
    pub async fn stdio_with(era: Era, views: &'static [View], limits: Value) -> Self {
        let program = testkit::program("faulty");
        let program = program.to_str().expect("test paths are UTF-8");
        Self::start(Server::of(NAME, &[program, "--mode", era.mode()]), era, views, limits).await
    }

    /// With a server on Streamable HTTP.
    pub async fn http(web: &Httpd, era: Era, views: &'static [View]) -> Self {
        Self::start(Server::remote(NAME, web.url(), "http"), era, views, json!({})).await
    }

    async fn start(server: Server, era: Era, views: &'static [View], limits: Value) -> Self {
        let chosen = json!({ "chosen": { "servers": { NAME: {} } } });
        let setting = Setting::of([server]).hurried().with("limits", limits).with("virtual", chosen);
        let plain = views.contains(&View::Plain);
        let setting = if plain { setting.with("federated", json!({ "prefix": false })) } else { setting };
        let stage = Self { gateway: setting.start().await, era, views };
        wait::until("the server's tools are listed", PATIENCE, async || stage.lists_tools().await.then_some(())).await;
        stage
    }

    async fn lists_tools(&self) -> bool {
        let address = self.gateway.address();
        let list = match self.era {
            Era::Modern => match Ask::modern(address, "/mcp", 1, "tools/list", json!({})).send().await {
                Ok(answer) => answer.message().await,
                Err(_) => return false,
            },
            Era::Legacy => match Session::open(address, "/mcp", LEGACY, json!({})).await {
                Ok(session) => session.call(1, "tools/list", json!({})).await.unwrap_or_default(),
                Err(_) => return false,
            },
        };
        list["result"]["tools"].as_array().is_some_and(|tools| !tools.is_empty())
    }

    /// A client of this stage's era.
    pub async fn caller(&self, view: View) -> Caller {
        let address = self.gateway.address();
        let session = match self.era {
            Era::Legacy => Some(Session::open(address, &view.path(), LEGACY, json!({})).await.expect("a session")),
            Era::Modern => None,
        };
        Caller { blank: Ask::post(address, &view.path(), &Value::Null), session }
    }
}

/// A client.
pub struct Caller {
    blank: Ask,
    session: Option<Session>,
}

impl Caller {
    /// Sends a message; `asked` is the name or URI in it.
    pub fn ask(&self, method: &str, asked: &str, body: impl Into<Bytes>) -> Ask {
        match &self.session {
            Some(session) => session.ask(&Value::Null).body(body),
            None => mirrored(self.blank.clone(), method, asked).body(body),
        }
    }

    /// Sends an exchange's request at a view and waits for the head of the answer. `asked` is the raw name in it.
    pub async fn send(&self, exchange: &Exchange, view: View, asked: &str) -> Answer {
        let body = sides(exchange, view, asked).0.fill(&exchange.request);
        let exposed: String = serde_json::from_str(asked).expect("a string");
        self.ask(&exchange.method, &exposed, body).send().await.expect("an answer")
    }
}

/// Whether what an exchange asks for is a URI.
pub fn by_uri(exchange: &Exchange) -> bool {
    exchange.method == "resources/read" || exchange.native.contains(':')
}

/// What stands in the places of an exchange at the client and at a server on HTTP; `asked` is spelled by the client.
pub fn sides<'a>(exchange: &'a Exchange, view: View, asked: &'a str) -> (Fill<'a>, Fill<'a>) {
    let (id, token) = (exchange.id.as_str(), exchange.token.as_str());
    let client = Fill { id, asked: asked.into(), token, uri_prefix: view.uri_prefix() };
    // Only a name that differs is written anew.
    let asked = if view.uri_prefix().is_some() { quoted(&exchange.native).into() } else { asked.into() };
    (client, Fill { id, asked, token, uri_prefix: None })
}

/// Makes a server answer a method with these bytes from now on; `query` is more of what `httpd` calls the answer.
pub fn prepare(web: &Httpd, method: &str, query: &str, media: &str, body: &[u8]) {
    let url = web.at(&format!("/answer?method={method}{query}"));
    assert_eq!(web::send("PUT", &url, &[("Content-Type", media)], body).status, 204);
}

/// What a server on HTTP was sent.
pub struct Arrived {
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Arrived {
    /// The values of all header fields of that name, in lower case.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether it is a request of a test and not the gateway's own.
    pub fn is_ours(&self) -> bool {
        String::from_utf8_lossy(&self.body).contains(MARK)
    }
}

/// What a server on HTTP was sent since it was told to forget, in order.
pub fn arrived(web: &Httpd) -> Vec<Arrived> {
    let field = |pair: &Value| Some((pair[0].as_str()?.to_lowercase(), pair[1].as_str()?.to_owned()));
    let read = |kept: Value| {
        let body = STANDARD.decode(kept["body"].as_str().expect("a body")).expect("Base64");
        let headers = kept["headers"].as_array().expect("header fields").iter().filter_map(field).collect();
        Arrived { body, headers }
    };
    web.recorded().into_iter().map(read).collect()
}

/// Lets a server on HTTP forget what it was sent.
pub fn forget(web: &Httpd) {
    assert_eq!(web::send("DELETE", &web.at("/recorded"), &[], b"").status, 204);
}

/// The events of a stream up to its end.
pub async fn events(mut answer: Answer) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = answer.event().await {
        events.push(event);
    }
    events
}

/// The one message of an answer: the body, or the one event with data of a stream that ends after it.
pub async fn lone(what: &str, answer: Answer) -> Bytes {
    if answer.header("content-type") == "application/json" {
        is_message(what, &answer, 200);
        return answer.bytes().await;
    }
    is_stream(what, &answer);
    let mut said = events(answer).await.into_iter().map(|event| event.data).filter(|data| !data.is_empty());
    let only = said.next().unwrap_or_else(|| panic!("{what}: the stream said nothing"));
    assert_eq!(said.next(), None, "{what}: more than one message");
    Bytes::from(only)
}

/// Fails with the first difference and what is around it.
#[track_caller]
pub fn same(what: &str, got: &[u8], wanted: &[u8]) {
    if got == wanted {
        return;
    }
    let at = got.iter().zip(wanted).position(|(a, b)| a != b).unwrap_or(got.len().min(wanted.len()));
    let around = |bytes: &[u8]| {
        let (start, end) = (at.saturating_sub(200).min(bytes.len()), (at + 200).min(bytes.len()));
        String::from_utf8_lossy(&bytes[start..end]).into_owned()
    };
    let (lengths, got, wanted) = ((got.len(), wanted.len()), around(got), around(wanted));
    panic!("{what}: differs at {at} (lengths {lengths:?})\n--- got\n{got:?}\n--- wanted\n{wanted:?}");
}

/// The head of an answer that is one message.
#[track_caller]
pub fn is_message(what: &str, answer: &Answer, status: u16) {
    assert_eq!(answer.status, StatusCode::from_u16(status).unwrap(), "{what}");
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
}

/// The head of an answer that is a stream of events.
#[track_caller]
pub fn is_stream(what: &str, answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{what}");
    assert_eq!(answer.header("content-type"), "text/event-stream", "{what}");
    assert!(answer.header("cache-control").contains("no-cache"), "{what}");
}

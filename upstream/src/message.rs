//! Messages on their way to and from a server: the bytes as they came, and where their parts lie.
//!
//! Never decodes arguments or results.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use wire::{Envelope, Fault, Splice, era::Era};

use crate::mux::DEPTH;

/// A message from a server, parsed once.
#[derive(Debug, Clone)]
pub struct Message {
    /// The bytes as the server sent them.
    pub body: Bytes,
    /// Where their parts lie.
    pub envelope: Envelope,
}

impl Message {
    /// Parses a body.
    ///
    /// # Errors
    /// What makes it no message.
    pub fn parse(body: Bytes, depth: usize) -> Result<Self, Fault> {
        let envelope = Envelope::parse(&body, depth)?;
        Ok(Self { body, envelope })
    }

    /// A part of the message.
    #[must_use]
    pub fn part(&self, span: wire::Span) -> &[u8] {
        span.of(&self.body)
    }

    /// A part of the message, sharing its bytes.
    #[must_use]
    pub fn share(&self, span: wire::Span) -> Bytes {
        self.body.slice(span.start as usize..span.end as usize)
    }

    /// The method; empty for answers.
    #[must_use]
    pub fn method(&self) -> Cow<'_, str> {
        self.envelope.method(&self.body)
    }
}

/// A method's name: the known ones cost nothing to hand around.
pub type Method = Cow<'static, str>;

/// The name of a method, without an allocation where the specification knows it.
#[must_use]
pub fn method(name: &str) -> Method {
    const KNOWN: [&str; 18] = [
        "tools/call",
        "tools/list",
        "prompts/get",
        "prompts/list",
        "resources/read",
        "resources/list",
        "resources/templates/list",
        "resources/subscribe",
        "resources/unsubscribe",
        "completion/complete",
        "server/discover",
        "subscriptions/listen",
        "initialize",
        "ping",
        "logging/setLevel",
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
    ];
    match KNOWN.into_iter().find(|known| *known == name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    }
}

/// A message on its way to a server: the caller's bytes and the edits made so far.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The caller's bytes with the edits that the route calls for.
    pub splice: Splice,
    /// Where the parts of the caller's bytes lie.
    pub envelope: Envelope,
    /// The caller's bytes, unedited.
    pub body: Bytes,
    /// The revision family it is written in.
    pub era: Era,
    /// The method, decoded.
    pub method: Method,
    /// For `Mcp-Name`: the name or URI as the server knows it.
    pub name: Option<Arc<str>>,
    /// Further headers that belong to the message (`Mcp-Param-*`, trace context), for servers on HTTP.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// The server may send log messages about it: its session set a level, or the request asked for them.
    pub hears_log: bool,
    /// Equal for calls of one client, where that is known and they have no session.
    pub owner: Option<u64>,
    /// What happens at the server when the caller goes away.
    pub on_drop: OnDrop,
}

impl Outgoing {
    /// A client's notification or answer, edited, that nobody waits for.
    #[must_use]
    pub fn relayed(splice: Splice, envelope: Envelope, body: Bytes, era: Era) -> Box<Self> {
        Box::new(Self {
            splice,
            envelope,
            body,
            era,
            method: Method::default(),
            name: None,
            headers: Vec::new(),
            hears_log: false,
            owner: None,
            on_drop: OnDrop::Forget,
        })
    }

    /// A message that Hostler makes itself.
    ///
    /// # Errors
    /// When it is no message, or nests deeper than messages of servers may.
    pub fn own(body: impl Into<Bytes>, era: Era) -> Result<Box<Self>, Fault> {
        let body = body.into();
        let envelope = Envelope::parse(&body, DEPTH)?;
        let method = method(&envelope.method(&body));
        Ok(Box::new(Self {
            splice: Splice::new(body.clone()),
            envelope,
            method,
            body,
            era,
            name: None,
            headers: Vec::new(),
            hears_log: false,
            owner: None,
            on_drop: OnDrop::Cancel,
        }))
    }
}

/// What happens at the server when the caller of a request goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrop {
    /// It is told that the request is cancelled (revision 2026-07-28: a closed stream is a cancellation).
    Cancel,
    /// Nothing: the legacy revisions do not take a lost connection for a cancellation.
    Forget,
}

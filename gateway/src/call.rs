//! A call: one message of a client, the same for all eras and transports.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use upstream::{Introduction, Method, OnDrop, Outgoing, Want};
use wire::{Envelope, Span, Splice, era::Era};

use crate::{place::Place, session::Session};

/// One message of a client.
pub struct Call {
    /// Where it was sent.
    pub place: Place,
    /// The era it is written in.
    pub era: Era,
    /// The bytes as they came.
    pub body: Bytes,
    /// Where their parts lie.
    pub envelope: Envelope,
    /// The method, decoded; empty for answers.
    pub method: Method,
    /// The session, or the connection on a shared wire. None for a modern request on its own.
    pub session: Option<Arc<Session>>,
    /// What the client shows to prove who it is; never passed on.
    pub credential: Option<HeaderValue>,
    /// Another node passed it on.
    pub passed_on: bool,
    /// Headers that go along to a server on HTTP.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether the client takes an answer in several messages.
    pub streams: bool,
}

impl Call {
    /// A part of the body.
    #[must_use]
    pub fn part(&self, span: Span) -> &[u8] {
        span.of(&self.body)
    }

    /// A part of the body, sharing its bytes.
    #[must_use]
    pub fn share(&self, span: Span) -> Bytes {
        self.body.slice(span.start as usize..span.end as usize)
    }

    /// The raw id.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.envelope.id.map(|span| self.part(span))
    }

    /// What tells its caller from others that introduce themselves alike: the credential, and the connection on a shared
    /// wire. Empty where there is neither.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        let credential = self.credential.as_ref().map_or(&b""[..], |credential| credential.as_bytes());
        let connection = self.session.as_ref().map_or("", |session| session.id.as_str());
        [credential, connection.as_bytes()].join(&b'\n')
    }

    /// What is asked of a server's doors.
    #[must_use]
    pub fn want(&self) -> Want {
        match (&self.session, self.era) {
            (Some(session), Era::Legacy) => session.want(),
            _ => modern(),
        }
    }

    /// The message for a server, with the edits that the route calls for.
    #[must_use]
    pub fn outgoing(&self, edits: &[(Span, Bytes)], name: Option<&Arc<str>>) -> Box<Outgoing> {
        let mut splice = Splice::new(self.body.clone());
        for (span, with) in edits {
            splice.replace(*span, with.clone());
        }
        Box::new(Outgoing {
            splice,
            envelope: self.envelope,
            body: self.body.clone(),
            era: self.era,
            method: self.method.clone(),
            name: name.cloned(),
            headers: self.headers.clone(),
            hears_log: self.era == Era::Legacy || self.envelope.log_level.is_some(),
            owner: None,
            on_drop: if self.era == Era::Modern { OnDrop::Cancel } else { OnDrop::Forget },
        })
    }
}

/// What is asked of a server's doors for whoever speaks the modern era.
#[must_use]
pub fn modern() -> Want {
    Want { era: Era::Modern, introduction: nobody(), session: None, alone: false }
}

/// Modern requests introduce themselves one by one.
fn nobody() -> Arc<Introduction> {
    static NOBODY: std::sync::OnceLock<Arc<Introduction>> = std::sync::OnceLock::new();
    NOBODY.get_or_init(|| Arc::new(Introduction { profile: 0, own: Bytes::new(), shared: Bytes::new() })).clone()
}

//! What is open between a client and the gateway, so that a lost connection can be mended: requests without an answer,
//! and the handshake, where there was one.
//!
//! Never does I/O and never looks deeper into a message than its id and method.

use std::collections::BTreeSet;

use bytes::Bytes;
use wire::{Envelope, MAX_DEPTH, Shape, Splice, batch, is_batch};

/// Requests without an answer, in either direction.
const OPEN: usize = 4096;
/// Messages in one batch.
const BATCH: usize = 1000;

/// A request's id, as JSON.
type Id = Vec<u8>;

/// What to do with a line of the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it.
    Send,
    /// It answers something that nobody asks any more.
    Drop,
    /// It cannot be sent now: too much is open.
    Refuse,
}

/// The books of one conversation.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The client's requests that are sent and not answered.
    open: BTreeSet<Id>,
    /// The gateway's requests that the client has not answered.
    asked: BTreeSet<Id>,
    /// The client's `initialize`.
    greeting: Option<Greeting>,
    /// Connections on which the handshake was repeated.
    repeats: u64,
    /// The id under which the handshake is being repeated.
    repeating: Option<Id>,
}

#[derive(Debug)]
struct Greeting {
    line: Bytes,
    id: Id,
    answered: bool,
    /// The client's `notifications/initialized`.
    initialized: Option<Bytes>,
}

impl Ledger {
    /// Takes note of a line of the client that is about to be sent.
    pub fn outgoing(&mut self, line: &Bytes) -> Step {
        if is_batch(line) {
            let opened: Vec<Id> = requests(line);
            if self.open.len() + opened.len() > OPEN {
                return Step::Refuse;
            }
            self.open.extend(opened);
            return Step::Send;
        }
        // What is no message goes on as it is: the gateway says what is wrong with it.
        let Ok(envelope) = Envelope::parse(line, MAX_DEPTH) else { return Step::Send };
        let id = envelope.id.map(|span| span.of(line).to_vec());
        match (envelope.kind, id) {
            (Shape::Request, Some(id)) => {
                if self.open.len() >= OPEN {
                    return Step::Refuse;
                }
                if is_legacy_greeting(&envelope, line) {
                    self.greeting =
                        Some(Greeting { line: line.clone(), id: id.clone(), answered: false, initialized: None });
                }
                self.open.insert(id);
            }
            (Shape::Response | Shape::Error, Some(id)) if !self.asked.remove(&id) => return Step::Drop,
            (Shape::Notification, _) => self.notified(&envelope, line),
            _ => {}
        }
        Step::Send
    }

    fn notified(&mut self, envelope: &Envelope, line: &Bytes) {
        match (envelope.method(line).as_ref(), &mut self.greeting) {
            ("notifications/initialized", Some(greeting)) => greeting.initialized = Some(line.clone()),
            // A cancelled request is not answered.
            ("notifications/cancelled", _) => {
                if let Some(id) = envelope.request_id {
                    self.open.remove(id.of(line));
                }
            }
            _ => {}
        }
    }

    /// Takes note of a message of the gateway; tells whether it is for the client.
    pub fn incoming(&mut self, message: &[u8]) -> Incoming {
        if is_batch(message) {
            for part in batch(message, MAX_DEPTH, BATCH).unwrap_or_default() {
                self.incoming(part.of(message));
            }
            return Incoming::HandOn;
        }
        let Ok(envelope) = Envelope::parse(message, MAX_DEPTH) else { return Incoming::HandOn };
        let Some(id) = envelope.id.map(|span| span.of(message)) else { return Incoming::HandOn };
        match envelope.kind {
            Shape::Request => {
                if self.asked.len() < OPEN {
                    self.asked.insert(id.to_vec());
                }
            }
            Shape::Response | Shape::Error => {
                if self.repeating.as_deref() == Some(id) {
                    self.repeating = None;
                    return Incoming::Repeated { accepted: envelope.kind == Shape::Response };
                }
                self.open.remove(id);
                if let Some(greeting) = self.greeting.as_mut().filter(|greeting| greeting.id == id) {
                    greeting.answered = envelope.kind == Shape::Response;
                    if !greeting.answered {
                        self.greeting = None;
                    }
                }
            }
            Shape::Notification => {}
        }
        Incoming::HandOn
    }

    /// The connection was lost. The client's open requests, to be answered with an error; and its handshake, to be sent
    /// again if it is among them.
    pub fn lost(&mut self) -> (Vec<Id>, Option<Bytes>) {
        self.asked.clear();
        self.repeating = None;
        let mut open = std::mem::take(&mut self.open);
        let again = self.greeting.take_if(|greeting| !greeting.answered);
        if let Some(greeting) = &again {
            open.remove(&greeting.id);
        }
        (open.into_iter().collect(), again.map(|greeting| greeting.line))
    }

    /// The handshake to repeat on a new connection, under an id that no client uses.
    pub fn repeat(&mut self) -> Option<Bytes> {
        let line = &self.greeting.as_ref().filter(|greeting| greeting.answered)?.line;
        let at = Envelope::parse(line, MAX_DEPTH).ok()?.id?;
        self.repeats += 1;
        let id = format!("\"hostler-connect-{}\"", self.repeats);
        let mut again = Splice::new(line.clone());
        again.replace(at, id.clone());
        self.repeating = Some(id.into());
        Some(again.into_bytes())
    }

    /// What follows a repeated handshake.
    pub fn after_repeat(&self) -> Option<Bytes> {
        self.greeting.as_ref()?.initialized.clone()
    }

    /// Whether every request of the client has its answer.
    pub fn is_settled(&self) -> bool {
        self.open.is_empty()
    }
}

/// What to do with a message of the gateway.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// It is for the client.
    HandOn,
    /// It answers the repeated handshake, of which the client knows nothing.
    Repeated {
        /// The session is open again.
        accepted: bool,
    },
}

/// The ids of the requests in a line, which may be a batch.
pub fn requests(line: &[u8]) -> Vec<Id> {
    let id = |message: &[u8]| {
        let envelope = Envelope::parse(message, MAX_DEPTH).ok().filter(|envelope| envelope.kind == Shape::Request)?;
        envelope.id.map(|span| span.of(message).to_vec())
    };
    if is_batch(line) {
        let parts = batch(line, MAX_DEPTH, BATCH).unwrap_or_default();
        return parts.into_iter().filter_map(|part| id(part.of(line))).collect();
    }
    id(line).into_iter().collect()
}

/// In the modern era `initialize` is an unknown method: there is no session, so nothing to repeat.
fn is_legacy_greeting(envelope: &Envelope, line: &[u8]) -> bool {
    envelope.protocol_version.is_none() && envelope.method(line) == "initialize"
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn ids(ids: &[Id]) -> Vec<&str> {
        ids.iter().map(|id| std::str::from_utf8(id).unwrap_or("?")).collect()
    }

    #[test]
    fn what_was_not_answered_is_known_when_the_connection_is_lost() {
        let mut ledger = Ledger::default();
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":"1","method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call"}"#,
            r#"[{"jsonrpc":"2.0","id":3,"method":"ping"},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","id":4,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#,
            "no JSON at all",
        ] {
            assert_eq!(ledger.outgoing(&bytes(line)), Step::Send);
        }
        ledger.incoming(br#"{"jsonrpc":"2.0","id":"1","result":{}}"#);
        ledger.incoming(br#"[{"jsonrpc":"2.0","id":3,"result":{}}]"#);
        let (open, again) = ledger.lost();
        assert_eq!((ids(&open), again), (vec!["1", "4"], None));
        assert!(ledger.is_settled());
    }

    #[test]
    fn an_answered_handshake_is_repeated_under_another_id_and_its_answer_kept_from_the_client() {
        let mut ledger = Ledger::default();
        ledger.outgoing(&bytes(HELLO));
        assert_eq!(ledger.incoming(br#"{"jsonrpc":"2.0","id":0,"result":{}}"#), Incoming::HandOn);
        let initialized = bytes(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        ledger.outgoing(&initialized);
        assert_eq!(ledger.lost(), (vec![], None));
        let again = ledger.repeat().map(|line| String::from_utf8_lossy(&line).into_owned());
        assert_eq!(again, Some(HELLO.replace("\"id\":0", "\"id\":\"hostler-connect-1\"")));
        let accepted = Incoming::Repeated { accepted: true };
        assert_eq!(ledger.incoming(br#"{"jsonrpc":"2.0","id":"hostler-connect-1","result":{}}"#), accepted);
        assert_eq!(ledger.after_repeat(), Some(initialized));
    }

    #[test]
    fn an_open_handshake_is_sent_again_as_it_was() {
        let mut ledger = Ledger::default();
        ledger.outgoing(&bytes(HELLO));
        assert_eq!(ledger.lost(), (vec![], Some(bytes(HELLO))));
        assert_eq!(ledger.repeat(), None);
    }

    #[test]
    fn a_refused_or_modern_handshake_is_not_repeated() {
        let mut ledger = Ledger::default();
        ledger.outgoing(&bytes(HELLO));
        ledger.incoming(br#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no"}}"#);
        assert_eq!(ledger.repeat(), None);
        let modern = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        ledger.outgoing(&bytes(modern));
        ledger.incoming(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!(ledger.repeat(), None);
    }

    #[test]
    fn an_answer_is_sent_only_to_the_connection_that_asked() {
        let mut ledger = Ledger::default();
        let answer = bytes(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
        assert_eq!(ledger.outgoing(&answer), Step::Drop);
        ledger.incoming(br#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#);
        assert_eq!(ledger.outgoing(&answer), Step::Send);
        ledger.incoming(br#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#);
        ledger.lost();
        assert_eq!(ledger.outgoing(&answer), Step::Drop);
    }

    #[test]
    fn open_requests_are_bounded() {
        let mut ledger = Ledger::default();
        let request = |n: usize| bytes(&format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"ping"}}"#));
        for n in 0..OPEN {
            assert_eq!(ledger.outgoing(&request(n)), Step::Send);
        }
        assert_eq!(ledger.outgoing(&request(OPEN)), Step::Refuse);
    }
}

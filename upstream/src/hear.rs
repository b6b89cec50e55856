//! What a server says on a link: answers go to their calls, its own notifications and requests to the call or the
//! session they belong to.
//!
//! Never waits: it runs in the task that reads from the server.

use std::sync::Arc;

use bytes::Bytes;
use wire::{Fault, Shape};

use crate::{
    link::{Link, Transport},
    message::{Message, Outgoing},
    mux::{Addressee, DEPTH},
    peer::{Peer, PeerId},
};

impl Link {
    /// The sessions on the link, or those of them that are named. Taken out first: one may be looking at its links at the
    /// same time.
    pub(crate) fn audience(&self, only: &[PeerId]) -> Vec<Arc<dyn Peer>> {
        let peers = self.peers().lock();
        let chosen = peers.iter().filter(|(id, _)| only.is_empty() || only.contains(id));
        chosen.filter_map(|(_, weak)| weak.upgrade()).collect()
    }

    /// Says that one of the server's lists changed.
    pub(crate) fn ring(&self) {
        self.changed().notify_one();
    }

    /// Takes a message that arrived on the shared stream.
    ///
    /// # Errors
    /// What makes it no message.
    pub fn receive(self: &Arc<Self>, body: Bytes) -> Result<(), Fault> {
        let message = Message::parse(body, DEPTH)?;
        match (self.transport(), message.envelope.kind) {
            (Transport::Mux(mux), Shape::Response | Shape::Error) => mux.answer(message),
            _ => self.own_message(message),
        }
        Ok(())
    }

    /// Takes a notification or request of the server that did not arrive within a call.
    pub fn own_message(self: &Arc<Self>, message: Message) {
        let method = message.method();
        let to_all = match &*method {
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => {
                self.changed().notify_one();
                message.envelope.subscription_id.is_none()
            }
            "notifications/resources/updated" | "notifications/cancelled" => message.envelope.subscription_id.is_none(),
            "ping" if message.envelope.kind == Shape::Request => return self.answer_own(&message, Ok(b"{}")),
            _ => false,
        };
        drop(method);
        let addressee = match self.transport() {
            _ if to_all => Addressee::Peers(Vec::new()),
            Transport::Mux(mux) => mux.attribute(&message),
            Transport::Http(_) => Addressee::Peers(Vec::new()),
        };
        match addressee {
            Addressee::Taken => {}
            Addressee::Peers(only) => self.hand_out(message, &only),
            Addressee::Ambiguous => {
                let why = "several clients with calls in flight share this server, or one of them has left, so nobody can \
                           tell whom the message is for; set `isolation: session` for the server";
                self.refuse(&message, why);
                if message.envelope.kind == Shape::Request {
                    self.audience(&[]).iter().for_each(|peer| peer.asked_in_vain());
                }
            }
        }
    }

    /// Tells all sessions on the link.
    pub(crate) fn tell_all(self: &Arc<Self>, message: &Message) {
        for peer in self.audience(&[]) {
            peer.deliver(self, message.clone());
        }
    }

    fn hand_out(self: &Arc<Self>, message: Message, only: &[PeerId]) {
        let audience = self.audience(only);
        if message.envelope.kind == Shape::Request {
            match &audience[..] {
                [peer] => peer.deliver(self, message),
                _ => self.refuse(&message, "no single client is there to answer the request"),
            }
            return;
        }
        for peer in audience {
            peer.deliver(self, message.clone());
        }
    }

    fn refuse(self: &Arc<Self>, message: &Message, why: &str) {
        if message.envelope.kind == Shape::Request {
            tracing::warn!(server = %self.server(), method = %message.method(), why, "request of a server refused");
            self.answer_own(message, Err((wire::era::code::INTERNAL, why)));
        } else {
            tracing::debug!(server = %self.server(), method = %message.method(), why, "message of a server dropped");
        }
    }

    /// Answers a server's request in Hostler's own name.
    pub fn answer_own(self: &Arc<Self>, message: &Message, answer: Result<&[u8], (i64, &str)>) {
        let Some(id) = message.envelope.id else { return };
        let id = message.part(id);
        let body = match answer {
            Ok(result) => wire::build::result(id, result),
            Err((code, text)) => wire::build::error(Some(id), code, text, None, false),
        };
        self.say(body);
    }

    /// Tells a server, in Hostler's own name, that its request of this raw id has no answer.
    pub fn refuse_request(self: &Arc<Self>, id: &[u8], why: &str) {
        self.say(wire::build::error(Some(id), wire::era::code::INTERNAL, why, None, false));
    }

    fn say(self: &Arc<Self>, body: Vec<u8>) {
        match self.transport() {
            Transport::Mux(mux) => mux.try_send(body),
            Transport::Http(_) => self.post_later(body),
        }
    }

    fn post_later(self: &Arc<Self>, body: Vec<u8>) {
        let Ok(out) = Outgoing::own(body, self.era()) else { return };
        let link = self.clone();
        tokio::spawn(async move {
            if let Transport::Http(carrier) = link.transport() {
                let _ = carrier.post(&link.home, out).await;
            }
        });
    }
}

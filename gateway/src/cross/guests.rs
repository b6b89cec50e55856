//! All guests: found by server and by what the callers declare.

use std::sync::Arc;

use bytes::Bytes;
use foldhash::HashMap;
use ground::{Failure, Kind, ServerName};
use parking_lot::Mutex;
use upstream::{
    Introduction, Peer, Server,
    spec::{Isolation, Origin},
};

use super::guest::{Guest, Seat};
use crate::{call::Call, introduce};

/// The table.
#[derive(Default)]
pub struct Guests(Mutex<HashMap<Key, Vec<Arc<Guest>>>>);

/// A server, and what tells those who share a guest there from others.
type Key = (ServerName, Bytes);

/// A caller, as far as guests are chosen by it.
#[derive(Clone)]
pub struct Visitor {
    /// How it introduces itself to a server.
    pub introduction: Arc<Introduction>,
    /// What tells it from others that do the same.
    identity: Arc<[u8]>,
}

impl Visitor {
    /// Who makes a modern request.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        Self { introduction: Arc::new(introduce::of_request(call)), identity: call.identity().into() }
    }
}

impl Guests {
    /// A place for a call of a caller. `may_be_asked`: it can answer a server's questions.
    ///
    /// Calls share a guest as long as the server never asked anything. Once it has, calls that may be asked have a guest
    /// each, as far as the server has room for instances, so that no question reaches the wrong caller.
    ///
    /// # Errors
    /// `Overloaded` when there are `bound` guests already.
    pub fn seat(
        &self,
        server: &Arc<Server>,
        visitor: &Visitor,
        may_be_asked: bool,
        bound: usize,
    ) -> Result<Seat, Failure> {
        let Visitor { introduction, identity } = visitor;
        let mut table = self.0.lock();
        let asks = may_be_asked && (server.asks() || server.spec().isolation == Isolation::Session);
        let crowd: usize = table.values().map(Vec::len).sum();
        // A session at a remote server is the caller's; a process is shared, whatever its callers are called.
        let remote = matches!(server.spec().origin, Origin::Remote(_));
        let own = if remote { introduction.own.clone() } else { introduction.shared.clone() };
        let callers = if remote { Bytes::from([&own[..], identity].concat()) } else { own.clone() };
        let guests = table.entry((server.name().clone(), callers)).or_default();
        // Those of a server that was replaced meanwhile end with their calls, and those that never got there at once.
        guests.retain(|guest| Arc::ptr_eq(guest.server(), server) && guest.is_of_use());
        let free = |guest: &&Arc<Guest>| guest.is_alone() && guest.is_free();
        if let Some(guest) = guests.iter().find(|guest| asks && free(guest)) {
            return Ok(guest.seat());
        }
        let apart = asks && crowd < bound && guests.len() < server.spec().bounds.instances && server.has_room();
        let shared = guests.iter().filter(|guest| !apart && !guest.is_left());
        if let Some(shared) = shared.min_by_key(|guest| guest.is_alone() && guest.is_taken()) {
            return Ok(shared.seat());
        }
        if crowd >= bound {
            let text = format!("there are {crowd} sessions for modern callers, the limit (`limits.sessions`)");
            return Err(Failure::gateway(Kind::Overloaded, text));
        }
        let introduction = Introduction { own, shared: introduction.shared.clone(), ..*introduction.as_ref() };
        let guest = Guest::new(server.clone(), Arc::new(introduction), apart);
        guests.push(guest.clone());
        Ok(guest.seat())
    }

    /// Lets those go of whom nobody heard for as long as their server's instances may be idle.
    pub fn sweep(&self) {
        let mut gone = Vec::new();
        self.0.lock().retain(|_, guests| {
            let idle = |guest: &Guest| guest.idle() >= guest.server().spec().bounds.idle;
            gone.extend(guests.extract_if(.., |guest| idle(guest) || guest.is_left() && !guest.is_taken()));
            !guests.is_empty()
        });
        gone.iter().for_each(|guest| guest.leave());
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().values().map(Vec::len).sum()
    }
}

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

/// The table.
#[derive(Default)]
pub struct Guests(Mutex<HashMap<Key, Vec<Arc<Guest>>>>);

/// A server, and how the callers introduce themselves to it.
type Key = (ServerName, Bytes);

impl Guests {
    /// A place for a call whose caller introduces itself so. `may_be_asked`: the caller can answer a server's questions.
    ///
    /// Calls share a guest as long as the server never asked anything. Once it has, calls that may be asked have a guest
    /// each, as far as the server's bound on instances allows, so that no question reaches the wrong caller.
    ///
    /// # Errors
    /// `Overloaded` when there are `bound` guests already.
    pub fn seat(
        &self,
        server: &Arc<Server>,
        introduction: &Arc<Introduction>,
        may_be_asked: bool,
        bound: usize,
    ) -> Result<Seat, Failure> {
        let mut table = self.0.lock();
        let apart = may_be_asked && (server.asks() || server.spec().isolation == Isolation::Session);
        let crowd: usize = table.values().map(Vec::len).sum();
        // A session at a remote server is the caller's; a process is shared, whatever its callers are called.
        let remote = matches!(server.spec().origin, Origin::Remote(_));
        let own = if remote { introduction.own.clone() } else { introduction.shared.clone() };
        let guests = table.entry((server.name().clone(), own.clone())).or_default();
        // Those of a server that was replaced meanwhile end with their calls.
        guests.retain(|guest| Arc::ptr_eq(guest.server(), server));
        let free = |guest: &&Arc<Guest>| !apart || (guest.is_alone() && !guest.is_taken());
        if let Some(guest) = guests.iter().find(free) {
            return Ok(guest.seat());
        }
        let full = guests.len() >= server.spec().bounds.instances || crowd >= bound;
        match guests.first() {
            Some(shared) if full => Ok(shared.seat()),
            None if full => {
                let text = format!("there are {crowd} sessions for modern callers, the limit (`limits.sessions`)");
                Err(Failure::gateway(Kind::Overloaded, text))
            }
            _ => {
                let introduction = Introduction { own, shared: introduction.shared.clone(), ..*introduction.as_ref() };
                let guest = Guest::new(server.clone(), Arc::new(introduction), apart);
                guests.push(guest.clone());
                Ok(guest.seat())
            }
        }
    }

    /// Lets those go of whom nobody heard for as long as their server's instances may be idle.
    pub fn sweep(&self) {
        let mut gone = Vec::new();
        self.0.lock().retain(|_, guests| {
            let idle = |guest: &mut Arc<Guest>| guest.idle() >= guest.server().spec().bounds.idle;
            gone.extend(guests.extract_if(.., idle));
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

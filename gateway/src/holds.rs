//! What a session holds at servers: the links that it uses, and the servers that may be opening one for it.
//!
//! Never opens a link. What is held is given back once, at the session's end, whatever was under way then.

use std::sync::Arc;

use foldhash::HashMap;
use ground::ServerName;
use parking_lot::Mutex;
use upstream::{Link, PeerId, Server};

/// The links of one session.
#[derive(Default)]
pub struct Holds(Mutex<State>);

#[derive(Default)]
struct State {
    ended: bool,
    held: HashMap<ServerName, Hold>,
}

/// A server that was asked for a link, and the link once there is one.
struct Hold {
    server: Arc<Server>,
    link: Option<Arc<Link>>,
}

impl Holds {
    /// Notes that a server is asked for a link, so that one which is still being opened at the session's end is given
    /// back too. False when the session has ended.
    pub fn approach(&self, server: &Arc<Server>) -> bool {
        let mut state = self.0.lock();
        if !state.ended {
            state
                .held
                .entry(server.name().clone())
                .and_modify(|hold| hold.server = server.clone())
                .or_insert_with(|| Hold { server: server.clone(), link: None });
        }
        !state.ended
    }

    /// Holds a link from now on. `None` when the session has ended, else whether it is a new one.
    pub fn hold(&self, server: &Arc<Server>, link: &Arc<Link>) -> Option<bool> {
        let mut state = self.0.lock();
        if state.ended {
            return None;
        }
        let hold = Hold { server: server.clone(), link: Some(link.clone()) };
        let before = state.held.insert(server.name().clone(), hold).and_then(|before| before.link);
        Some(before.is_none_or(|before| !Arc::ptr_eq(&before, link)))
    }

    /// The link held to a server, while it is open.
    pub fn link_to(&self, server: &ServerName) -> Option<Arc<Link>> {
        self.0.lock().held.get(server)?.link.clone().filter(|link| !link.is_closed())
    }

    /// All links held that are open.
    pub fn links(&self) -> Vec<Arc<Link>> {
        let state = self.0.lock();
        state.held.values().filter_map(|hold| hold.link.clone()).filter(|link| !link.is_closed()).collect()
    }

    /// Lets go of a link that has ended.
    pub fn lost(&self, link: &Arc<Link>) {
        for hold in self.0.lock().held.values_mut() {
            hold.link.take_if(|held| Arc::ptr_eq(held, link));
        }
    }

    /// Gives everything back, for good.
    pub fn end(&self, peer: PeerId) {
        // Taken out first: closing a link calls back into `lost`.
        let held = {
            let mut state = self.0.lock();
            state.ended = true;
            std::mem::take(&mut state.held)
        };
        for Hold { server, link } in held.into_values() {
            if let Some(link) = link {
                link.detach(peer);
            }
            server.release(peer);
        }
    }
}

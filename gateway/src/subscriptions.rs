//! The resources that a legacy session wants to hear of, by server, within bounds.
//!
//! Never tells a server anything: whoever adds a subscription does, and `restore` says it again on another link.

use std::{collections::BTreeSet, sync::Arc};

use foldhash::HashMap;
use ground::{Failure, Kind, ServerName};
use parking_lot::Mutex;
use wire::bridge::{MOST_URIS, covering};

/// Bytes of a URI that may be subscribed to.
const LONGEST_URI: usize = 8 << 10;

/// The subscriptions of one session.
#[derive(Default)]
pub struct Subscriptions(Mutex<HashMap<ServerName, Uris>>);

#[derive(Default)]
struct Uris {
    wanted: BTreeSet<Arc<str>>,
    /// A task sees to it that the session stays at the server.
    attended: bool,
}

impl Subscriptions {
    /// Adds a resource of a server.
    ///
    /// # Errors
    /// `InvalidParams` for a URI that is too long, or one too many.
    pub fn add(&self, server: &ServerName, uri: &str) -> Result<Arc<str>, Failure> {
        let too_much = |text: String| Err(Failure::client(Kind::InvalidParams, text));
        if uri.len() > LONGEST_URI {
            return too_much(format!("a URI to subscribe to has at most {LONGEST_URI} bytes"));
        }
        let mut servers = self.0.lock();
        if let Some(known) = servers.get(server).and_then(|uris| uris.wanted.get(uri)) {
            return Ok(known.clone());
        }
        if servers.values().map(|uris| uris.wanted.len()).sum::<usize>() >= MOST_URIS {
            return too_much(format!("a session subscribes to at most {MOST_URIS} resources; unsubscribe from some"));
        }
        let uri: Arc<str> = uri.into();
        servers.entry(server.clone()).or_default().wanted.insert(uri.clone());
        Ok(uri)
    }

    /// Takes one away.
    pub fn remove(&self, server: &ServerName, uri: &str) {
        let mut servers = self.0.lock();
        let Some(uris) = servers.get_mut(server) else { return };
        uris.wanted.remove(uri);
        if uris.wanted.is_empty() && !uris.attended {
            servers.remove(server);
        }
    }

    /// Those at a server.
    pub fn at(&self, server: &ServerName) -> Vec<Arc<str>> {
        self.0.lock().get(server).map(|uris| uris.wanted.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether there is exactly this one.
    pub fn has(&self, server: &ServerName, uri: &str) -> bool {
        self.0.lock().get(server).is_some_and(|uris| uris.wanted.contains(uri))
    }

    /// Whether an update of a resource is to be heard.
    pub fn cover(&self, server: &ServerName, uri: &str) -> bool {
        self.0.lock().get(server).is_some_and(|uris| covering(uri).any(|name| uris.wanted.contains(name)))
    }

    /// Claims the attendance at a server: true for one until [`Subscriptions::retire`].
    pub fn attend(&self, server: &ServerName) -> bool {
        let mut servers = self.0.lock();
        servers.get_mut(server).is_some_and(|uris| !std::mem::replace(&mut uris.attended, true))
    }

    /// Gives the attendance back if nothing is subscribed to any more. True when it was given back.
    pub fn retire(&self, server: &ServerName) -> bool {
        let mut servers = self.0.lock();
        let over = servers.get(server).is_none_or(|uris| uris.wanted.is_empty());
        if over {
            servers.remove(server);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn server() -> ServerName {
        ServerName::new("here").unwrap()
    }

    #[test]
    fn a_session_hears_of_what_it_named_and_of_what_lies_below_and_of_nothing_else() {
        let subscriptions = Subscriptions::default();
        for uri in ["", "r", "file:///a", "file:///b/"] {
            subscriptions.add(&server(), uri).unwrap();
        }
        for heard in ["r", "r/1", "file:///a", "file:///a/x", "file:///a?x", "file:///a#x", "file:///b/c"] {
            assert!(subscriptions.cover(&server(), heard), "{heard}");
        }
        for unheard in ["r://private", "file:///ab", "file:///b", "/x", "x"] {
            assert!(!subscriptions.cover(&server(), unheard), "{unheard}");
        }
        assert!(!subscriptions.cover(&ServerName::new("there").unwrap(), "r"));
    }

    #[test]
    fn a_session_subscribes_to_so_many_resources_of_such_a_length_and_no_more() {
        let subscriptions = Subscriptions::default();
        let refusal = subscriptions.add(&server(), &"x".repeat(LONGEST_URI + 1)).unwrap_err();
        assert_eq!(refusal.kind(), Kind::InvalidParams);
        subscriptions.add(&server(), &"x".repeat(LONGEST_URI)).unwrap();
        for n in 1..MOST_URIS {
            let server = ServerName::new(if n % 2 == 0 { "here" } else { "there" }).unwrap();
            subscriptions.add(&server, &format!("r://{n}")).unwrap();
        }
        assert_eq!(subscriptions.add(&server(), "r://more").unwrap_err().kind(), Kind::InvalidParams);
        assert!(subscriptions.add(&server(), "r://2").is_ok(), "it is there already");
        subscriptions.remove(&server(), "r://2");
        assert!(subscriptions.add(&server(), "r://more").is_ok());
    }

    #[test]
    fn a_server_is_attended_once_and_for_as_long_as_something_is_subscribed_to() {
        let subscriptions = Subscriptions::default();
        assert!(!subscriptions.attend(&server()), "there is nothing to attend to");
        subscriptions.add(&server(), "r").unwrap();
        assert!(subscriptions.attend(&server()));
        assert!(!subscriptions.attend(&server()));
        assert!(!subscriptions.retire(&server()));
        subscriptions.remove(&server(), "r");
        subscriptions.add(&server(), "s").unwrap();
        assert!(!subscriptions.attend(&server()), "whoever attends has not retired");
        subscriptions.remove(&server(), "s");
        assert!(subscriptions.retire(&server()));
        subscriptions.add(&server(), "r").unwrap();
        assert!(subscriptions.attend(&server()));
    }
}

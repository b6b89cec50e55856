//! What listeners want to hear of at a legacy server, beside what its session there has been told so far.
//!
//! Plain state; never says anything itself: `hearing` takes the next step and reports what came of it.

use std::collections::{BTreeMap, BTreeSet};

use wire::bridge::{Filter, Wanted};

/// The sum of what is wanted, and how far it is said.
#[derive(Default)]
pub struct Subscribing {
    wanted: Wanted,
    said: BTreeMap<String, Said>,
    /// URIs of which `wanted` and `said` may differ.
    todo: BTreeSet<String>,
}

/// What the server knows of a URI.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// A request is on its way.
    Asked,
    Subscribed,
    Refused,
}

/// Something to tell the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `resources/subscribe`
    Subscribe(String),
    /// `resources/unsubscribe`
    Unsubscribe(String),
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The server obeyed.
    Done,
    /// It will not, as long as this session lasts.
    Refused,
    /// Nobody knows: it is to be said again.
    Failed,
}

impl Subscribing {
    /// Adds what a listener wants.
    pub fn widen(&mut self, filter: &Filter) {
        self.todo.extend(self.wanted.widen(filter).uris);
    }

    /// Takes away what a listener wanted.
    pub fn narrow(&mut self, filter: &Filter) {
        for uri in self.wanted.narrow(filter).uris {
            match self.said.contains_key(&uri) {
                true => _ = self.todo.insert(uri),
                false => _ = self.todo.remove(&uri),
            }
        }
    }

    /// Begins with a server that has been told nothing.
    pub fn afresh(&mut self) {
        self.said.clear();
        self.todo = self.wanted.filter().uris;
    }

    /// What to say next. Of one URI only one thing is said at a time.
    pub fn next(&mut self) -> Option<Step> {
        while let Some(uri) = self.todo.pop_first() {
            match (self.wanted.has_uri(&uri), self.said.get(&uri)) {
                (true, None) => {
                    self.said.insert(uri.clone(), Said::Asked);
                    return Some(Step::Subscribe(uri));
                }
                (false, Some(Said::Subscribed)) => {
                    self.said.insert(uri.clone(), Said::Asked);
                    return Some(Step::Unsubscribe(uri));
                }
                (false, Some(Said::Refused)) => _ = self.said.remove(&uri),
                (_, Some(Said::Asked)) | (true, Some(_)) | (false, None) => {}
            }
        }
        None
    }

    /// Notes what came of a step.
    pub fn came(&mut self, step: Step, came: Came) {
        let (uri, now) = match (step, came) {
            (Step::Subscribe(uri), Came::Done) => (uri, Some(Said::Subscribed)),
            (Step::Subscribe(uri), Came::Refused) => (uri, Some(Said::Refused)),
            (Step::Subscribe(uri), Came::Failed) | (Step::Unsubscribe(uri), _) => (uri, None),
        };
        match now {
            Some(said) => _ = self.said.insert(uri.clone(), said),
            None => _ = self.said.remove(&uri),
        }
        if self.wanted.has_uri(&uri) != now.is_some() {
            self.todo.insert(uri);
        }
    }

    /// Whether the server has said yes or no to all these.
    pub fn is_settled(&self, uris: &BTreeSet<String>) -> bool {
        uris.iter().all(|uri| matches!(self.said.get(uri), Some(Said::Subscribed | Said::Refused)))
    }

    /// Whether the server has refused this one.
    pub fn is_refused(&self, uri: &str) -> bool {
        self.said.get(uri) == Some(&Said::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(uris: &[&str]) -> Filter {
        Filter { uris: uris.iter().map(ToString::to_string).collect(), ..Filter::default() }
    }

    fn subscribe(uri: &str) -> Step {
        Step::Subscribe(uri.into())
    }

    #[test]
    fn each_resource_is_subscribed_to_once_however_many_listen() {
        let mut subscribing = Subscribing::default();
        subscribing.widen(&filter(&["a", "b"]));
        subscribing.widen(&filter(&["b"]));
        assert_eq!((subscribing.next(), subscribing.next()), (Some(subscribe("a")), Some(subscribe("b"))));
        assert_eq!(subscribing.next(), None);
        assert!(!subscribing.is_settled(&filter(&["a"]).uris), "nothing was answered");
        subscribing.came(subscribe("a"), Came::Done);
        subscribing.came(subscribe("b"), Came::Refused);
        assert!(subscribing.is_settled(&filter(&["a", "b"]).uris));
        assert!(subscribing.is_refused("b") && !subscribing.is_refused("a"));
        assert_eq!(subscribing.next(), None, "what was refused is not asked again");
        subscribing.narrow(&filter(&["b"]));
        subscribing.narrow(&filter(&["a", "b"]));
        assert_eq!(subscribing.next(), Some(Step::Unsubscribe("a".into())));
        assert_eq!(subscribing.next(), None, "what was refused is not unsubscribed from");
    }

    #[test]
    fn what_failed_is_said_again_and_a_new_server_is_told_all() {
        let mut subscribing = Subscribing::default();
        subscribing.widen(&filter(&["a"]));
        assert_eq!(subscribing.next(), Some(subscribe("a")));
        subscribing.came(subscribe("a"), Came::Failed);
        assert_eq!(subscribing.next(), Some(subscribe("a")));
        subscribing.came(subscribe("a"), Came::Done);
        assert_eq!(subscribing.next(), None);
        subscribing.afresh();
        assert!(!subscribing.is_settled(&filter(&["a"]).uris));
        assert_eq!(subscribing.next(), Some(subscribe("a")));
    }

    #[test]
    fn a_listener_that_leaves_or_comes_while_a_request_is_on_its_way_is_seen_to_afterwards() {
        let mut subscribing = Subscribing::default();
        subscribing.widen(&filter(&["a", "b"]));
        assert_eq!(subscribing.next(), Some(subscribe("a")));
        subscribing.narrow(&filter(&["a", "b"]));
        assert_eq!(subscribing.next(), None, "`b` was never said, and `a` is on its way");
        subscribing.came(subscribe("a"), Came::Done);
        let unsubscribe = Step::Unsubscribe("a".into());
        assert_eq!(subscribing.next(), Some(unsubscribe.clone()));
        subscribing.widen(&filter(&["a"]));
        assert_eq!(subscribing.next(), None);
        subscribing.came(unsubscribe, Came::Done);
        assert_eq!(subscribing.next(), Some(subscribe("a")));
    }
}

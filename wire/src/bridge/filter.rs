//! What a listener wants to hear: the filter of `subscriptions/listen`, and the sum of many listeners' filters, by which a
//! stream to a server is widened and narrowed. Never opens a stream.
//!
//! "Notification Filter" and "Acknowledgment" (subscriptions) of revision 2026-07-28; "Subscriptions" (resources) of
//! revision 2025-11-25.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compose::{Composer, strings},
    unfit::Unfit,
    words::SUBSCRIPTION,
};
use crate::{Envelope, build, elements, field, text};

/// URIs that one filter may name.
pub const MOST_URIS: usize = 1000;

/// The lists that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    /// `notifications/tools/list_changed`
    Tools,
    /// `notifications/prompts/list_changed`
    Prompts,
    /// `notifications/resources/list_changed`, also for templates.
    Resources,
}

impl List {
    /// All of them, in the order in which filters are written.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The member of a filter that asks for it.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }

    /// The notification that tells of it.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
        }
    }

    /// The list of which a notification tells.
    #[must_use]
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.method() == method)
    }
}

/// What a listener wants to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Lists whose changes are wanted.
    pub lists: BTreeSet<List>,
    /// Resources whose updates are wanted.
    pub uris: BTreeSet<String>,
}

impl Filter {
    /// Reads `notifications` of the raw `params` of `subscriptions/listen`, or of its acknowledgement. Members that are not
    /// known here are not honoured, and so not acknowledged.
    ///
    /// # Errors
    /// `Lacks` without `notifications`; `TooMany` beyond [`MOST_URIS`].
    pub fn read(params: &[u8]) -> Result<Self, Unfit> {
        let filter = field(params, "notifications").filter(|filter| filter.first() == Some(&b'{'));
        let filter = filter.ok_or(Unfit::Lacks("notifications"))?;
        let lists = List::ALL.into_iter().filter(|list| field(filter, list.member()) == Some(b"true")).collect();
        let mut uris = BTreeSet::new();
        for uri in elements(field(filter, "resourceSubscriptions").unwrap_or_default()) {
            uris.insert(text(uri).ok_or(Unfit::Lacks("resourceSubscriptions"))?.into_owned());
            if uris.len() > MOST_URIS {
                return Err(Unfit::TooMany(MOST_URIS));
            }
        }
        Ok(Self { lists, uris })
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.uris.is_empty()
    }

    /// Whether a server's notification is one of those wanted.
    #[must_use]
    pub fn wants(&self, body: &[u8], envelope: &Envelope) -> bool {
        match &*envelope.method(body) {
            "notifications/resources/updated" => {
                let uri = envelope.uri.and_then(|span| text(span.of(body)));
                uri.is_some_and(|uri| self.wants_uri(&uri))
            }
            method => List::of_method(method).is_some_and(|list| self.lists.contains(&list)),
        }
    }

    /// Whether updates of a resource are wanted: it is one of those named, or lies below one.
    #[must_use]
    pub fn wants_uri(&self, uri: &str) -> bool {
        covering(uri).any(|name| self.uris.contains(name))
    }

    /// The filter as raw JSON. Nothing wanted is `{}`.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut filter = Composer::new();
        self.lists.iter().for_each(|list| _ = filter.member(list.member(), "true"));
        if !self.uris.is_empty() {
            filter.member("resourceSubscriptions", strings(&self.uris));
        }
        filter.finish()
    }

    /// The first message of a stream: what of the request is honoured, under the request's raw id.
    #[must_use]
    pub fn acknowledgement(&self, id: &[u8]) -> Vec<u8> {
        let params = Composer::new()
            .member("_meta", Composer::new().member(SUBSCRIPTION, id).finish())
            .member("notifications", self.to_json())
            .finish();
        build::notification("notifications/subscriptions/acknowledged", Some(&params))
    }

    /// Raw `params` of a `subscriptions/listen` with the given raw `_meta` (see [`build::modern_meta`]).
    #[must_use]
    pub fn listen_params(&self, meta: &[u8]) -> Vec<u8> {
        Composer::new().member("_meta", meta).member("notifications", self.to_json()).finish()
    }
}

/// The names under which a listener hears of a resource: its own, and those of what it lies below
/// (`ResourceUpdatedNotificationParams`: "might be a sub-resource"). Each ends where a part of the URI does.
pub fn covering(uri: &str) -> impl Iterator<Item = &str> {
    let borders = uri.char_indices().filter(|(_, c)| matches!(c, '/' | '?' | '#'));
    let above = borders.flat_map(|(at, _)| [&uri[..at], &uri[..=at]]);
    std::iter::once(uri).chain(above).filter(|name| !name.is_empty())
}

/// The answer that ends a stream in order ("Graceful Closure"), under the request's raw id.
#[must_use]
pub fn listening_ended(id: &[u8]) -> Vec<u8> {
    let result = Composer::new()
        .member("resultType", "\"complete\"")
        .member("_meta", Composer::new().member(SUBSCRIPTION, id).finish())
        .finish();
    build::result(id, &result)
}

/// The sum of what several listeners want: each thing counted, so that the last one to leave takes it along.
///
/// Towards a modern server a change means another `subscriptions/listen` with [`Wanted::filter`], opened before the one
/// in its place is closed; towards a legacy one, a `resources/subscribe` or `resources/unsubscribe` for each URI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    lists: BTreeMap<List, usize>,
    uris: BTreeMap<String, usize>,
}

impl Wanted {
    /// Adds a listener. Returns what nobody wanted before.
    pub fn widen(&mut self, filter: &Filter) -> Filter {
        let lists = filter.lists.iter().copied().filter(|list| count_up(&mut self.lists, *list)).collect();
        let uris = filter.uris.iter().filter(|uri| count_up(&mut self.uris, (*uri).clone())).cloned().collect();
        Filter { lists, uris }
    }

    /// Takes a listener away, which was added with the same filter. Returns what nobody wants any more.
    pub fn narrow(&mut self, filter: &Filter) -> Filter {
        let lists = filter.lists.iter().copied().filter(|list| count_down(&mut self.lists, list)).collect();
        let uris = filter.uris.iter().filter(|uri| count_down(&mut self.uris, *uri)).cloned().collect();
        Filter { lists, uris }
    }

    /// Whether anybody wants to hear of exactly this resource.
    #[must_use]
    pub fn has_uri(&self, uri: &str) -> bool {
        self.uris.contains_key(uri)
    }

    /// All that is wanted.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter { lists: self.lists.keys().copied().collect(), uris: self.uris.keys().cloned().collect() }
    }
}

/// Whether it is the first of its kind.
fn count_up<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) -> bool {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count == 1
}

/// Whether it was the last of its kind.
fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else { return false };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
        return true;
    }
    false
}

//! Modern clients that hold a `subscriptions/listen` open on a view: told when the view's lists change.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use upstream::ListKind;
use wire::bridge::List;

/// Notifications that wait for one listener; changes of a list are told once, so few suffice.
const QUEUE: usize = 16;

struct Entry {
    view: String,
    /// The group of clients with the same capabilities, which may be shown other lists.
    profile: Option<u64>,
    lists: BTreeSet<List>,
    id: Bytes,
    to: mpsc::Sender<Bytes>,
}

/// The listeners.
#[derive(Default)]
pub struct Listeners {
    entries: Mutex<Vec<Arc<Entry>>>,
}

impl Listeners {
    /// Adds a listener to these lists, with the raw id of its request; it ends when the receiver is dropped.
    pub fn add(&self, view: &str, profile: Option<u64>, lists: BTreeSet<List>, id: Bytes) -> mpsc::Receiver<Bytes> {
        let (to, from) = mpsc::channel(QUEUE);
        let mut entries = self.entries.lock();
        entries.retain(|entry| !entry.to.is_closed());
        entries.push(Arc::new(Entry { view: view.to_owned(), profile, lists, id, to }));
        from
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.lock().iter().filter(|entry| !entry.to.is_closed()).count()
    }

    /// Tells those who asked for it that lists of a view changed for a group of clients.
    pub fn changed(&self, view: &str, profile: Option<u64>, lists: &[ListKind]) {
        let mut entries = self.entries.lock();
        entries.retain(|entry| !entry.to.is_closed());
        for entry in entries.iter().filter(|entry| entry.view == view && entry.profile == profile) {
            let covered = |method: &&str| List::of_method(method).is_some_and(|list| entry.lists.contains(&list));
            let mut methods: Vec<_> = lists.iter().map(|kind| kind.changed()).filter(covered).collect();
            methods.dedup();
            for method in methods {
                // A full queue holds the same news already.
                let _ = entry.to.try_send(tagged(method, &entry.id));
            }
        }
    }
}

/// A notification that carries the id of the subscription it belongs to.
#[must_use]
pub fn tagged(method: &str, id: &[u8]) -> Bytes {
    let mut params = b"{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":".to_vec();
    params.extend_from_slice(id);
    params.extend_from_slice(b"}}");
    wire::build::notification(method, Some(&params)).into()
}

//! Modern clients that hold a `subscriptions/listen` open on a view: told when the view's lists change.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use upstream::ListKind;

/// Notifications that wait for one listener; changes of a list are told once, so few suffice.
const QUEUE: usize = 16;

/// What a listener asked for, of the lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// `toolsListChanged`
    pub tools: bool,
    /// `promptsListChanged`
    pub prompts: bool,
    /// `resourcesListChanged`
    pub resources: bool,
}

impl Wish {
    fn covers(self, kind: ListKind) -> bool {
        match kind {
            ListKind::Tools => self.tools,
            ListKind::Prompts => self.prompts,
            ListKind::Resources | ListKind::Templates => self.resources,
        }
    }
}

struct Entry {
    view: String,
    /// The group of clients with the same capabilities, which may be shown other lists.
    profile: Option<u64>,
    wish: Wish,
    id: Bytes,
    to: mpsc::Sender<Bytes>,
}

/// The listeners.
#[derive(Default)]
pub struct Listeners {
    entries: Mutex<Vec<Arc<Entry>>>,
}

impl Listeners {
    /// Adds a listener with the raw id of its request; it ends when the receiver is dropped.
    pub fn add(&self, view: &str, profile: Option<u64>, wish: Wish, id: Bytes) -> mpsc::Receiver<Bytes> {
        let (to, from) = mpsc::channel(QUEUE);
        let mut entries = self.entries.lock();
        entries.retain(|entry| !entry.to.is_closed());
        entries.push(Arc::new(Entry { view: view.to_owned(), profile, wish, id, to }));
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
            let mut methods: Vec<_> =
                lists.iter().filter(|kind| entry.wish.covers(**kind)).map(|kind| kind.changed()).collect();
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

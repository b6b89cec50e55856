//! One place for a link: closed, being opened by one task for all who wait, open, or failed until a moment.

use std::sync::Arc;

use ground::Failure;
use tokio::{sync::watch, time::Instant};

use crate::link::Link;

/// Where a door stands.
#[derive(Clone)]
pub enum Stand {
    /// Nobody has asked yet, or the link has ended.
    Closed,
    /// A task is at it.
    Opening,
    /// A link that may be used.
    Open(Arc<Link>),
    /// It failed; not to be tried again before the moment.
    Failed(Failure, Instant),
}

/// The place.
pub struct Door {
    stand: watch::Sender<Stand>,
}

impl Default for Door {
    fn default() -> Self {
        Self { stand: watch::Sender::new(Stand::Closed) }
    }
}

impl Door {
    /// Where it stands now.
    #[must_use]
    pub fn stand(&self) -> Stand {
        self.stand.borrow().clone()
    }

    /// The link, when it is open. The way of nearly every call: no waiting, no task.
    #[must_use]
    pub fn open_link(&self) -> Option<Arc<Link>> {
        match &*self.stand.borrow() {
            Stand::Open(link) if !link.is_closed() => Some(link.clone()),
            _ => None,
        }
    }

    /// Whether there is an instance behind it, or soon will be.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        match &*self.stand.borrow() {
            Stand::Opening => true,
            Stand::Open(link) => !link.is_closed(),
            Stand::Closed | Stand::Failed(..) => false,
        }
    }

    /// Whether nothing is known of it any more that matters.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        !self.is_taken() && !matches!(&*self.stand.borrow(), Stand::Failed(_, until) if *until > Instant::now())
    }

    /// Claims the opening. True for exactly one of those who ask at once; it must see to [`Door::set`].
    #[must_use]
    pub fn claim(&self) -> bool {
        self.stand.send_if_modified(|stand| {
            let free = match stand {
                Stand::Closed => true,
                Stand::Open(link) => link.is_closed(),
                Stand::Failed(_, until) => *until <= Instant::now(),
                Stand::Opening => false,
            };
            if free {
                *stand = Stand::Opening;
            }
            free
        })
    }

    /// Sets where it stands.
    pub fn set(&self, stand: Stand) {
        self.stand.send_replace(stand);
    }

    /// Closes it if it still holds this link.
    pub fn close_if(&self, link: &Arc<Link>) {
        self.stand.send_if_modified(|stand| {
            let mine = matches!(stand, Stand::Open(held) if Arc::ptr_eq(held, link));
            if mine {
                *stand = Stand::Closed;
            }
            mine
        });
    }

    /// Waits until the opening has come to an end.
    ///
    /// # Errors
    /// Why there is no link.
    pub async fn wait(&self) -> Result<Arc<Link>, Option<Failure>> {
        let mut watcher = self.stand.subscribe();
        let stand = watcher.wait_for(|stand| !matches!(stand, Stand::Opening)).await.map_err(|_| None)?;
        match &*stand {
            Stand::Open(link) => Ok(link.clone()),
            Stand::Failed(failure, _) => Err(Some(failure.clone())),
            Stand::Closed | Stand::Opening => Err(None),
        }
    }
}

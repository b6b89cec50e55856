//! Tending a server: one link is kept open as long as it is wanted, its lists are kept fresh, idle links are closed.
//!
//! One task a server. It may be stopped at any point: everything it keeps is found again from what is open.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;
use store::Memory;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wire::era::Era;

use crate::{
    catalog::{self, Catalog, ListKind},
    door::{Door, Stand},
    ear,
    hello::own_info,
    http::pool::Pool,
    link::{Link, Transport},
    server::{Server, fingerprint},
    want::{Introduction, Share, Want},
};

/// How often links are looked over for idleness.
const SWEEP: Duration = Duration::from_secs(15);
/// Lists are fetched this long after a server rings, so that a burst of changes costs one fetch.
const SETTLE: Duration = Duration::from_millis(100);

/// The profile of Hostler itself: no capabilities.
pub const OWN_PROFILE: u64 = 0;

impl Want {
    /// What Hostler wants for itself: to learn a server's lists.
    #[must_use]
    pub fn own(era: Era) -> Self {
        let params = format!(
            "{{\"protocolVersion\":\"{}\",\"capabilities\":{{}},\"clientInfo\":{}}}",
            wire::era::LEGACY[0],
            own_info()
        );
        let params = Bytes::from(params);
        let introduction = Introduction { profile: OWN_PROFILE, own: params.clone(), shared: params };
        Self { era, introduction: Arc::new(introduction), session: None, alone: false }
    }
}

impl Server {
    /// Keeps one link open until the server is stopped.
    pub(crate) async fn tend(self: Arc<Self>) {
        let pool = self.around.pool.clone();
        let stopping = self.stopping.clone();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.keep_base(&pool) => {}
            () = self.sweep() => {}
            () = self.follow_changes(&pool) => {}
        }
    }

    async fn keep_base(self: &Arc<Self>, pool: &Arc<Pool>) {
        loop {
            match self.base_link(pool).await {
                Ok(link) => {
                    link.closing().cancelled().await;
                    self.restarts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    self.around.touch();
                }
                Err(failure) => {
                    if !self.try_deprecated().await {
                        tracing::debug!(server = %self.name(), %failure, "no link; trying again later");
                    }
                }
            }
            let due = self.trouble.lock().until();
            sleep_until(due.unwrap_or_else(Instant::now)).await;
            // Also without trouble, so that a server which ends at once cannot spin this loop.
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn base_link(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<Arc<Link>, ground::Failure> {
        let era = self.base_era(pool).await?;
        let link = self.wait_link(pool, &Want::own(era)).await.inspect_err(|failure| self.doubt(era, failure))?;
        self.learn(|eras| match era {
            Era::Modern => eras.modern = Some(true),
            Era::Legacy => eras.legacy = Some(true),
        });
        Ok(link)
    }

    /// What was remembered of the eras proved wrong: find out anew.
    fn doubt(self: &Arc<Self>, era: Era, failure: &ground::Failure) {
        use ground::Kind::{Timeout, Unavailable, UnsupportedVersion};
        let refused = failure.kind() == Unavailable && failure.retry() == ground::Retry::No;
        if matches!(failure.kind(), UnsupportedVersion | Timeout) || refused {
            tracing::info!(server = %self.name(), ?era, "the remembered era proved wrong; probing again");
            self.learn(|eras| *eras = crate::want::Eras { sse: false, modern: None, legacy: None });
        }
    }

    /// What is to be done once a link is open: watch for its end, fetch its lists where they may differ.
    pub(crate) fn settle_in(self: &Arc<Self>, pool: Arc<Pool>, share: Share, link: Arc<Link>, door: Arc<Door>) {
        let server = self.clone();
        tokio::spawn(async move {
            if share == Share::Modern {
                tokio::spawn(ear::listen(link.clone(), pool.clone()));
            }
            if !matches!(share, Share::Session(_)) {
                server.refresh(&pool, share, &link).await;
            }
            link.closing().cancelled().await;
            door.close_if(&link);
            if let Transport::Http(carrier) = link.transport() {
                let _ = timeout(Duration::from_secs(5), carrier.delete(&pool)).await;
            } else if !server.stopping.is_cancelled() && link.broke() {
                let why = link.gone();
                tracing::warn!(server = %server.name(), failure = %why, "an instance ended");
                server.trouble.lock().note_end(link.born().elapsed(), &why);
            }
            server.around.touch();
        });
    }

    /// Whether a link of this share is the one that is kept open and whose lists stand for all.
    pub(crate) fn is_base(&self, share: Share) -> bool {
        match share {
            Share::Modern => true,
            Share::Profile(OWN_PROFILE) => self.eras().modern != Some(true),
            Share::Profile(_) | Share::Session(_) => false,
        }
    }

    async fn follow_changes(self: &Arc<Self>, pool: &Arc<Pool>) {
        loop {
            self.changed.notified().await;
            sleep(SETTLE).await;
            for (share, link) in self.open_links() {
                if !matches!(share, Share::Session(_)) {
                    self.refresh(pool, share, &link).await;
                }
            }
            // Sessions of their own cannot be told apart from here; the base link's lists stand for all.
            self.around.touch();
        }
    }

    /// Fetches a link's lists and lets everybody know if they differ from what was known.
    async fn refresh(self: &Arc<Self>, pool: &Arc<Pool>, share: Share, link: &Arc<Link>) {
        let known = self.catalog(match share {
            Share::Profile(profile) if !self.is_base(share) => Some(profile),
            _ => None,
        });
        let fetching = timeout(self.spec.bounds.start_timeout, catalog::fetch(link, pool, &known));
        let fetched = tokio::select! {
            fetched = fetching => fetched,
            () = async { link.closing().cancelled().await } => return,
        };
        let catalog = match fetched {
            Ok(Ok(catalog)) => catalog,
            Ok(Err(failure)) => {
                return tracing::warn!(server = %self.name(), %failure, "the lists could not be fetched");
            }
            Err(_) => return tracing::warn!(server = %self.name(), "the lists were not told in time"),
        };
        self.place(share, catalog);
    }

    /// Learns what the server shows to callers with certain capabilities, from a link of theirs.
    pub async fn learn_lists(self: &Arc<Self>, pool: &Arc<Pool>, profile: u64, link: &Arc<Link>) {
        self.refresh(pool, Share::Profile(profile), link).await;
    }

    /// Whether that is known.
    #[must_use]
    pub fn knows(&self, profile: u64) -> bool {
        self.profiles.lock().contains_key(&profile)
    }

    fn place(self: &Arc<Self>, share: Share, catalog: Catalog) {
        if let Share::Profile(profile) = share
            && !self.is_base(share)
        {
            let mut profiles = self.profiles.lock();
            if profiles.len() >= self.spec.bounds.instances {
                profiles.clear();
            }
            profiles.insert(profile, Arc::new(catalog));
        } else if **self.catalog.load() != catalog {
            self.catalog.store(Arc::new(catalog));
            self.remember();
        } else {
            return;
        }
        self.around.touch();
    }

    pub(crate) fn open_links(&self) -> Vec<(Share, Arc<Link>)> {
        let doors = self.doors.lock();
        doors.iter().filter_map(|(share, door)| Some((*share, door.open_link()?))).collect()
    }

    async fn sweep(self: &Arc<Self>) {
        loop {
            sleep(SWEEP).await;
            for (share, link) in self.open_links() {
                if !self.is_base(share) && link.idle() >= self.spec.bounds.idle {
                    self.retire(&link);
                }
            }
        }
    }

    /// Stops an instance that nobody uses; sessions that come back get another.
    pub(crate) fn retire(&self, link: &Arc<Link>) {
        tracing::info!(server = %self.name(), "an idle instance is stopped");
        link.close(&self.failure(ground::Kind::Unavailable, "was idle and has been stopped"));
    }

    /// Remembers what the server said of itself.
    pub(crate) fn remember_greeting(self: &Arc<Self>, link: &Arc<Link>) {
        let Some(hello) = link.hello() else { return };
        let known = self.greetings.lock().insert(hello.version.as_str().to_owned(), hello.result.clone());
        if known.as_ref() != Some(&hello.result) {
            self.remember();
        }
        self.learn(|eras| match link.era() {
            Era::Modern => eras.modern = Some(true),
            Era::Legacy => eras.legacy = Some(true),
        });
    }

    /// Writes what is known to the disk, off the runtime's threads.
    pub(crate) fn remember(self: &Arc<Self>) {
        let server = self.clone();
        self.around.runtime.spawn_blocking(move || {
            // One at a time, each with what is known by then: the last to write has the newest.
            let _turn = server.saving.lock();
            let memory = server.memory();
            if let Err(error) = server.around.memories.save(server.name(), &memory) {
                tracing::warn!(server = %server.name(), %error, "what was learned of the server could not be written down");
            }
        });
    }

    fn memory(&self) -> Memory {
        let eras = self.eras();
        let catalog = self.catalog.load();
        let list = |kind| catalog.list(kind).iter().filter_map(|entry| raw(&entry.raw)).collect();
        let greetings: BTreeMap<_, _> =
            self.greetings.lock().iter().filter_map(|(version, g)| Some((version.clone(), raw(g)?))).collect();
        Memory {
            fingerprint: fingerprint(&self.spec),
            modern: eras.modern,
            legacy: eras.legacy,
            sse: eras.sse,
            asks: self.asks(),
            greetings,
            tools: list(ListKind::Tools),
            prompts: list(ListKind::Prompts),
            resources: list(ListKind::Resources),
            templates: list(ListKind::Templates),
        }
    }

    /// Stops everything of this server and waits until it is gone.
    pub(crate) async fn stop(self: &Arc<Self>) {
        self.stopping.cancel();
        let why = self.failure(ground::Kind::Unavailable, "has been stopped");
        let doors = std::mem::take(&mut *self.doors.lock());
        for door in doors.into_values() {
            if let Stand::Open(link) = door.stand() {
                link.close(&why);
            }
            door.set(Stand::Closed);
        }
        self.tasks.close();
        let bound = self.spec.bounds.stop_grace.saturating_mul(3) + Duration::from_secs(2);
        if timeout(bound, self.tasks.wait()).await.is_err() {
            tracing::warn!(server = %self.name(), "the server's tasks did not end in time");
        }
    }
}

fn raw(bytes: &Bytes) -> Option<Box<RawValue>> {
    RawValue::from_string(String::from_utf8(bytes.to_vec()).ok()?).ok()
}

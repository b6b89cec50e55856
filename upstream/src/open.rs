//! Opening a link: starting what must be started, finding out the era, saying hello.
//!
//! The rules for telling eras apart are the backward compatibility sections of revision 2026-07-28 (stdio, Streamable
//! HTTP). A server that failed the modern probe is started afresh, because it may have locked itself to that era.

use std::{sync::Arc, time::Duration};

use ground::{Failure, Kind};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::era::Era;

use crate::{
    door::{Door, Stand},
    hello,
    http::{carrier::Carrier, pool::Pool, sse},
    link::{Link, Transport},
    mux::Mux,
    outbox::{self, Outbox},
    pipe, process,
    server::Server,
    spec::{Origin, ProcessSpec, RemoteTransport},
    want::{Share, Want},
};

/// A server that is silent for this long after the modern probe is taken for a legacy one.
const PROBE: Duration = Duration::from_secs(12);
/// A process whose streams have ended is given this long to exit.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Server {
    /// Opens a door that this task has claimed.
    pub(crate) async fn open_door(self: &Arc<Self>, pool: &Arc<Pool>, door: &Arc<Door>, share: Share, want: &Want) {
        let opened = {
            let _turn = self.around.starts.acquire().await;
            self.open(pool, share, want).await
        };
        match opened {
            Ok(link) => {
                self.trouble.lock().note_success();
                self.remember_greeting(&link);
                door.set(Stand::Open(link.clone()));
                self.settle_in(pool.clone(), share, link.clone(), door.clone());
                if !self.leads_through(share, door) {
                    link.close(&self.failure(Kind::Unavailable, "was not wanted any more when it had started"));
                }
            }
            Err(failure) if failure.kind() == Kind::UnsupportedVersion => {
                tracing::info!(server = %self.name(), era = ?want.era, "the server does not speak this era");
                self.learn(|eras| match want.era {
                    Era::Modern => eras.modern = Some(false),
                    Era::Legacy if eras.modern == Some(true) => eras.legacy = Some(false),
                    Era::Legacy => {}
                });
                door.set(Stand::Failed(failure, tokio::time::Instant::now()));
            }
            Err(failure) => {
                let until = self.trouble.lock().note_failure(&failure);
                tracing::warn!(server = %self.name(), %failure, "the server could not be started");
                door.set(Stand::Failed(failure, until));
            }
        }
        self.around.touch();
    }

    async fn open(self: &Arc<Self>, pool: &Arc<Pool>, share: Share, want: &Want) -> Result<Arc<Link>, Failure> {
        let patience = self.spec.bounds.start_timeout;
        let link = self.reach(pool, want.era, share).await?;
        let hello = async {
            match want.era {
                Era::Modern => hello::modern(&link, pool).await,
                Era::Legacy => {
                    let alone = matches!(share, Share::Session(_));
                    let params = if alone { &want.introduction.own } else { &want.introduction.shared };
                    hello::legacy(&link, pool, params).await
                }
            }
        };
        let patience = if want.era == Era::Modern { patience.min(PROBE) } else { patience };
        let closed = link.closing();
        let greeted = tokio::select! {
            greeted = timeout(patience, hello) => greeted,
            // The process ended or the stream broke before the handshake was over.
            () = closed.cancelled() => Ok(Err(link.gone())),
            () = self.stopping.cancelled() => Ok(Err(self.failure(Kind::Unavailable, "has been stopped"))),
        };
        let failure = match greeted {
            Ok(Ok(())) => return Ok(link),
            Ok(Err(failure)) => failure,
            Err(_) => self.failure(Kind::Timeout, &format!("did not answer the handshake within {patience:?}")),
        };
        link.close(&failure);
        Err(self.with_last_words(failure))
    }

    /// Adds, once, what the server last wrote to its standard error: nearly always the true reason.
    fn with_last_words(&self, failure: Failure) -> Failure {
        let told = failure.detail().is_some_and(|detail| detail.contains("stderr: "));
        match self.stderr.tail(1).pop() {
            Some(line) if !told => {
                let detail = match failure.detail() {
                    Some(detail) => format!("{detail}; stderr: {}", line.text),
                    None => format!("stderr: {}", line.text),
                };
                failure.with_detail(detail)
            }
            _ => failure,
        }
    }

    async fn reach(self: &Arc<Self>, pool: &Arc<Pool>, era: Era, share: Share) -> Result<Arc<Link>, Failure> {
        match &self.spec.origin {
            Origin::Process(spec) => self.start_process(spec, era, share).await,
            Origin::Builtin(builtin) => {
                let (link, outbox) = self.mux_link(era, share, pool);
                let (reader, writer) = tokio::io::split((builtin.start)());
                self.tend_stream(&link, outbox, reader, writer);
                Ok(link)
            }
            Origin::Remote(remote) => {
                let endpoint = self
                    .endpoint
                    .clone()
                    .ok_or_else(|| self.failure(Kind::Unavailable, "has an unusable URL or header"))?;
                let deprecated = remote.transport == RemoteTransport::Sse || self.eras().sse;
                if deprecated {
                    let (link, outbox) = self.mux_link(era, share, pool);
                    sse::connect(&link, outbox, &endpoint, pool, &self.tasks).await?;
                    return Ok(link);
                }
                let carrier = Carrier::new(endpoint, era, self.spec.bounds.in_flight);
                Ok(self.new_link(era, share, Transport::Http(carrier), pool))
            }
        }
    }

    fn new_link(&self, era: Era, share: Share, transport: Transport, home: &Arc<Pool>) -> Arc<Link> {
        let exclusive = matches!(share, Share::Session(_));
        Link::new(&self.spec, era, transport, self.changed.clone(), home.clone(), exclusive)
    }

    fn mux_link(&self, era: Era, share: Share, home: &Arc<Pool>) -> (Arc<Link>, Outbox) {
        let (mux, queue) = Mux::new(self.spec.name.clone(), self.spec.bounds.in_flight);
        let link = self.new_link(era, share, Transport::Mux(mux), home);
        let outbox = Outbox::new(queue, link.closing());
        (link, outbox)
    }

    async fn start_process(self: &Arc<Self>, spec: &ProcessSpec, era: Era, share: Share) -> Result<Arc<Link>, Failure> {
        let running = process::spawn(spec, self.name(), self.stderr.clone()).await?;
        let (link, outbox) = self.mux_link(era, share, &self.around.pool);
        self.processes.lock().insert(link.id(), running.pid);
        let process::Running { stdin, stdout, mut handle, .. } = running;
        let (server, held, grace) = (self.clone(), link.clone(), self.spec.bounds.stop_grace);
        let writing = self.tasks.spawn(until_closed(link.clone(), pipe::write(outbox, stdin)));
        let reading = self.spawn_reader(&link, stdout);
        self.tasks.spawn(async move {
            let closed = held.closing();
            let exit = tokio::select! {
                exit = handle.exited() => Some(exit),
                () = closed.cancelled() => None,
            };
            if let Some(exit) = exit {
                // What it wrote before its end is still read, within reason: its pipe may be held open by others.
                let _ = timeout(Duration::from_millis(500), reading.cancelled()).await;
                let failure = server.failure_in_mid_call(&format!("{exit}"));
                held.close(&server.with_last_words(failure));
            } else {
                // The writer lets go of its standard input: the first of the three ways to ask it to stop.
                let _ = writing.await;
                let exit = handle.stop(grace).await;
                tracing::debug!(server = %server.name(), %exit, "instance stopped");
            }
            server.processes.lock().remove(&held.id());
        });
        Ok(link)
    }

    fn failure_in_mid_call(&self, what: &str) -> Failure {
        let text = format!("server `{}` {what}", self.spec.name);
        Failure::server(Kind::Broken, &self.spec.name, ground::Retry::MaybeSent, text)
    }

    fn spawn_reader(
        &self,
        link: &Arc<Link>,
        stream: impl tokio::io::AsyncRead + Unpin + Send + 'static,
    ) -> CancellationToken {
        let (link, bound) = (link.clone(), self.spec.bounds.message);
        let read = CancellationToken::new();
        // Cancelled when all has been read, or nobody reads any more.
        let told = read.clone().drop_guard();
        self.tasks.spawn(async move {
            let closed = link.closing();
            let why = tokio::select! {
                why = pipe::read(&link, stream, bound) => why,
                () = closed.cancelled() => return,
            };
            drop(told);
            if why.kind() == Kind::Broken {
                // A process that exits closes its output first; its exit status is the better reason, so wait for it.
                let _ = timeout(LAST_WORDS, closed.cancelled()).await;
            }
            link.close(&why);
        });
        read
    }

    fn tend_stream(
        &self,
        link: &Arc<Link>,
        outbox: Outbox,
        reader: impl tokio::io::AsyncRead + Unpin + Send + 'static,
        writer: impl tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) {
        self.tasks.spawn(until_closed(link.clone(), pipe::write(outbox, writer)));
        self.spawn_reader(link, reader);
    }

    /// Finds out which eras the server speaks, as far as that is needed to keep one link open, and says which it is.
    ///
    /// # Errors
    /// Why no era works.
    pub(crate) async fn base_era(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<Era, Failure> {
        let eras = self.eras();
        match (eras.modern, eras.legacy) {
            (Some(true), _) => return Ok(Era::Modern),
            (Some(false), Some(true)) => return Ok(Era::Legacy),
            _ => {}
        }
        let silent = match self.wait_link(pool, &Want::own(Era::Modern)).await {
            Ok(_) => {
                self.learn(|eras| eras.modern = Some(true));
                return Ok(Era::Modern);
            }
            Err(failure) if failure.kind() == Kind::UnsupportedVersion => {
                self.learn(|eras| eras.modern = Some(false));
                return Ok(Era::Legacy);
            }
            Err(failure) => failure,
        };
        if !self.may_be_legacy(&silent) {
            return Err(silent);
        }
        // Silence, a crash or a refusal in the transport may all be a legacy server's answer to an unknown request.
        self.forgive();
        self.wait_link(pool, &Want::own(Era::Legacy))
            .await
            .map(|_| ())
            .map_err(|failure| if failure.kind() == Kind::UnsupportedVersion { silent } else { failure })?;
        self.learn(|eras| eras.modern = Some(false));
        Ok(Era::Legacy)
    }

    fn may_be_legacy(&self, failure: &Failure) -> bool {
        match failure.kind() {
            Kind::Timeout | Kind::Broken | Kind::Protocol => true,
            Kind::Unavailable => failure.retry() == ground::Retry::MaybeSent,
            _ => false,
        }
    }

    /// Clears the backing off for one more try in another way.
    fn forgive(&self) {
        self.trouble.lock().forgive();
        for door in self.doors.lock().values() {
            if matches!(door.stand(), Stand::Failed(..)) {
                door.set(Stand::Closed);
            }
        }
    }

    /// Changes what is known of the eras and remembers it.
    pub(crate) fn learn(self: &Arc<Self>, change: impl Fn(&mut crate::want::Eras)) {
        let before = self.eras.rcu(|eras| {
            let mut eras = **eras;
            change(&mut eras);
            eras
        });
        if *before != self.eras() {
            self.remember();
        }
    }

    /// On HTTP, a server that refuses the handshake of Streamable HTTP may still speak HTTP+SSE.
    pub(crate) async fn try_deprecated(self: &Arc<Self>) -> bool {
        let Origin::Remote(remote) = &self.spec.origin else { return false };
        if remote.transport != RemoteTransport::Auto || self.eras().sse {
            return false;
        }
        let Some(endpoint) = &self.endpoint else { return false };
        let speaks = sse::speaks(endpoint, &self.around.pool).await;
        if speaks {
            self.learn(|eras| *eras = crate::want::Eras { modern: Some(false), legacy: None, sse: true });
            self.forgive();
        }
        speaks
    }
}

/// Writes until the link closes and what was queued by then is written, so that what the future holds (a server's
/// standard input) is let go of then. A server that takes nothing any more is as good as gone, also while it goes on
/// talking.
async fn until_closed(link: Arc<Link>, write: impl Future<Output = ()> + Send) {
    let (closed, held) = (link.closing(), Arc::downgrade(&link));
    drop(link);
    if !outbox::emptied(write, &closed).await {
        return;
    }
    // A process that exits lets go of everything at once; its exit status is the better reason, so wait for it.
    let _ = timeout(LAST_WORDS, closed.cancelled()).await;
    if let Some(link) = held.upgrade() {
        let text = format!("server `{}` takes no more messages: it closed its input", link.server());
        link.close(&Failure::server(Kind::Broken, link.server(), ground::Retry::MaybeSent, text));
    }
}

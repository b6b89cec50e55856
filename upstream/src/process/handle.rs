//! The life of a started tree: who may end it, and how its end is learned.
//!
//! One task owns the keeper's process and socket; a [`Handle`] only gives it orders and watches. Never lets an order or
//! an end wait without a bound: after SIGKILL the keeper has [`KILL_PATIENCE`], after that it is killed itself and what
//! it leaves is swept up.

use std::{io, time::Duration};

use ground::ServerName;
use tokio::{
    net::UnixStream,
    process::Child,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Exit,
    control::{Order, WORD, Word},
    keeper::TIDY_GRACE,
    sweep::sweep,
};

/// From SIGKILL, or from the server's own end and what is granted to its descendants, until the keeper is given up.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// From the end of a tree until its stderr is given up: somebody outside of the tree may hold it.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// A started tree. Dropping it kills the whole tree at once, in the background.
#[derive(Debug)]
pub struct Handle {
    /// Dropping the sender is the order to kill.
    orders: watch::Sender<Order>,
    over: watch::Receiver<Option<Exit>>,
}

impl Handle {
    /// Starts the task that owns the tree.
    pub(super) fn of(tree: Tree) -> Self {
        let (orders, ordered) = watch::channel(Order::Run);
        let (ended, over) = watch::channel(None);
        tokio::spawn(tree.tend(ordered, ended));
        Self { orders, over }
    }

    /// Waits until the server and everything it started are gone and its last words are in the ring.
    ///
    /// A server that ends by itself is noticed sooner by the end of its stdout: what it leaves behind is granted a
    /// second. May be cancelled and called again.
    pub async fn exited(&mut self) -> Exit {
        match self.over.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::Unknown),
            // The runtime of the task is gone; the keeper has seen its socket close and kills.
            Err(_) => Exit::Unknown,
        }
    }

    /// Stops the whole tree: waits `grace` for it to end by itself, then SIGTERM, waits `grace` again, then SIGKILL.
    ///
    /// The caller has dropped the server's stdin, which is what asks it to end. Takes at most twice `grace` and a few
    /// seconds. Cancelled half-way, it leaves the tree as it is by then.
    pub async fn stop(&mut self, grace: Duration) -> Exit {
        for order in [Order::Terminate, Order::Kill] {
            if let Ok(exit) = timeout(grace, self.exited()).await {
                return exit;
            }
            self.orders.send_replace(order);
        }
        self.exited().await
    }
}

/// A started tree, as its task owns it.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) name: ServerName,
    pub(super) keeper: Child,
    pub(super) control: UnixStream,
    pub(super) words: Words,
    /// Process id, group and session of the server.
    pub(super) server: i32,
    /// Its value of [`super::TREE_MARK`].
    pub(super) mark: String,
    /// Reads the server's stderr.
    pub(super) drain: JoinHandle<()>,
}

impl Tree {
    async fn tend(mut self, ordered: watch::Receiver<Order>, over: watch::Sender<Option<Exit>>) {
        let told = self.follow(ordered).await;
        let keeper = pid_of(&self.keeper);
        let exit = if self.keeper_done().await {
            told
        } else {
            let remains = Remains { name: &self.name, keeper, server: Some(self.server), mark: &self.mark };
            sweep(remains).await.or(told)
        };
        if timeout(DRAIN_PATIENCE, &mut self.drain).await.is_err() {
            self.drain.abort();
        }
        over.send_replace(Some(exit.unwrap_or(Exit::Unknown)));
    }

    /// Passes orders on until the keeper has closed its socket or has had its time. Returns the server's end, if told.
    async fn follow(&mut self, mut ordered: watch::Receiver<Order>) -> Option<Exit> {
        let mut told = None;
        let mut order = Order::Run;
        let mut patience: Option<Instant> = None;
        loop {
            tokio::select! {
                word = self.words.next(&self.control) => {
                    let Ok(Some(word)) = word else { return told };
                    if let Word::Ended(exit) = word {
                        told = Some(exit);
                        patience.get_or_insert(Instant::now() + TIDY_GRACE + KILL_PATIENCE);
                    }
                }
                changed = ordered.changed(), if order < Order::Kill => {
                    order = if changed.is_ok() { *ordered.borrow_and_update() } else { Order::Kill };
                    // One byte always fits, and a keeper that is gone needs no orders.
                    let _ = self.control.try_write(&[order.byte()]);
                    if order == Order::Kill {
                        let until = Instant::now() + KILL_PATIENCE;
                        patience = Some(patience.map_or(until, |earlier| earlier.min(until)));
                    }
                }
                () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => return told,
            }
        }
    }

    /// Reaps the keeper, killing it if it does not end, and says whether it has left nothing behind.
    async fn keeper_done(&mut self) -> bool {
        // Its socket closes with its end, so either this is immediate or the keeper is stuck.
        if let Ok(status) = timeout(KILL_PATIENCE / 5, self.keeper.wait()).await {
            return status.is_ok_and(|status| status.success());
        }
        tracing::warn!(server = %self.name, "the keeper of a server does not end: killing it");
        let _ = self.keeper.start_kill();
        let _ = timeout(KILL_PATIENCE, self.keeper.wait()).await;
        false
    }
}

/// By what the tree of a killed keeper is found again.
pub(super) struct Remains<'a> {
    pub(super) name: &'a ServerName,
    /// Process id and group of the keeper.
    pub(super) keeper: Option<i32>,
    /// Process id, group and session of the server, if it became known.
    pub(super) server: Option<i32>,
    /// Its value of [`super::TREE_MARK`].
    pub(super) mark: &'a str,
}

/// The process id of a keeper, as long as it is not reaped.
pub(super) fn pid_of(keeper: &Child) -> Option<i32> {
    keeper.id().map(u32::cast_signed)
}

/// Puts the words of a keeper together from what arrives. Bytes once read are kept when the reader is cancelled.
#[derive(Debug, Default)]
pub(super) struct Words {
    bytes: [u8; WORD],
    have: usize,
}

impl Words {
    /// The next word; nothing when the keeper has closed its socket. May be cancelled and called again.
    ///
    /// # Errors
    /// The socket is broken, or says what no keeper says.
    pub(super) async fn next(&mut self, control: &UnixStream) -> io::Result<Option<Word>> {
        loop {
            if self.have == WORD {
                self.have = 0;
                return Word::decode(self.bytes).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            control.readable().await?;
            match control.try_read(&mut self.bytes[self.have..]) {
                Ok(0) => return Ok(None),
                Ok(n) => self.have += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

//! Calls that wait at a legacy server for their caller's answers.
//!
//! Each is taken up once, by the state that was sealed for it. Those that nobody takes up are given up at the server, and
//! so are the oldest where a caller leaves more than its share. Never waits.

use std::time::Duration;

use foldhash::HashMap;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::bridge::{Ask, Waiting};

use super::{run::Run, seal::Digest, shares::Shares};

/// One caller may hold this part of the places.
const SHARE: usize = 4;

/// The table.
#[derive(Default)]
pub struct Suspended(Mutex<Table>);

#[derive(Default)]
struct Table {
    calls: HashMap<String, Call>,
    shares: Shares,
}

/// A call that waits.
pub struct Call {
    /// The call at its server, with what the server asked.
    pub run: Run,
    /// Whose it is.
    pub caller: Digest,
    /// When it is given up.
    pub until: Instant,
    /// Cancelled at the end of the connection on which alone it can be taken up.
    pub connection: Option<CancellationToken>,
}

impl Call {
    fn is_over(&self, now: Instant) -> bool {
        self.until <= now || self.connection.as_ref().is_some_and(CancellationToken::is_cancelled)
    }
}

/// A legacy server's request.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its key among the input requests.
    pub key: String,
    /// What it asks.
    pub ask: Ask,
    /// Its raw JSON-RPC id.
    pub id: bytes::Bytes,
    /// The input request, raw.
    pub entry: Vec<u8>,
}

impl Question {
    /// As the bridge matches answers to it.
    #[must_use]
    pub fn waiting(&self) -> Waiting<'_> {
        Waiting { key: &self.key, ask: self.ask, id: &self.id }
    }
}

impl Suspended {
    /// Keeps a call until it is taken up or its time is over. Where its caller has a quarter of the `bound` already, that
    /// caller's oldest gives way; where all places are taken, the oldest of the caller with the most.
    pub fn keep(&self, id: String, call: Call, bound: usize) {
        call.run.waits(true);
        let mut table = self.0.lock();
        let crowded = match table.shares.of(&call.caller) {
            own if own >= (bound / SHARE).max(1) => Some(call.caller),
            _ if table.calls.len() >= bound => table.shares.greediest(),
            _ => None,
        };
        let oldest = crowded.and_then(|caller| table.shares.oldest(&caller));
        let given_up = oldest.and_then(|oldest| table.take(&oldest));
        table.shares.add(call.caller, id.clone());
        table.calls.insert(id, call);
        drop(table);
        if let Some(call) = given_up {
            tracing::info!(server = %call.run.server(), bound, "a call was given up: too many wait for their callers' input");
            call.run.give_up("too many calls wait for input");
        }
    }

    /// Takes a call up. `None` when it was taken up before, or given up.
    #[must_use]
    pub fn take(&self, id: &str) -> Option<Call> {
        self.0.lock().take(id).inspect(|call| call.run.waits(false))
    }

    /// Puts a call back that could not go on.
    pub fn put_back(&self, id: String, call: Call) {
        call.run.waits(true);
        let mut table = self.0.lock();
        table.shares.add(call.caller, id.clone());
        table.calls.insert(id, call);
    }

    /// Gives up those whose time is over, or whose connection has ended.
    pub fn sweep(&self) {
        let now = Instant::now();
        let over: Vec<Call> = {
            let mut table = self.0.lock();
            let ids: Vec<_> =
                table.calls.iter().filter(|(_, call)| call.is_over(now)).map(|(id, _)| id.clone()).collect();
            ids.iter().filter_map(|id| table.take(id)).collect()
        };
        for call in over {
            tracing::info!(server = %call.run.server(), "a call was given up: its caller did not come back with its input");
            call.run.give_up("the caller did not come back with its input");
        }
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().calls.len()
    }
}

impl Table {
    fn take(&mut self, id: &str) -> Option<Call> {
        let call = self.calls.remove(id)?;
        self.shares.remove(&call.caller, id);
        Some(call)
    }
}

/// How often the table is looked over.
pub const SWEEP: Duration = Duration::from_secs(1);

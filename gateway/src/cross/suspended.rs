//! Calls that wait at a legacy server for their caller's answers.
//!
//! Each is taken up once, by the state that was sealed for it. Those that nobody takes up are given up at the server.

use std::time::Duration;

use foldhash::HashMap;
use ground::{Failure, Kind};
use parking_lot::Mutex;
use tokio::time::Instant;
use wire::bridge::{Ask, Waiting};

use super::run::Run;

/// The table.
#[derive(Default)]
pub struct Suspended(Mutex<HashMap<String, Call>>);

/// A call that waits.
pub struct Call {
    /// The call at its server.
    pub run: Run,
    /// What the server asked.
    pub questions: Vec<Question>,
    /// When it is given up.
    pub until: Instant,
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
    /// Keeps a call until it is taken up or its time is over.
    ///
    /// # Errors
    /// `Overloaded` when `bound` calls wait already. The call is given up at its server then.
    pub fn keep(&self, id: String, call: Call, bound: usize) -> Result<(), Failure> {
        let mut table = self.0.lock();
        if table.len() >= bound {
            let text = format!("{bound} calls wait for their callers' input, the limit (`limits.suspended`)");
            return Err(Failure::gateway(Kind::Overloaded, text));
        }
        call.run.waits(true);
        table.insert(id, call);
        Ok(())
    }

    /// Takes a call up. `None` when it was taken up before, or given up.
    #[must_use]
    pub fn take(&self, id: &str) -> Option<Call> {
        self.0.lock().remove(id).inspect(|call| call.run.waits(false))
    }

    /// Puts a call back that could not go on.
    pub fn put_back(&self, id: String, call: Call) {
        call.run.waits(true);
        self.0.lock().insert(id, call);
    }

    /// Gives up those whose time is over.
    pub fn sweep(&self) {
        let now = Instant::now();
        let over: Vec<Call> = self.0.lock().extract_if(|_, call| call.until <= now).map(|(_, call)| call).collect();
        for call in over {
            tracing::info!(server = %call.run.server(), "a call was given up: its caller did not come back with its input");
        }
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }
}

/// How often the table is looked over.
pub const SWEEP: Duration = Duration::from_secs(1);

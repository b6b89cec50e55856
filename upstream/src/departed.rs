//! Calls that their callers gave up: the server may still be at them, and what it says meanwhile may be about them.
//!
//! Only who they were is kept, for a while. Never sends anything.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::peer::PeerId;

/// A server that was told to give a call up, and yet asks something about it, has done so by then.
pub(crate) const ASKS: Duration = Duration::from_secs(30);
/// The same for what it logs. Shorter, for all that others would hear meanwhile is lost to them.
pub(crate) const LOGS: Duration = Duration::from_secs(5);
/// So many are kept; beyond them the oldest goes.
const MOST: usize = 1024;

/// Whose a call is, as far as it matters for what the server says without naming a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// The session, or whoever may be asked. None for a modern request that stands alone.
    pub peer: Option<PeerId>,
    /// The server may send log messages about the call.
    pub hears_log: bool,
    /// Equal for calls of one client, where that is known and they have no session.
    pub owner: Option<u64>,
}

/// Equal for calls of the same session, different for requests that stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// A session.
    Peer(PeerId),
    /// A call by itself.
    Call(u64),
}

impl Who {
    pub(crate) fn peer(self) -> Option<PeerId> {
        match self {
            Self::Peer(peer) => Some(peer),
            Self::Call(_) => None,
        }
    }
}

impl Caller {
    pub(crate) fn who(self, number: u64) -> Who {
        self.peer.map_or(Who::Call(number), Who::Peer)
    }
}

/// The calls, the oldest first, and when each was given up.
#[derive(Debug, Default)]
pub(crate) struct Departed(VecDeque<(u64, Caller, Instant)>);

impl Departed {
    /// Notes a call that was given up before its answer.
    pub(crate) fn note(&mut self, number: u64, caller: Caller) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((number, caller, Instant::now()));
    }

    /// The server has answered it after all.
    pub(crate) fn ended(&mut self, number: u64) {
        self.0.retain(|(one, ..)| *one != number);
    }

    /// Those that were given up within this time, at most [`ASKS`], and not answered since.
    pub(crate) fn lingering(&mut self, within: Duration) -> impl Iterator<Item = (u64, Caller)> + '_ {
        self.0.retain(|(.., at)| at.elapsed() < ASKS);
        let recent = self.0.iter().filter(move |(.., at)| at.elapsed() < within);
        recent.map(|(number, caller, _)| (*number, *caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(departed: &mut Departed) -> Vec<u64> {
        departed.lingering(ASKS).map(|(number, _)| number).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_lingers_until_its_answer_or_for_a_while_and_their_number_is_bounded() {
        let mut departed = Departed::default();
        let caller = Caller { peer: None, hears_log: false, owner: None };
        departed.note(1, caller);
        departed.note(2, caller);
        departed.ended(1);
        assert_eq!(numbers(&mut departed), [2]);
        tokio::time::advance(LOGS).await;
        assert_eq!((numbers(&mut departed), departed.lingering(LOGS).count()), (vec![2], 0));
        tokio::time::advance(ASKS).await;
        assert!(numbers(&mut departed).is_empty());
        (0..2000).for_each(|number| departed.note(number, caller));
        assert_eq!(numbers(&mut departed).len(), MOST);
        assert_eq!(numbers(&mut departed).last(), Some(&1999));
    }
}

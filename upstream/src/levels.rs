//! The level of log messages on a link that several share: the lowest that any of them wants.
//!
//! Never speaks to the server; says what is to be said.

use foldhash::HashMap;
use parking_lot::Mutex;

use crate::peer::PeerId;

/// The levels wanted on a link, as ranks: the lower, the more is heard.
#[derive(Default)]
pub struct Levels(Mutex<State>);

#[derive(Default)]
struct State {
    wanted: HashMap<PeerId, u8>,
    said: Option<u8>,
}

impl Levels {
    /// Notes what somebody wants. The rank to be said to the server, when it is another than was said last.
    pub fn want(&self, peer: PeerId, rank: u8) -> Option<u8> {
        let mut state = self.0.lock();
        state.wanted.insert(peer, rank);
        let lowest = state.wanted.values().copied().min();
        if lowest == state.said {
            return None;
        }
        state.said = lowest;
        lowest
    }

    /// Somebody is gone. The level stays until somebody else says one: too much is filtered, too little is lost.
    pub fn forget(&self, peer: PeerId) {
        self.0.lock().wanted.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_level_that_anybody_wants_is_said_once() {
        let levels = Levels::default();
        let (one, two) = (PeerId::fresh(), PeerId::fresh());
        assert_eq!(levels.want(one, 5), Some(5));
        assert_eq!(levels.want(two, 7), None, "the first still wants more");
        assert_eq!(levels.want(two, 2), Some(2));
        assert_eq!(levels.want(two, 2), None);
        assert_eq!(levels.want(two, 6), Some(5));
        levels.forget(one);
        assert_eq!(levels.want(two, 6), Some(6));
    }
}

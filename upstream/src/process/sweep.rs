//! Clears away what a killed keeper has left: found, killed and reaped by Hostler itself.
//!
//! The kernel has told nobody which processes those are. Found are: members of the server's session or process group,
//! bearers of its mark ([`TREE_MARK`]), whatever descends from those, and members of the sessions of all these. Missed
//! is only a process that left the session *and* replaced its environment. Never reaps by `waitpid(-1)`, never touches a
//! child of Hostler's own session: keepers and the runtime's children are there.

use std::{collections::BTreeSet, time::Duration};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, getsid},
};
use tokio::time::{Instant, sleep};

use super::{Exit, TREE_MARK, handle::Remains, tree};

/// Longest sweep. Beyond this only what the kernel cannot kill, or Hostler may not, is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pauses between two rounds: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// Rounds that must find nobody. One is not enough: a process whose parent ends while the list is being read can be
/// missed, though hardly twice.
const CALM: u32 = 2;

/// Kills and reaps all of a tree whose keeper is gone. Returns how the server ended, if it could be reaped here.
pub(super) async fn sweep(of: Remains<'_>) -> Option<Exit> {
    let mut round = Round::of(&of);
    let until = Instant::now() + PATIENCE;
    let mut pause = PAUSES.0;
    let mut calm = 0;
    loop {
        // Reading all of /proc takes milliseconds on a full machine.
        let done = tokio::task::spawn_blocking(move || {
            let left = round.run();
            (round, left)
        });
        let Ok((back, left)) = done.await else { return None };
        round = back;
        calm = if left.is_empty() { calm + 1 } else { 0 };
        if calm == CALM {
            return round.exit;
        }
        if Instant::now() >= until {
            tracing::warn!(server = %of.name, pids = ?left, "what a killed keeper has left cannot be killed");
            return round.exit;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// What is known of the tree after each look at it.
struct Round {
    server: Option<i32>,
    /// The process groups of the server and of the keeper; in the latter is a child that has not become the server yet.
    groups: [Option<i32>; 2],
    entry: Vec<u8>,
    own: i32,
    own_session: i32,
    /// Sessions of the tree. Kept from round to round: a zombie has lost its mark, but not its session.
    sessions: BTreeSet<i32>,
    exit: Option<Exit>,
}

impl Round {
    fn of(remains: &Remains<'_>) -> Self {
        Self {
            server: remains.server,
            groups: [remains.server, remains.keeper],
            entry: format!("{TREE_MARK}={}", remains.mark).into_bytes(),
            own: std::process::id().cast_signed(),
            own_session: getsid(None).map_or(0, Pid::as_raw),
            sessions: remains.server.into_iter().collect(),
            exit: None,
        }
    }

    /// Kills and reaps what is found now, and returns what has not ended yet.
    fn run(&mut self) -> Vec<i32> {
        let all = tree::list();
        let mut found: Vec<tree::Process> = all.iter().filter(|p| self.belongs(p)).copied().collect();
        let roots: Vec<i32> = found.iter().map(|p| p.pid).collect();
        found.extend(tree::below(&all, &roots));
        found.retain(|p| p.pid != self.own && p.pid > 1);
        let mut left = Vec::new();
        for process in found {
            if process.session != self.own_session {
                self.sessions.insert(process.session);
            }
            let gone = match (process.zombie, process.parent == self.own) {
                (true, true) => self.reap(process.pid),
                // Somebody else has to reap it, and will: its parent is about to be killed, or is the first process.
                (true, false) => true,
                (false, _) => kill(Pid::from_raw(process.pid), Signal::SIGKILL) == Err(Errno::ESRCH),
            };
            if !gone {
                left.push(process.pid);
            }
        }
        self.reap_strangers(&all);
        left
    }

    fn belongs(&self, process: &tree::Process) -> bool {
        if self.sessions.contains(&process.session) || self.groups.contains(&Some(process.group)) {
            return true;
        }
        if process.zombie {
            return false;
        }
        let env = tree::environment(process.pid).unwrap_or_default();
        // An orphan that fell to Hostler and has no environment: the kernel shows none while exec is at work.
        let bare = env.is_empty() && process.parent == self.own && process.session != self.own_session;
        bare || env.split(|b| *b == 0).any(|entry| entry == self.entry)
    }

    /// Zombies of other sessions that fell to Hostler: they ended before anybody could see whose they were.
    fn reap_strangers(&mut self, all: &[tree::Process]) {
        for process in all {
            if process.zombie && process.parent == self.own && process.session != self.own_session {
                self.reap(process.pid);
            }
        }
    }

    fn reap(&mut self, pid: i32) -> bool {
        let exit = match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return false,
            Ok(WaitStatus::Exited(_, code)) => Exit::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Exit::Signal(signal as i32),
            Ok(_) | Err(_) => return true,
        };
        if Some(pid) == self.server {
            self.exit = Some(exit);
        }
        true
    }
}

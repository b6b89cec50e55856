//! Server processes: started through a keeper, stopped as a whole tree, their stderr kept within bounds.
//!
//! A server is never a direct child of Hostler. Between the two stands a *keeper*: this same program, started anew
//! with [`KEEPER_ARG`], small and synchronous. It hands its standard streams straight to the server, so that no byte
//! is relayed, and from then on only watches two things: its socket to Hostler and its descendants.
//!
//! ```text
//!  Hostler ──stdin, stdout, stderr (pipes)───────────────► server ── whatever it starts
//!     └──socket: start, 'T', 'K'; started, ended── keeper ──┘ (parent, session, subreaper)
//! ```
//!
//! Who dies, and what follows:
//! - The server: what it left behind gets SIGTERM, a second later SIGKILL; the keeper reaps all of it and ends.
//! - Hostler, in any way: the socket is closed, the keeper kills the whole tree at once.
//! - The keeper (by SIGKILL; it ignores all else): the server dies with it (`PR_SET_PDEATHSIG`), the rest falls to
//!   Hostler (see [`become_subreaper`]), which finds it by session and by a mark in the environment, kills and reaps it.
//!
//! Only two things escape: what the kernel itself cannot kill, and, if Hostler and the keeper get SIGKILL in the same
//! moment, grandchildren of the keeper. On systems other than Linux there is neither subreaper nor parent-death
//! signal; their stand-in is the process group, which a program that calls `setsid` leaves.
//!
//! Never speaks MCP, never decides when to start or stop, never calls `waitpid(-1)` in Hostler (the runtime's children
//! are Hostler's children too).

mod control;
mod environment;
mod files;
mod guard;
mod handle;
mod keeper;
mod program;
mod spawn;
mod stderr;
#[cfg_attr(not(target_os = "linux"), path = "sweep_group.rs")]
mod sweep;
mod tree;

use std::fmt;

use nix::sys::signal::Signal;
use tokio::process::{ChildStdin, ChildStdout};

pub use environment::{TREE_MARK, inherited};
pub use files::allow_many;
pub use handle::Handle;
pub use keeper::run_if_keeper;
pub use program::find;
pub use spawn::{keeper_program, set_keeper_program, spawn};
pub use stderr::{CUT, Line, StderrRing};

/// The first argument that makes this program a keeper. Hidden from help: nobody types it.
pub const KEEPER_ARG: &str = "__keeper";

/// A server process that has been started.
#[derive(Debug)]
pub struct Running {
    /// What the server reads. Drop it to ask the server to end.
    pub stdin: ChildStdin,
    /// What the server writes.
    pub stdout: ChildStdout,
    /// The process id of the server itself.
    pub pid: u32,
    /// The way to stop it and to learn of its end.
    pub handle: Handle,
}

/// How a server's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody saw how: its keeper was killed (and the server with it, by SIGKILL) before it could tell.
    Unknown,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

/// Continues a sentence that begins with the server: "exited with code 1", "was killed by signal 9 (SIGKILL)".
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by signal {number} ({signal})"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

/// Makes this process the one to whom orphaned descendants fall, so that what a killed keeper leaves can be reaped.
///
/// To be called once at start, before the first server. From then on no other module may start a program that leaves
/// Hostler's session (`setsid`): a sweep after a killed keeper takes the exit status of such children.
/// Linux only; elsewhere it does nothing, and orphans fall to the system's first process, which reaps them.
pub fn become_subreaper() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        tracing::warn!(%error, "orphans of a killed keeper cannot be reaped");
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn an_exit_reads_as_the_end_of_a_sentence() {
        assert_eq!(Exit::Code(1).to_string(), "exited with code 1");
        assert_eq!(Exit::Signal(9).to_string(), "was killed by signal 9 (SIGKILL)");
        assert_eq!(Exit::Signal(40).to_string(), "was killed by signal 40");
        assert_eq!(Exit::Unknown.to_string(), "ended in an unknown way");
    }
}

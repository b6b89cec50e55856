//! Stand-in for systems without `/proc` and subreapers: of what a killed keeper has left, the server's process group.
//!
//! Misses what has left that group. Reaps nothing: orphans fall to the system's first process there.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{Exit, handle::Remains};

/// Kills the process group that began with the server, if it became known. How the server ended is never known here.
pub(super) async fn sweep(of: Remains<'_>) -> Option<Exit> {
    if let Some(server) = of.server.filter(|pid| *pid > 1)
        && let Err(error) = killpg(Pid::from_raw(server), Signal::SIGKILL)
    {
        tracing::debug!(server = %of.name, keeper = of.keeper, mark = of.mark, %error, "nothing left of a tree");
    }
    None
}

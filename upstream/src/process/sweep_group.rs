//! Stand-in for systems without `/proc` and subreapers: of what a killed keeper has left, the server's process group.
//!
//! Misses what has left that group. Reaps nothing: orphans fall to the system's first process there.

use ground::ServerName;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::Exit;

/// Kills the process group that began with the server, if it became known. How the server ended is never known here.
pub(super) async fn sweep(_name: &ServerName, server: Option<i32>, _mark: &str) -> Option<Exit> {
    if let Some(server) = server.filter(|pid| *pid > 1) {
        let _ = killpg(Pid::from_raw(server), Signal::SIGKILL);
    }
    None
}

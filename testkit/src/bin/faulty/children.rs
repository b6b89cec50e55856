//! Children that a careless server leaves behind: some in its process group, some forked twice into their own session.
//!
//! They are this same program in another role, so nothing here needs `unsafe`. None lives longer than ten minutes,
//! so that a failed test litters the machine for a while and not for good.

use std::{
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use crate::options::Options;

/// After this long a forgotten child ends by itself.
const LIFETIME: Duration = Duration::from_secs(600);

/// Starts as many children as the options say, every second one detached.
pub fn fork(options: &Options) {
    for n in 0..options.fork_children {
        let role = if n % 2 == 0 { "sleep" } else { "detach" };
        let Some(mut child) = start(role, options) else { continue };
        // The one in the middle of a double fork ends at once and must not stay a zombie.
        if role == "detach" {
            let _ = child.wait();
        }
    }
}

/// Is such a child.
pub fn be(role: &str, options: &Options) -> ExitCode {
    if role == "detach" {
        let _ = nix::unistd::setsid();
        start("sleep", options);
        return ExitCode::SUCCESS;
    }
    thread::sleep(LIFETIME);
    ExitCode::SUCCESS
}

/// This program again, with stdout and stderr inherited: a reader that waits for their end waits in vain.
fn start(role: &str, options: &Options) -> Option<Child> {
    let mut command = Command::new(std::env::current_exe().ok()?);
    let of = options.of.unwrap_or_else(std::process::id).to_string();
    command.args(["--child", role, "--of", &of]).stdin(Stdio::null());
    if options.ignore_sigterm {
        command.arg("--ignore-sigterm");
    }
    command.spawn().ok()
}

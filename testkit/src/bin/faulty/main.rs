//! `faulty`: a stdio MCP server for tests, well-behaved unless told otherwise, in either era or both.
//!
//! Plain blocking threads, so that what a test sees does not hang on a scheduler. Never meant to be fast, and never
//! shares code with the gateway. Exit codes: 0 end of stdin, 1 `--crash-at-start`, 3 `--crash-after`, 4
//! `--die-on-discover`, 9 the tool `crash`.

#![allow(clippy::disallowed_methods, reason = "to stop dead and to stand still is what this program is for")]

mod calls;
mod children;
mod notices;
mod options;
mod output;
mod server;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use clap::Parser as _;
use nix::sys::signal::{SigSet, Signal};

use crate::{options::Options, server::Server};

/// Longest line read, in bytes; a longer one ends the server.
const LONGEST_LINE: u64 = 256 << 20;

fn main() -> ExitCode {
    let options = Options::parse();
    // Blocked before any thread starts: threads inherit it.
    if options.ignore_sigterm {
        let _ = SigSet::from(Signal::SIGTERM).thread_block();
    }
    if let Some(role) = &options.child {
        return children::be(role, &options);
    }
    if options.crash_at_start {
        let _ = writeln!(std::io::stderr(), "cannot start: I was told not to");
        return ExitCode::from(1);
    }
    children::fork(&options);
    thread::sleep(Duration::from_millis(options.slow_start));
    let stays = options.ignore_eof || options.ignore_sigterm;
    if options.never_read_stdin {
        sleep_for_ever();
    }
    serve(Server::new(options));
    if stays {
        sleep_for_ever();
    }
    ExitCode::SUCCESS
}

/// Reads messages until the end of stdin.
fn serve(server: Arc<Server>) {
    server.greet();
    let mut stdin = BufReader::new(std::io::stdin());
    loop {
        let mut line = String::new();
        match stdin.by_ref().take(LONGEST_LINE).read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) if !line.ends_with('\n') && line.len() as u64 == LONGEST_LINE => break,
            Ok(_) if line.trim().is_empty() => {}
            Ok(_) => server.take(line.trim_end_matches(['\r', '\n'])),
        }
    }
    server.close();
}

fn sleep_for_ever() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

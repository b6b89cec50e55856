//! Other programs, started by name: where they are, what they print, and again when a network failed.
//!
//! Never goes through a shell, so no argument is ever quoted or split.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Waits before the second and the third attempt at something that uses the network.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];

/// Between two looks at a program that runs under a limit.
const GLANCE: Duration = Duration::from_millis(20);

/// A program to be started in a folder.
pub fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// The cargo that started us, free of what it told us about ourselves: build scripts that watch
/// those variables would otherwise build again after every `cargo xtask`.
pub fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| name.starts_with(start))
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end, with our own terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let name = name_of(command);
    let status = command.status().with_context(|| format!("{name} cannot be started"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// Runs to the end and returns what it printed; its errors go to our terminal.
pub fn output(command: &mut Command) -> Result<String> {
    let name = name_of(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("{name} cannot be started"))?;
    if !output.status.success() {
        bail!("{name} ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed what is not text"))
}

/// Runs to the end, or kills it when that takes longer than `limit`; then there is no status.
pub fn within(command: &mut Command, limit: Duration) -> Result<Option<ExitStatus>> {
    let name = name_of(command);
    let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().with_context(|| format!("waiting for {name}"))? {
            return Ok(Some(status));
        }
        if began.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(None);
        }
        std::thread::sleep(GLANCE);
    }
}

/// As a person would say it: `cargo clippy`.
fn name_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program()).to_string_lossy();
    let first = command.get_args().next().map(|argument| format!(" {}", argument.to_string_lossy()));
    format!("{program}{}", first.unwrap_or_default())
}

/// True when the program can be started and ends well; nothing is printed.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Where a program is, on the search path or among the system's own programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Something that uses the network: three attempts at most.
pub fn with_retries(what: &str, attempt: impl FnMut() -> Result<()>) -> Result<()> {
    retry(what, &PAUSES, attempt)
}

fn retry(what: &str, pauses: &[Duration], mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    for pause in pauses {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => println!("{what}: {error:#}; again in {} s", pause.as_secs()),
        }
        std::thread::sleep(*pause);
    }
    attempt().with_context(|| format!("{what}, after {} attempts", pauses.len() + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_network_step_is_tried_three_times_and_no_more() {
        let mut attempts = 0;
        let failed = retry("download", &[Duration::ZERO; 2], || {
            attempts += 1;
            bail!("no route")
        });
        assert_eq!(attempts, 3);
        assert_eq!(format!("{:#}", failed.unwrap_err()), "download, after 3 attempts: no route");
    }

    #[test]
    fn a_network_step_that_works_is_not_repeated() {
        let mut attempts = 0;
        retry("download", &[Duration::ZERO; 2], || {
            attempts += 1;
            if attempts == 2 { Ok(()) } else { bail!("no route") }
        })
        .unwrap();
        assert_eq!(attempts, 2);
    }

    #[test]
    fn a_program_that_takes_longer_than_its_limit_is_killed() {
        let mut slow = command("/bin/sleep", Path::new("."));
        assert!(within(slow.arg("60"), Duration::from_millis(30)).unwrap().is_none());
        let quick = within(&mut command("/bin/true", Path::new(".")), Duration::from_secs(60)).unwrap();
        assert!(quick.is_some_and(|status| status.success()));
    }

    #[test]
    fn a_program_that_fails_is_an_error_that_names_it() {
        let failed = run(command("/bin/false", Path::new(".")).arg("now")).unwrap_err();
        assert!(format!("{failed}").starts_with("false now ended with"), "{failed}");
        assert!(!succeeds(&mut command("no-such-program-anywhere", Path::new("."))));
    }
}

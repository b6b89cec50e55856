//! Who descends from whom, and signals to all of them.
//!
//! Linux reads `/proc`. Between reading and signalling a process may end and its number go to another; the kernel hands
//! numbers out in a circle, so that would take tens of thousands of new processes within a millisecond. Never signals
//! anything but process groups of descendants that were seen just now, or the server's own group.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, getpgrp},
};

/// One process as the kernel lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Ended, not yet reaped by its parent.
    pub(super) zombie: bool,
}

/// Signals every process below this one, group by group, so that each gets it once; `server` is the group known from
/// the start, signalled also where descendants cannot be listed.
pub(super) fn signal_descendants(server: Option<Pid>, signal: Signal) {
    let own = getpgrp().as_raw();
    let all = list();
    let mut groups: Vec<i32> = server.iter().map(|pid| pid.as_raw()).collect();
    groups.extend(below(&all, &[std::process::id().cast_signed()]).iter().filter(|p| !p.zombie).map(|p| p.group));
    groups.sort_unstable();
    groups.dedup();
    // A group of 0 or 1 would mean this one or everybody.
    for group in groups.into_iter().filter(|g| *g > 1 && *g != own) {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

/// The processes of `all` that descend from any of `roots`, without the roots.
pub(super) fn below(all: &[Process], roots: &[i32]) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents: Vec<i32> = roots.to_vec();
    while !parents.is_empty() {
        let fresh: Vec<Process> = all
            .iter()
            .filter(|p| parents.contains(&p.parent) && !roots.contains(&p.pid) && !found.iter().any(|f| f.pid == p.pid))
            .copied()
            .collect();
        parents = fresh.iter().map(|p| p.pid).collect();
        found.extend(fresh);
    }
    found
}

/// Every process of the machine that can be seen; empty where there is no `/proc`.
#[cfg(target_os = "linux")]
pub(super) fn list() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Stand-in: elsewhere nobody is listed and the server's own process group has to do.
#[cfg(not(target_os = "linux"))]
pub(super) fn list() -> Vec<Process> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn read(pid: i32) -> Option<Process> {
    use std::io::Read as _;

    // The first fields are what is needed; the name among them has at most 64 bytes.
    let mut buffer = [0; 256];
    let n = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    parse(pid, buffer.get(..n)?)
}

/// `pid (name) state parent group session ...`, where the name may hold blanks and parentheses.
#[cfg(target_os = "linux")]
fn parse(pid: i32, stat: &[u8]) -> Option<Process> {
    let after = stat.iter().rposition(|b| *b == b')')? + 1;
    let mut fields = std::str::from_utf8(stat.get(after..)?).ok()?.split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let mut number = || fields.next()?.parse().ok();
    Some(Process { pid, parent: number()?, group: number()?, session: number()?, zombie })
}

/// The environment this process was started with, entries separated by zero bytes; empty for a zombie and during exec.
/// Nothing if it is gone or belongs to somebody else.
#[cfg(target_os = "linux")]
pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/environ")).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, group: pid, session: pid, zombie: false }
    }

    #[test]
    fn a_name_full_of_traps_is_read() {
        let got = parse(7, b"7 (a) b (c) R 9) Z 3 4 5 0 -1").unwrap();
        assert_eq!(got, Process { pid: 7, parent: 3, group: 4, session: 5, zombie: true });
        assert_eq!(parse(7, b"7 (cut"), None);
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_order() {
        let all = [process(9, 8), process(8, 1), process(3, 2), process(2, 1), process(5, 4), process(1, 1)];
        let mut pids: Vec<_> = below(&all, &[1]).iter().map(|p| p.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [2, 3, 8, 9]);
    }

    #[test]
    fn this_process_is_listed_with_its_parent() {
        let own = std::process::id().cast_signed();
        let listed = list().into_iter().find(|p| p.pid == own).unwrap();
        assert_eq!(listed.parent, nix::unistd::getppid().as_raw());
    }
}

//! What processes cost, read from `/proc`: processor time and resident memory of a program with all its children.
//!
//! Linux only. Never signals or changes a process.

use std::{collections::HashMap, fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// What a family of processes has used since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user and kernel mode: of the living members, and of children that ended and were waited for.
    /// The kernel counts it exactly but shows it in ticks, usually of 10 ms.
    pub cpu: Duration,
    /// Resident memory now, in bytes; pages that members share are counted for each.
    pub memory: u64,
}

/// One line of `/proc/<pid>/stat`, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Of itself and of its ended children, in ticks.
    ticks: u64,
    /// Resident pages.
    pages: u64,
}

/// The usage of a process and all that descend from it.
///
/// # Errors
/// When the process is gone, or `/proc` is not as it should be.
pub fn usage(root: u32) -> Result<Usage> {
    let all = stats()?;
    anyhow::ensure!(all.contains_key(&root), "process {root} is gone");
    let tick = system(SysconfVar::CLK_TCK)?;
    let page = system(SysconfVar::PAGE_SIZE)?;
    let (mut ticks, mut pages) = (0, 0);
    for pid in family(&all, root) {
        ticks += all[&pid].ticks;
        pages += all[&pid].pages;
    }
    Ok(Usage { cpu: Duration::from_nanos(ticks * (1_000_000_000 / tick.max(1))), memory: pages * page })
}

fn system(what: SysconfVar) -> Result<u64> {
    let value = sysconf(what)?.context("the system does not say")?;
    Ok(u64::try_from(value)?)
}

/// All processes. One that ends while this looks is left out.
fn stats() -> Result<HashMap<u32, Stat>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").context("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).ok().and_then(|line| parse(&line));
        all.extend(stat.map(|stat| (pid, stat)));
    }
    Ok(all)
}

/// `pid (name) state ppid …`; the name may hold anything, even parentheses. Fields are counted as in proc(5).
fn parse(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The first one here is field 3, the state.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)? + number(16)? + number(17)?;
    Some(Stat { parent: u32::try_from(number(4)?).ok()?, ticks, pages: number(24)? })
}

/// The process and its descendants.
fn family(all: &HashMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = all.iter().filter(|(pid, stat)| stat.parent == parent && **pid != parent);
        found.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_program_calls_itself() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 5 9 1234 18446744073709551615";
        assert_eq!(parse(line), Some(Stat { parent: 7, ticks: 110, pages: 1234 }));
        assert_eq!(parse("42 (cut off) S 7"), None);
    }

    #[test]
    fn a_family_is_the_process_with_all_that_descend_from_it() {
        let of = |parent| Stat { parent, ticks: 0, pages: 0 };
        let all = HashMap::from([(1, of(0)), (2, of(1)), (3, of(2)), (4, of(1)), (5, of(3))]);
        let mut found = family(&all, 2);
        found.sort_unstable();
        assert_eq!(found, [2, 3, 5]);
    }

    #[test]
    fn a_process_sees_its_own_memory() {
        assert!(usage(std::process::id()).unwrap().memory > 1 << 20);
    }
}

//! Marks in the environment, by which the processes of one test are found anywhere on the machine.
//!
//! Linux only: `/proc` is the witness. Never ends a process that it did not find by its own mark.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

/// The variable that holds the mark.
pub const VARIABLE: &str = "HOSTLER_E2E_MARK";

/// A mark that no other test has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

/// A living process that bears a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Its process id.
    pub id: i32,
    /// Its command line, arguments separated by spaces.
    pub command: String,
}

impl Mark {
    /// A fresh one.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// What to set [`VARIABLE`] to.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.0
    }

    /// Every living process that bears it. A zombie has no environment left and is not among them.
    ///
    /// # Panics
    /// Without `/proc`.
    #[must_use]
    pub fn bearers(&self) -> Vec<Bearer> {
        let wanted = format!("{VARIABLE}={}", self.0);
        let bears = |id: i32| {
            let environment = fs::read(format!("/proc/{id}/environ")).ok()?;
            environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()).then_some(())?;
            let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned();
            Some(Bearer { id, command })
        };
        let entries = fs::read_dir("/proc").expect("the end-to-end tests need /proc");
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter_map(bears).collect()
    }
}

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_found_by_its_mark_for_as_long_as_it_lives() {
        let (mark, other) = (Mark::new(), Mark::new());
        let mut child = Command::new("sleep").arg("600").env(VARIABLE, mark.value()).spawn().unwrap();
        let id = child.id().cast_signed();
        let found = crate::wait::held_within(std::time::Duration::from_secs(10), || {
            mark.bearers() == [Bearer { id, command: "sleep 600".into() }]
        });
        assert!(found, "{:?}", mark.bearers());
        assert_eq!(other.bearers(), []);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(mark.bearers(), []);
    }
}

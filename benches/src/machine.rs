//! What a figure was measured on: processor, cores, memory, kernel, versions.
//!
//! Never names the machine or its address.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

/// The machine and the programs under measurement.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Processor model.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Main memory, in GiB.
    pub memory: u64,
    /// Kernel release.
    pub kernel: String,
    /// `nginx -v`, if there is one.
    pub nginx: Option<String>,
    /// `hostler --version`, if there is one.
    pub hostler: Option<String>,
}

impl Machine {
    /// Looks.
    pub fn look(nginx: Option<&Path>, hostler: Option<&Path>) -> Self {
        let info = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let processor = field(&info("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into());
        let kib = field(&info("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: u64 = kib.trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            processor,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: kib.div_ceil(1 << 20),
            kernel: info("/proc/sys/kernel/osrelease").trim().to_owned(),
            nginx: nginx.and_then(|path| version(path, "-v")),
            hostler: hostler.and_then(|path| version(path, "--version")),
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let of = |version: &Option<String>| version.clone().unwrap_or_else(|| "not there".into());
        let Self { processor, cores, memory, kernel, .. } = self;
        format!(
            "{processor}, {cores} cores, {memory} GiB, Linux {kernel}; nginx: {}; hostler: {}",
            of(&self.nginx),
            of(&self.hostler)
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "processor": self.processor, "cores": self.cores, "memory_gib": self.memory, "kernel": self.kernel,
            "nginx": self.nginx, "hostler": self.hostler
        })
    }
}

/// The value of the first `key : value` line.
fn field(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What a program says of its version, on whichever stream it says it.
fn version(program: &Path, flag: &str) -> Option<String> {
    let said = Command::new(program).arg(flag).output().ok()?;
    let text = [said.stdout, said.stderr].concat();
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_key() {
        assert_eq!(field("a: 1\nmodel name\t: Some CPU\n", "model name").as_deref(), Some("Some CPU"));
        assert_eq!(field("a: 1\n", "b"), None);
    }
}

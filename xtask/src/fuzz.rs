//! `cargo xtask fuzz`: every target of `fuzz/` for a while, from its seeds on.
//!
//! Never writes into the tree: what a run learns, and the input that broke something, lie below `target/fuzz`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The binaries of fuzz/Cargo.toml, each with a folder of seeds.
const TARGETS: [&str; 4] = ["envelope", "sse", "lines", "bridge"];
/// How long each target runs unless told, in seconds.
const SECONDS: u32 = 60;
const CARGO_FUZZ: &str = "^0.13";

/// Runs all targets, one after the other; the first input that breaks one ends that one.
pub fn run(root: &Path, flags: &[&str]) -> Result<()> {
    let seconds = seconds(flags)?;
    let home = root.join("target/fuzz");
    let tools = home.join("tools");
    if !tools.join("bin/cargo-fuzz").is_file() {
        shell::with_retries("cargo-fuzz", || {
            let install = ["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root"];
            shell::run(shell::cargo(root).args(install).arg(&tools))
        })?;
    }
    let mut broken = Vec::new();
    for target in TARGETS {
        println!("\n== fuzz {target}, {seconds} s");
        let (corpus, finds) = (home.join("corpus").join(target), home.join("finds").join(target));
        for folder in [&corpus, &finds] {
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let mut fuzz = cargo_fuzz(root, &tools);
        fuzz.args(["run", "--target-dir"]).arg(&home).arg(target).arg(&corpus).arg(format!("fuzz/seeds/{target}"));
        fuzz.args(["--", "-dict=fuzz/words.dict", "-max_len=4096", "-timeout=10"]);
        fuzz.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", finds.display()));
        if let Err(error) = shell::run(&mut fuzz) {
            println!("{target}: {error:#}; the input is in {}", finds.display());
            broken.push(target);
        }
    }
    if !broken.is_empty() {
        bail!("broken: {}", broken.join(", "));
    }
    Ok(())
}

fn seconds(flags: &[&str]) -> Result<u32> {
    match flags {
        [] => Ok(SECONDS),
        ["--seconds", number] => number.parse().with_context(|| format!("`{number}` is no number of seconds")),
        other => bail!("fuzz has no {}: it takes --seconds <n>", other.join(" ")),
    }
}

/// cargo-fuzz on the stable compiler, which has the flags for libFuzzer behind this variable.
fn cargo_fuzz(root: &Path, tools: &Path) -> Command {
    let mut cargo = shell::cargo(root);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&path).collect::<Vec<_>>());
    if let Ok(path) = std::env::join_paths(folders) {
        cargo.env("PATH", path);
    }
    cargo.arg("fuzz").env("RUSTC_BOOTSTRAP", "1");
    cargo
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_time_for_each_target_is_told_in_seconds() {
        assert_eq!(seconds(&[]).unwrap(), SECONDS);
        assert_eq!(seconds(&["--seconds", "600"]).unwrap(), 600);
        assert!(seconds(&["--seconds", "ten"]).unwrap_err().to_string().contains("`ten`"));
        assert!(seconds(&["--fast"]).unwrap_err().to_string().contains("--fast"));
    }

    #[test]
    fn every_target_has_a_binary_and_seeds() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
        for target in TARGETS {
            assert!(manifest.contains(&format!("path = \"targets/{target}.rs\"")), "{target}");
            assert!(fuzz.join("seeds").join(target).is_dir(), "{target}");
        }
    }
}

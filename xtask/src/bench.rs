//! `cargo xtask bench`: one benchmark of `benches/`, beside nginx, in the profile that is shipped.
//!
//! Never judges: the benchmark prints its own table.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{services, shell};

/// Builds Hostler and the benchmark, and runs it.
pub fn run(root: &Path, name: &str, arguments: &[&str]) -> Result<()> {
    services::debian_programs(root, &["nginx"])?;
    let Some(nginx) = shell::find("nginx") else { bail!("nginx is not installed: it is what is measured against") };
    shell::run(shell::cargo(root).args(["build", "--profile", "dist", "--package", "hostler"]))?;
    let run = ["run", "--profile", "dist", "--package", "benches", "--bin", name, "--"];
    let hostler = services::built(root, "dist", "hostler");
    let mut cargo = shell::cargo(root);
    cargo.args(run).args(arguments).env("HOSTLER_BENCH_BIN", hostler).env("HOSTLER_BENCH_NGINX", nginx);
    shell::run(&mut cargo)
}

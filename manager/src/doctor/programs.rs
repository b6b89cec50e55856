//! Programs: where they are, and which version the well-known runtimes have.
//!
//! Never runs a program that it does not know: a server asked for `--version` might just start serving.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use plan::Plan;
use tokio::{io::AsyncReadExt, process::Command, task::JoinSet, time::timeout};
use upstream::spec::Origin;

use crate::{Finding, Surroundings};

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of a version, in bytes.
const LONGEST: u64 = 4096;

/// Those that most servers need, whether one here does or not.
const USUAL: [&str; 4] = ["node", "npx", "uvx", "python3"];

/// Programs that answer `--version` and nothing else.
const KNOWN: [&str; 16] = [
    "node", "npm", "npx", "bun", "bunx", "deno", "uv", "uvx", "pipx", "python", "python3", "docker", "podman", "java",
    "ruby", "php",
];

/// What was found out about the runtimes.
pub(super) struct Runtimes {
    found: BTreeMap<String, Option<Runtime>>,
    /// Those that a server is started with.
    needed: Vec<String>,
}

/// A runtime that is installed.
pub(super) struct Runtime {
    pub path: PathBuf,
    /// The first line that it says of its version.
    pub version: Option<String>,
}

impl Runtimes {
    /// Looks for the usual runtimes and for those that servers are started with.
    pub(super) async fn look(surroundings: &Surroundings, plan: &Plan) -> Self {
        let mut needed: Vec<String> = Vec::new();
        for spec in &plan.servers {
            if let Origin::Process(process) = &spec.origin
                && let Some(name) = runtime_of(&process.command)
                && !needed.contains(&name)
            {
                // npx runs what it finds with node.
                needed.extend(
                    (matches!(name.as_str(), "npx" | "npm") && !needed.contains(&"node".into())).then(|| "node".into()),
                );
                needed.push(name);
            }
        }
        let mut names: Vec<String> = USUAL.iter().map(ToString::to_string).chain(needed.iter().cloned()).collect();
        names.sort();
        names.dedup();
        let path = surroundings.variable("PATH").unwrap_or_default().to_owned();
        let mut asking = JoinSet::new();
        for name in names {
            let found = find(&name, &path);
            asking.spawn(async move {
                let runtime = match found {
                    Some(path) => Some(Runtime { version: version(&path).await, path }),
                    None => None,
                };
                (name, runtime)
            });
        }
        Self { found: asking.join_all().await.into_iter().collect(), needed }
    }

    /// A runtime by its name.
    pub(super) fn get(&self, name: &str) -> Option<&Runtime> {
        self.found.get(name)?.as_ref()
    }

    /// What there is and what is missing.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.found.iter().map(|(name, runtime)| match runtime {
            Some(Runtime { path, version: Some(version) }) => {
                Finding::ok(name, format!("{version} ({})", path.display()))
            }
            Some(Runtime { path, version: None }) => Finding::warning(
                name,
                format!("{} does not tell its version", path.display()),
                format!("try `{name} --version`: it should answer within {} s", PATIENCE.as_secs()),
            ),
            None if self.needed.contains(name) => Finding::error(name, "is not installed", install(name)),
            None => Finding::ok(name, "is not installed, and no server here needs it"),
        })
    }
}

/// The runtime that a command is, by its name.
pub(super) fn runtime_of(command: &str) -> Option<String> {
    let name = Path::new(command).file_name()?.to_str()?;
    KNOWN.contains(&name).then(|| name.to_owned())
}

/// How to come by a program.
pub(super) fn install(name: &str) -> String {
    match name {
        "node" | "npm" | "npx" => "install Node.js 20 or later, and see that it is in `PATH`".into(),
        "uv" | "uvx" => "install uv, and see that it is in `PATH`".into(),
        "python" => "install Python 3, or write `python3`".into(),
        "python3" => "install Python 3.10 or later, and see that it is in `PATH`".into(),
        name => format!("install `{name}`, see that it is in `PATH`, or write its whole path"),
    }
}

/// A program in the folders of a `PATH`.
pub(super) fn find(name: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether a file could be started by somebody.
pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The first line that a program says of its version, within bounds of time and length.
async fn version(program: &Path) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut said = Vec::new();
    let listening = async {
        let _ = child.stdout.take()?.take(LONGEST).read_to_end(&mut said).await;
        child.wait().await.ok()
    };
    let status = timeout(PATIENCE, listening).await.ok().flatten();
    if status.is_none()
        && let Some(group) = group
    {
        // What it started is in its group and goes with it.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    status.is_some_and(|status| status.success()).then(|| line.chars().take(80).collect())
}

/// The first number with dots in a text: major and minor version.
pub(super) fn numbers(version: &str) -> Option<(u32, u32)> {
    let from = version.find(|c: char| c.is_ascii_digit())?;
    let mut parts = version[from..].split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next().and_then(|part| part.parse().ok()).unwrap_or(0)))
}

//! The real servers: how each is started, alone or from the gateway's configuration.
//!
//! Never starts one: [`crate::spawned`] and the gateway do.

use std::{fs, path::Path, process::Command};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{installed, mark};

/// A server as the configuration names it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name in the configuration.
    pub name: String,
    command: Vec<String>,
    env: Map<String, Value>,
    remote: Option<Value>,
    extra: Map<String, Value>,
}

impl Server {
    fn process(name: &str, command: Vec<String>) -> Self {
        Self { name: name.into(), command, env: Map::new(), remote: None, extra: Map::new() }
    }

    /// A server that is reached over HTTP; `transport` is `http` or `sse`.
    #[must_use]
    pub fn remote(name: &str, url: &str, transport: &str) -> Self {
        let remote = Some(json!({ "url": url, "transport": transport }));
        Self { name: name.into(), command: Vec::new(), env: Map::new(), remote, extra: Map::new() }
    }

    /// Any program on stdio.
    #[must_use]
    pub fn of(name: &str, command: &[&str]) -> Self {
        Self::process(name, command.iter().map(ToString::to_string).collect())
    }

    /// The same server under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Another key of its configuration, such as `isolation`.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.extra.insert(key.into(), value);
        self
    }

    /// The program and its arguments.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// Its environment.
    #[must_use]
    pub fn environment(&self) -> &Map<String, Value> {
        &self.env
    }

    /// Its entry in the gateway's configuration; a process bears the mark of its test.
    #[must_use]
    pub fn entry(&self, mark: &mark::Mark) -> Value {
        let mut entry = match &self.remote {
            Some(remote) => remote.clone(),
            None => {
                let mut env = self.env.clone();
                env.insert(mark::VARIABLE.into(), mark.value().into());
                json!({ "command": self.command[0], "args": self.command[1..], "env": env })
            }
        };
        entry.as_object_mut().expect("an entry is an object").extend(self.extra.clone());
        entry
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("test paths are UTF-8").to_owned()
}

fn node(name: &str, package: &str, args: &[&str]) -> Server {
    let script = installed::npm(&format!("@modelcontextprotocol/{package}/dist/index.js"));
    let mut command = vec![text(&installed::node()), text(&script)];
    command.extend(args.iter().map(ToString::to_string));
    Server::process(name, command)
}

fn python(name: &str, args: &[&str]) -> Server {
    let mut command = vec![text(&installed::python())];
    command.extend(args.iter().map(ToString::to_string));
    // A proxy of the machine must not stand between a server and the pages of a test.
    Server::process(name, command).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1")
}

/// server-everything (legacy era): `mode` is `stdio`, `streamableHttp` or `sse`.
#[must_use]
pub fn everything_as(mode: &str) -> Server {
    node("everything", "server-everything", &[mode])
}

/// server-everything on stdio.
#[must_use]
pub fn everything() -> Server {
    everything_as("stdio")
}

/// server-filesystem (legacy era) for one folder.
#[must_use]
pub fn filesystem(folder: &Path) -> Server {
    node("filesystem", "server-filesystem", &[&text(folder)])
}

/// server-memory (legacy era), which keeps its graph in `file`.
#[must_use]
pub fn memory(file: &Path) -> Server {
    node("memory", "server-memory", &[]).env("MEMORY_FILE_PATH", &text(file))
}

/// mcp-server-time (both eras).
#[must_use]
pub fn time() -> Server {
    python("time", &["-m", "mcp_server_time", "--local-timezone", "Etc/UTC"])
}

/// mcp-server-git (both eras) for one repository.
#[must_use]
pub fn git(repository: &Path) -> Server {
    python("git", &["-m", "mcp_server_git", "--repository", &text(repository)])
}

/// mcp-server-fetch (both eras), which may fetch from loopback.
#[must_use]
pub fn fetch() -> Server {
    python("fetch", &["-m", "mcp_server_fetch", "--allow-private-ips"])
}

/// This crate's own server of both eras: `args` are `stdio`, or `http` and a port.
#[must_use]
pub fn both_as(args: &[&str]) -> Server {
    let script = text(&installed::ours("servers/both.py"));
    python("both", &[&[script.as_str()], args].concat())
}

/// This crate's own server of both eras on stdio.
#[must_use]
pub fn both() -> Server {
    both_as(&["stdio"])
}

/// This crate's own server that asks at awkward moments: `args` are those of `contrary.py` behind its log.
#[must_use]
pub fn contrary_as(log: &Path, args: &[&str]) -> Server {
    let script = text(&installed::ours("servers/contrary.py"));
    python("contrary", &[&[script.as_str(), &text(log)], args].concat())
}

/// A temporary folder with one file, a repository with one commit and one new file, and room for a memory.
#[derive(Debug)]
pub struct Yard {
    root: TempDir,
}

impl Yard {
    /// Makes it.
    ///
    /// # Panics
    /// Without `git`.
    #[must_use]
    pub fn new() -> Self {
        let yard = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(yard.folder()).unwrap();
        fs::write(yard.folder().join("greeting.txt"), "hello\n").unwrap();
        fs::create_dir(yard.repository()).unwrap();
        let git = |args: &[&str]| {
            let done =
                Command::new("git").args(args).current_dir(yard.repository()).output().expect("git is installed");
            assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        let identity = ["-c", "user.name=e2e", "-c", "user.email=e2e@localhost", "-c", "commit.gpgsign=false"];
        git(&[&identity[..], &["commit", "--quiet", "--allow-empty", "-m", "first commit"]].concat());
        fs::write(yard.repository().join("untracked.txt"), "new\n").unwrap();
        yard
    }

    /// The folder of the filesystem server. Symbolic links are resolved, as that server does.
    ///
    /// # Panics
    /// When the temporary folder is gone.
    #[must_use]
    pub fn folder(&self) -> std::path::PathBuf {
        self.root.path().canonicalize().unwrap().join("folder")
    }

    /// The repository of the git server.
    #[must_use]
    pub fn repository(&self) -> std::path::PathBuf {
        self.root.path().join("repository")
    }

    /// The file of the memory server.
    #[must_use]
    pub fn memory(&self) -> std::path::PathBuf {
        self.root.path().join("memory.jsonl")
    }

    /// All six reference servers.
    #[must_use]
    pub fn six(&self) -> Vec<Server> {
        let legacy = [everything(), filesystem(&self.folder()), memory(&self.memory())];
        legacy.into_iter().chain(self.three()).collect()
    }

    /// The three of both eras.
    #[must_use]
    pub fn three(&self) -> [Server; 3] {
        [time(), git(&self.repository()), fetch()]
    }
}

impl Default for Yard {
    fn default() -> Self {
        Self::new()
    }
}

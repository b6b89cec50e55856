//! The gateway under test: the built binary on a free port, with a configuration and a state of its own.
//!
//! Never leaves a process behind, and fails the test when the gateway does: everything that it starts bears a mark, and
//! after its end, however it ended, nothing that bears the mark may live.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use http::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{
    Server,
    client::Place,
    http::{Ask, Session},
    installed,
    mark::{Bearer, Mark, VARIABLE},
    spawned::free_port,
    wait,
};

/// From the start until it answers that it is ready.
const UNTIL_READY: Duration = Duration::from_secs(30);
/// From then until every server is listed: several interpreters start at once on few cores.
const UNTIL_LISTED: Duration = Duration::from_secs(120);
/// From SIGTERM until it is gone, servers included.
const UNTIL_GONE: Duration = Duration::from_secs(30);

/// What the gateway is to serve.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    servers: Vec<Server>,
    extra: Map<String, Value>,
    hurried: bool,
}

impl Setting {
    /// These servers and nothing else.
    #[must_use]
    pub fn of(servers: impl IntoIterator<Item = Server>) -> Self {
        Self { servers: servers.into_iter().collect(), ..Self::default() }
    }

    /// Another key at the top of the configuration.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.extra.insert(key.into(), value);
        self
    }

    /// Returns as soon as the gateway is ready, without waiting for its servers.
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.hurried = true;
        self
    }

    /// The configuration as text. JSON is YAML.
    fn text(&self, address: SocketAddr, state: &str, mark: &Mark) -> String {
        let servers: Map<String, Value> = self.servers.iter().map(|s| (s.name.clone(), s.entry(mark))).collect();
        let mut config = json!({ "listen": address.to_string(), "state_dir": state, "servers": servers });
        config.as_object_mut().expect("an object").extend(self.extra.clone());
        // Known only now.
        if let Some(advertised) = config.pointer_mut("/cluster/advertise").filter(|url| *url == "self") {
            *advertised = format!("http://{address}").into();
        }
        format!("{config:#}\n")
    }

    /// Starts the gateway and waits until every server's tools are listed.
    ///
    /// # Panics
    /// When it does not come up in time; its log is printed.
    pub async fn start(self) -> Gateway {
        let mut gateway = Gateway::launch(&self);
        gateway.until_ready().await;
        if !self.hurried {
            gateway.until_listed(&self.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>()).await;
        }
        gateway
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    folder: TempDir,
    address: SocketAddr,
    child: Option<Child>,
    mark: Mark,
}

impl Gateway {
    fn launch(setting: &Setting) -> Self {
        let mut gateway = Self {
            folder: tempfile::tempdir().unwrap(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())),
            child: None,
            mark: Mark::new(),
        };
        gateway.configure(setting);
        gateway.spawn();
        gateway
    }

    fn spawn(&mut self) {
        let log = || File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = self.command(&["serve"]);
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        self.child = Some(command.spawn().expect("the gateway starts"));
    }

    /// A command of the program, with this gateway's configuration, home and mark.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(installed::hostler());
        command.args(arguments).arg("--config").arg(self.config_file()).current_dir(self.folder.path());
        command.arg("--url").arg(format!("http://{}", self.address));
        command.env("HOME", self.folder.path()).env(VARIABLE, self.mark.value()).env("NO_COLOR", "1");
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME").env_remove("RUST_LOG");
        command
    }

    /// Runs a command of the program to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let command = tokio::process::Command::from(self.command(arguments)).kill_on_drop(true).output();
        tokio::time::timeout(UNTIL_READY, command).await.expect("the command ends").expect("the command starts")
    }

    /// Writes the configuration; a running gateway notices by itself.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, setting: &Setting) {
        let state = self.folder.path().join("state");
        let text = setting.text(self.address, state.to_str().expect("test paths are UTF-8"), &self.mark);
        // Renamed into place, so that the gateway never reads half a file.
        let draft = self.folder.path().join("hostler.yaml.draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.config_file()).unwrap();
    }

    /// Where the configuration lies.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("hostler.yaml")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("gateway.log")
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The mark of everything that it starts.
    #[must_use]
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// An endpoint of Streamable HTTP.
    #[must_use]
    pub fn at(&self, path: &str) -> Place {
        Place::http(&format!("http://{}{path}", self.address))
    }

    /// The federated endpoint, where the things of `server` bear its name.
    #[must_use]
    pub fn federated(&self, server: &str) -> Place {
        self.at("/mcp").of(server)
    }

    /// The endpoint of one server, untouched.
    #[must_use]
    pub fn untouched(&self, server: &str) -> Place {
        self.at(&format!("/servers/{server}/mcp"))
    }

    /// An endpoint of HTTP+SSE.
    #[must_use]
    pub fn sse(&self, path: &str) -> Place {
        Place::sse(&format!("http://{}{path}", self.address))
    }

    /// An endpoint of WebSocket.
    #[must_use]
    pub fn ws(&self, path: &str) -> Place {
        Place::ws(&format!("ws://{}{path}", self.address))
    }

    /// The bridge for clients that only start programs; `arguments` are those of `hostler connect`.
    #[must_use]
    pub fn connect(&self, arguments: &[&str]) -> Place {
        let command = self.command(&[&["connect"], arguments].concat());
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<&str> = words.map(|word| word.to_str().expect("UTF-8")).collect();
        let home = self.folder.path().to_str().expect("UTF-8");
        Place::stdio(&Server::of("connect", &words).env("HOME", home), &self.mark)
    }

    /// Waits until `/ready` says so.
    ///
    /// # Panics
    /// When the gateway ends first, or takes too long.
    pub async fn until_ready(&mut self) {
        let address = self.address;
        let child = self.child.as_mut().expect("the gateway was started");
        let ready = async || {
            let ended = child.try_wait().expect("a child of this process");
            assert!(ended.is_none(), "the gateway ended at once: {ended:?}");
            let answer = Ask::get(address, "/ready").send().await.ok()?;
            (answer.status == StatusCode::OK).then_some(())
        };
        wait::until("the gateway is ready", UNTIL_READY, ready).await;
    }

    /// Waits until tools of all these servers are listed at `/mcp`.
    ///
    /// # Panics
    /// When they are not in time.
    pub async fn until_listed(&self, servers: &[&str]) {
        let listed = async || {
            let names = self.tools().await.ok()?;
            let has = |server: &&str| names.iter().any(|name| name.starts_with(&format!("{server}__")));
            servers.iter().all(has).then_some(())
        };
        wait::until("every server's tools are listed", UNTIL_LISTED, listed).await;
    }

    /// The names of all tools at `/mcp`, as a legacy client sees them.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn tools(&self) -> Result<Vec<String>, String> {
        let session = Session::open(self.address, "/mcp", "2025-11-25", json!({})).await?;
        let mut names = Vec::new();
        let mut params = json!({});
        for id in 1..100 {
            let page = session.call(id, "tools/list", params).await?;
            let tools = page["result"]["tools"].as_array().ok_or_else(|| page.to_string())?;
            names.extend(tools.iter().filter_map(|tool| Some(tool["name"].as_str()?.to_owned())));
            match page["result"].get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
        session.end().await?;
        Ok(names)
    }

    /// The processes that it started and that live, itself not among them.
    #[must_use]
    pub fn children(&self) -> Vec<Bearer> {
        let own = self.child.as_ref().map(|child| child.id().cast_signed());
        self.mark.bearers().into_iter().filter(|bearer| Some(bearer.id) != own).collect()
    }

    /// Asks it to stop, as a service manager would, and waits; nothing that it started may be left.
    ///
    /// # Panics
    /// When it does not stop in time, or leaves a process behind.
    pub fn stop(mut self) -> ExitStatus {
        let status = self.end(Signal::SIGTERM);
        status.unwrap_or_else(|| panic!("the gateway did not stop within {UNTIL_GONE:?}"))
    }

    /// Kills it as nothing can prepare for, waits until all that it started is gone, and starts it again.
    ///
    /// # Panics
    /// When something is left.
    pub async fn die_and_return(&mut self) {
        let _ = self.end(Signal::SIGKILL);
        self.assert_alone();
        self.spawn();
        self.until_ready().await;
    }

    fn end(&mut self, signal: Signal) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
        let mut status = None;
        wait::held_within(UNTIL_GONE, || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        if status.is_some() {
            self.child = None;
        }
        status
    }

    fn assert_alone(&self) {
        let gone = wait::held_within(UNTIL_GONE, || self.mark.bearers().is_empty());
        assert!(gone, "the gateway left processes behind: {:#?}", self.mark.bearers());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.child.is_some() && self.end(Signal::SIGTERM).is_none() {
            let _ = self.end(Signal::SIGKILL);
        }
        if !std::thread::panicking() {
            self.assert_alone();
            return;
        }
        eprintln!("--- the gateway's log ---\n{}\n--- end of the gateway's log ---", self.log());
        for bearer in self.mark.bearers() {
            let _ = kill(Pid::from_raw(bearer.id), Signal::SIGKILL);
        }
    }
}

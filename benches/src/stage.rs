//! The programs under measurement: started on free ports of loopback, stopped when dropped.
//!
//! Never leaves a process or a file behind, and never touches an nginx or a Hostler that was running before.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use tempfile::TempDir;
use testkit::Httpd;
use tokio::{net::TcpStream, time::Instant};

/// How long a program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that was started.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it wrote to its error output.
    log: PathBuf,
    _directory: TempDir,
}

impl Program {
    /// Process id of the first of its processes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it wrote to its error output.
    pub fn complaint(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Waits until it accepts connections.
    async fn ready(mut self, name: &str) -> Result<Self> {
        let begin = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{name} ended at once ({status}): {}", self.complaint());
            }
            if begin.elapsed() > PATIENCE {
                bail!("{name} does not listen on {}: {}", self.address, self.complaint());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(self)
    }
}

impl Drop for Program {
    /// In order first, so that it takes its children along; with force when that does not help.
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            #[allow(clippy::disallowed_methods, reason = "drop cannot await, and nothing is measured any more")]
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Address of the server that everything is measured in front of.
///
/// # Errors
/// When its URL is not one with an address.
pub fn address(server: &Httpd) -> Result<SocketAddr> {
    let rest = server.url().trim_start_matches("http://");
    rest.split('/').next().unwrap_or_default().parse().with_context(|| server.url().to_owned())
}

/// nginx doing a plain `proxy_pass` with kept connections.
///
/// # Errors
/// When it does not start.
pub async fn nginx(program: &Path, upstream: SocketAddr) -> Result<Program> {
    let directory = tempfile::tempdir()?;
    let address = free_address()?;
    let configuration = directory.path().join("nginx.conf");
    fs::write(&configuration, nginx_configuration(directory.path(), address, upstream))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(directory.path()).arg("-c").arg(&configuration);
    start(command, address, directory)?.ready("nginx").await
}

fn nginx_configuration(directory: &Path, address: SocketAddr, upstream: SocketAddr) -> String {
    let directory = directory.display();
    // The workers of root's nginx become somebody else, who may not write below a private directory.
    let user = if Uid::effective().is_root() { "user root;\n" } else { "" };
    format!(
        "{user}daemon off;
worker_processes auto;
pid {directory}/pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000000;
    upstream server {{
        server {upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://server;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}

/// Hostler with that server as `echo`, its log at `warn`.
///
/// # Errors
/// When it does not start.
pub async fn hostler(program: &Path, upstream: SocketAddr) -> Result<Program> {
    let directory = tempfile::tempdir()?;
    let address = free_address()?;
    let configuration = directory.path().join("hostler.yaml");
    fs::write(&configuration, hostler_configuration(address, upstream))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(&configuration).current_dir(directory.path());
    // Its state stays out of the user's own.
    for variable in ["HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(variable, directory.path());
    }
    start(command, address, directory)?.ready("hostler").await
}

fn hostler_configuration(address: SocketAddr, upstream: SocketAddr) -> String {
    format!("listen: {address}\nlog:\n  level: warn\nservers:\n  echo:\n    url: http://{upstream}/mcp\n")
}

fn start(mut command: Command, address: SocketAddr, directory: TempDir) -> Result<Program> {
    let log = directory.path().join("stderr");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    Ok(Program { child, address, log, _directory: directory })
}

/// A port that was free a moment ago; these programs cannot tell which one they took.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

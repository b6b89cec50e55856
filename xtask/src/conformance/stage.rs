//! The processes of a comparison: the reference server alone, or with the gateway before it.
//!
//! Never leaves one behind, and never shares one between two ways.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Programs;

/// From the start of the gateway until it says that it is ready.
const UNTIL_READY: Duration = Duration::from_secs(30);
/// Between two questions whether it is.
const PAUSE: Duration = Duration::from_millis(50);

/// A way to the server.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub name: &'static str,
    /// The gateway's endpoint; nothing where there is no gateway.
    path: Option<&'static str>,
    /// The server is a process of the gateway's.
    stdio: bool,
}

impl Place {
    /// No gateway.
    pub const DIRECT: Self = Self { name: "direct", path: None, stdio: false };
    /// All ways through the gateway.
    pub const THROUGH: [Self; 3] = [
        Self { name: "http", path: Some("/servers/reference/mcp"), stdio: false },
        Self { name: "stdio", path: Some("/servers/reference/mcp"), stdio: true },
        Self { name: "federated", path: Some("/mcp"), stdio: false },
    ];
}

/// A way that is open. Its processes end with it.
pub struct Stage {
    pub place: Place,
    /// Where clients connect.
    pub url: String,
    /// Where results and logs go.
    pub folder: PathBuf,
    _running: Vec<Running>,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // What a killed gateway had started is ended by its keepers.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stage {
    /// Starts what this way needs. `era`: what the server speaks.
    pub fn open(programs: &Programs, place: Place, era: &str, folder: &Path) -> Result<Self> {
        let folder = folder.join(place.name);
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut running = Vec::new();
        let server = if place.stdio {
            json!({ "command": &programs.reference, "args": ["--stdio", "--era", era] })
        } else {
            let (process, url) = reference(programs, era, &folder)?;
            running.push(process);
            json!({ "url": url })
        };
        let url = match place.path {
            None => server["url"].as_str().unwrap_or_default().to_owned(),
            Some(path) => {
                let (process, address) = gateway(&programs.gateway, &server, &folder)?;
                running.push(process);
                format!("http://{address}{path}")
            }
        };
        Ok(Self { place, url, folder, _running: running })
    }

    /// The gateway before a server that runs already.
    pub fn before(program: &Path, server: &str, folder: &Path) -> Result<Self> {
        let [place, ..] = Place::THROUGH;
        let (process, address) = gateway(program, &json!({ "url": server }), folder)?;
        let url = format!("http://{address}{}", place.path.unwrap_or_default());
        Ok(Self { place, url, folder: folder.to_owned(), _running: vec![process] })
    }
}

/// The reference server on a free port, and its URL.
fn reference(programs: &Programs, era: &str, folder: &Path) -> Result<(Running, String)> {
    let mut command = Command::new(&programs.reference);
    command.args(["--http", "127.0.0.1:0", "--era", era]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(File::create(folder.join("reference.log"))?);
    let mut process = Running(command.spawn().context("the reference server cannot be started")?);
    let mut line = String::new();
    if let Some(stdout) = process.0.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    match line.trim().strip_prefix("listening on ") {
        Some(url) => Ok((process, url.to_owned())),
        None => bail!("the reference server did not start: {line:?}"),
    }
}

/// The gateway on a free port, with one server behind it.
fn gateway(program: &Path, server: &Value, folder: &Path) -> Result<(Running, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    // JSON is YAML.
    let config = json!({
        "listen": address.to_string(),
        "state_dir": folder.join("state"),
        "federated": { "prefix": false },
        "servers": { "reference": server },
    });
    let file = folder.join("hostler.yaml");
    std::fs::write(&file, format!("{config:#}\n"))?;
    let log = File::create(folder.join("gateway.log"))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(&file).current_dir(folder).env("HOME", folder).env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME").env_remove("RUST_LOG");
    let mut process = Running(command.spawn().context("the gateway cannot be started")?);
    let began = Instant::now();
    while !is_ready(address) {
        if let Some(status) = process.0.try_wait()? {
            bail!("the gateway ended with {status}: see {}", folder.join("gateway.log").display());
        }
        if began.elapsed() > UNTIL_READY {
            bail!("the gateway was not ready within {} s", UNTIL_READY.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
    Ok((process, address))
}

fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(UNTIL_READY))?;
        write!(stream, "GET /ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut head = [0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut head)?;
        Ok(head == *b"HTTP/1.1 200")
    };
    asked().unwrap_or(false)
}

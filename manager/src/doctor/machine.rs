//! The machine: files and their rights, the port, limits, memory.
//!
//! Never changes anything: a port is bound for an instant, nothing is written.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use nix::{
    sys::resource::{Resource, getrlimit},
    unistd::{AccessFlags, access},
};
use plan::Plan;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use upstream::spec::Origin;

use crate::{Finding, Loaded, Surroundings};

/// How long whoever listens on the port already may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a server in Node.js or Python takes at least, by experience.
const SERVER_BYTES: u64 = 80 << 20;

/// Which file is used, and whether it keeps its secrets.
pub(super) fn configuration(surroundings: &Surroundings, loaded: &Loaded) -> Vec<Finding> {
    let subject = "configuration";
    let Some(file) = &loaded.file else {
        return vec![Finding::ok(subject, "there is no file, so the builtin defaults are used")];
    };
    let servers = loaded.plan.servers.len();
    let mut findings = vec![Finding::ok(subject, format!("{} is in order, with {servers} servers", file.display()))];
    let mode = surroundings.working_directory().join(file).metadata().map_or(0, |metadata| metadata.mode());
    if mode & 0o044 != 0 && !loaded.literal_secrets.is_empty() {
        let what = format!("others on this machine can read the secrets in it: {}", loaded.literal_secrets.join(", "));
        let remedy = format!("chmod 600 {}, or take them from `${{VARIABLE}}` or `${{file:...}}`", file.display());
        findings.push(Finding::warning(subject, what, remedy));
    }
    findings
}

/// Whether the listening address is free.
pub(super) async fn port(address: SocketAddr) -> Finding {
    let error = match TcpListener::bind(address).await {
        Ok(_) => return Finding::ok("port", format!("{address} is free")),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => match timeout(PATIENCE, ask(address)).await {
            Ok(Ok(Some(version))) => Finding::ok("port", format!("Hostler {version} listens on {address} already")),
            _ => {
                Finding::error("port", format!("{address} is in use by another program"), "stop it, or change `listen`")
            }
        },
        io::ErrorKind::PermissionDenied => Finding::error(
            "port",
            format!("{address} may not be used by this user"),
            "choose a port above 1023 in `listen`",
        ),
        io::ErrorKind::AddrNotAvailable => {
            Finding::error("port", format!("{address} is not an address of this machine"), "mend `listen`")
        }
        kind => Finding::error("port", format!("{address} cannot be used: {kind}"), "mend `listen`"),
    }
}

/// The version of the Hostler that listens on an address; none when it is something else.
async fn ask(address: SocketAddr) -> io::Result<Option<String>> {
    let reachable = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        std::net::IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let mut stream = TcpStream::connect((reachable, address.port())).await?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let body = answer.split_once("\r\n\r\n").and_then(|(_, body)| body.get(body.find('{')?..=body.rfind('}')?));
    let body: serde_json::Value = body.and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let ours = body["status"].is_string() && body["servers"].is_object();
    Ok(body["version"].as_str().filter(|_| ours).map(str::to_owned))
}

/// Whether state can be kept: the folder, or the nearest one above it that exists, may be written to.
pub(super) fn state_dir(folder: &Path) -> Finding {
    let shown = folder.display();
    match folder.ancestors().find(|folder| folder.exists()) {
        Some(there) if !there.is_dir() => {
            Finding::error("state", format!("{} is not a folder", there.display()), "mend `state_dir`")
        }
        Some(there) if access(there, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() => {
            Finding::ok("state", format!("{shown} can be written to"))
        }
        _ => Finding::error("state", format!("{shown} cannot be written to"), "change its rights, or set `state_dir`"),
    }
}

/// Whether enough files may be open at once. Hostler raises the soft limit itself.
pub(super) fn open_files(plan: &Plan) -> Option<Finding> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Some(enough_files(plan.files(cores), hard))
}

pub(super) fn enough_files(wanted: u64, allowed: u64) -> Finding {
    if allowed < wanted {
        let what = format!("only {allowed} may be open at once, and {wanted} may be needed");
        let remedy = "have the hard limit raised (`ulimit -Hn`), or lower `limits.connections`";
        return Finding::warning("open files", what, remedy);
    }
    Finding::ok("open files", format!("{allowed} may be open at once"))
}

/// Whether memory suffices for the processes. Only where the system tells what is available (Linux).
pub(super) fn memory(plan: &Plan) -> Option<Finding> {
    let processes = plan.servers.iter().filter(|spec| matches!(spec.origin, Origin::Process(_))).count() as u64;
    let available = available_memory(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(enough_memory(processes, available))
}

/// What a Linux kernel says is available, in bytes.
pub(super) fn available_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

pub(super) fn enough_memory(processes: u64, available: u64) -> Finding {
    let (mib, needed) = (available >> 20, processes * SERVER_BYTES);
    if needed > available {
        let what = format!("{processes} servers need about {} MiB, and {mib} MiB are available", needed >> 20);
        return Finding::warning(
            "memory",
            what,
            "switch some off with `enabled: false`, or lower `idle` and `instances`",
        );
    }
    Finding::ok("memory", format!("{mib} MiB are available for {processes} servers"))
}

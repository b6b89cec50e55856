//! Servers that a test itself runs over HTTP, for direct runs and as upstreams that the gateway did not start.
//!
//! Never leaves one behind: each ends with its value.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::net::TcpStream;

use crate::{Server, client::Place, server, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// A port that is free now. Another process may take it before it is used; then the test fails to start its server.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A running server.
#[derive(Debug)]
pub struct Spawned {
    server: Server,
    child: Child,
    port: u16,
    path: &'static str,
    transport: &'static str,
}

impl Spawned {
    /// server-everything on Streamable HTTP.
    pub async fn everything() -> Self {
        let port = free_port();
        Self::start(server::everything_as("streamableHttp").env("PORT", &port.to_string()), port, "/mcp", "http").await
    }

    /// server-everything on HTTP+SSE.
    pub async fn everything_sse() -> Self {
        let port = free_port();
        Self::start(server::everything_as("sse").env("PORT", &port.to_string()), port, "/sse", "sse").await
    }

    /// The server of both eras on Streamable HTTP.
    pub async fn both() -> Self {
        let port = free_port();
        Self::start(server::both_as(&["http", &port.to_string()]), port, "/mcp", "http").await
    }

    /// The server that asks at awkward moments, on Streamable HTTP; `mode` as it knows them.
    pub async fn contrary(log: &Path, mode: &str) -> Self {
        let port = free_port();
        Self::start(server::contrary_as(log, &["http", &port.to_string(), mode]), port, "/mcp", "http").await
    }

    async fn start(server: Server, port: u16, path: &'static str, transport: &'static str) -> Self {
        let child = launch(&server, None);
        let mut spawned = Self { server, child, port, path, transport };
        spawned.until_it_listens().await;
        spawned
    }

    /// Kills it and starts it again at the same address: it has forgotten all sessions.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = launch(&self.server, None);
        self.until_it_listens().await;
    }

    async fn until_it_listens(&mut self) {
        let address = self.address();
        wait::until("the server listens", PATIENCE, async || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended at once: {ended:?}", self.server.name);
            TcpStream::connect(address).await.ok()
        })
        .await;
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path)
    }

    /// As a client sees it.
    #[must_use]
    pub fn place(&self) -> Place {
        match self.transport {
            "sse" => Place::sse(&self.url()),
            _ => Place::http(&self.url()),
        }
    }

    /// As the gateway's configuration names it.
    #[must_use]
    pub fn server(&self, name: &str) -> Server {
        Server::remote(name, &self.url(), self.transport)
    }
}

/// Starts a server's process; its output goes to `log`, or nowhere.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn launch(server: &Server, log: Option<&Path>) -> Child {
    let sink =
        || log.map_or_else(Stdio::null, |path| File::options().create(true).append(true).open(path).unwrap().into());
    let [program, args @ ..] = server.command() else { panic!("{} is not a process", server.name) };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(sink()).stderr(sink());
    for (key, value) in server.environment() {
        command.env(key, value.as_str().expect("environment values are strings"));
    }
    command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"))
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

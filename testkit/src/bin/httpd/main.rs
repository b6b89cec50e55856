//! `httpd`: a fake MCP server over HTTP, in either era or both, cheap enough to be the upstream of a benchmark.
//!
//! One current-thread runtime for each core, each with its own listener. It counts what reaches it (`GET /stats`) and,
//! with `--record`, keeps the very bytes. Shares no code with the gateway.

mod app;
mod body;
mod calls;
mod connection;
mod fast;
mod io;
mod options;
mod post;
mod record;
mod session;
mod streams;

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    sync::Arc,
    thread,
};

use clap::Parser as _;
use socket2::{Domain, Socket, Type};

use crate::{app::App, options::Options};

/// Connections that the system may hold for each listener before they are accepted.
const BACKLOG: i32 = 4096;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "httpd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> std::io::Result<()> {
    let threads = match options.threads {
        0 => thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let first = bind(options.listen)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..threads {
        listeners.push(bind(address)?);
    }
    let path = options.path();
    let app = Arc::new(App::new(options));
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let app = Arc::clone(&app);
            thread::spawn(move || serve(listener, app))
        })
        .collect();
    writeln!(std::io::stdout(), "listening on http://{address}{path}")?;
    for thread in threads {
        thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")))?;
    }
    Ok(())
}

fn serve(listener: TcpListener, app: Arc<App>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        connection::accept(listener, app).await
    })
}

/// Several listeners share the address; the system spreads connections over them.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

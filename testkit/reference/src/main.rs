//! `reference`: a server on the official SDK, in either era or both, with all that the official conformance suite
//! looks at, over Streamable HTTP or stdio.
//!
//! It is what a server behind the gateway is compared with itself by: once direct, once through. Never part of what
//! is shipped, and shares no code with the gateway.

mod calls;
mod content;
mod era;
mod polling;
mod questions;
mod rounds;
mod server;
mod skills;
mod tasks;
mod tools;
mod watch;
mod web;

use std::{io::Write as _, net::SocketAddr, process::ExitCode};

use clap::Parser;

use crate::{
    era::Era,
    server::{Reference, Shared},
};

/// A server that offers all that the official conformance suite looks at.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Serve Streamable HTTP on this address, at `/mcp`; the first line printed is `listening on <url>`.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "stdio")]
    http: Option<SocketAddr>,
    /// Serve one client over standard input and output.
    #[arg(long, conflicts_with = "http")]
    stdio: bool,
    /// The revisions that are spoken.
    #[arg(long, value_enum, default_value = "dual")]
    era: Era,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(serve(options))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => told(error.as_ref()),
        Err(error) => told(&error),
    }
}

fn told(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "reference: {error}");
    ExitCode::FAILURE
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let shared = Shared::new(options.era);
    match options.http {
        Some(address) => Ok(web::serve(address, shared).await?),
        None => {
            let pipes = rmcp::transport::stdio();
            let running = rmcp::serve_server(Reference::new(shared), pipes).await?;
            running.waiting().await?;
            Ok(())
        }
    }
}

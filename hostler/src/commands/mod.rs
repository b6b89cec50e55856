//! The commands, a file each. Each does one thing, says what it did, and ends with a code that scripts can use.
//!
//! Never starts the gateway: `serve` is wired in `main`.

mod call;
mod check;
mod completions;
mod connect;
mod doctor;
mod export;
mod import;
mod logs;
mod schema;
mod status;
mod tools;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use manager::{Builtins, Loaded, Problem};

use crate::{
    cli::{Command, Global},
    demo,
    exit::{Exit, Usage},
    reach::Gateway,
    term::Term,
};

/// Carries out a command.
///
/// # Errors
/// When it cannot be carried out; [`Exit::of`] tells the code.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    let term = Term::new(global.json, global.color);
    let gateway = || Gateway::new(&address(global));
    match command {
        Command::Connect(args) => connect::run(&args, gateway()?).await,
        Command::Status(args) => status::run(&args, &gateway()?, term).await,
        Command::Tools(args) => tools::run(&args, &gateway()?, term).await,
        Command::Call(args) => call::run(args, &gateway()?, term).await,
        Command::Logs(args) => logs::run(&args, &gateway()?, term).await,
        Command::Completions(args) => completions::run(&args),
        Command::Check(args) => check::run(&args, global, term),
        Command::Schema => schema::run(term),
        Command::Doctor => doctor::run(global, term).await,
        Command::Import(args) => import::run(&args, global, term),
        Command::Export(args) => export::run(&args, global, term),
        Command::Serve(_) => Err(Usage("`serve` is not asked for here".to_owned()).into()),
    }
}

/// Where the gateway is: as told, else as configured, else where it is without a configuration.
fn address(global: &Global) -> String {
    global.url.clone().unwrap_or_else(|| format!("http://{}", reachable(listening(global))))
}

/// Where the gateway listens by the configuration. One that is not accepted decides nothing.
fn listening(global: &Global) -> SocketAddr {
    let file = manager::find(global.config.as_deref()).unwrap_or_default();
    let configured = manager::load(file.as_deref(), &builtins()).or_else(|_| manager::load(None, &builtins()));
    configured.map_or(FALLBACK, |loaded| loaded.plan.listen.address)
}

/// Where the gateway listens when nothing is said.
const FALLBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7400);

/// An address to connect to, for one to listen on: who listens everywhere is here too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// The servers inside this program, by the names that the configuration uses.
pub fn builtins() -> Builtins {
    [(demo::NAME.to_owned(), demo::builtin())].into()
}

/// The configuration that `--config` names, or the one found, or the default. What is odd about it is told.
///
/// # Errors
/// All that is wrong with it.
pub fn loaded(global: &Global, term: Term) -> Result<Loaded, Usage> {
    let told = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let file = manager::find(global.config.as_deref()).map_err(|problem| Usage(problem.to_string()))?;
    let loaded = manager::load(file.as_deref(), &builtins()).map_err(|problems| Usage(told(&problems)))?;
    if !loaded.warnings.is_empty() {
        term.note(&told(&loaded.warnings));
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_gateway_that_listens_everywhere_is_reached_here() {
        for (listens, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("127.0.0.1:3", "127.0.0.1:3"),
            ("192.0.2.1:4", "192.0.2.1:4"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), reached);
        }
    }
}

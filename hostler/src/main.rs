//! Hostler: many MCP servers behind one endpoint. This file parses the command line and hands over.
//!
//! Never does a command's work itself: see `commands` for those that ask or prepare, `serve` for the gateway.

mod api;
mod bridge;
mod cli;
mod client;
mod clock;
mod commands;
mod demo;
mod exit;
mod gauges;
mod lines;
mod log;
mod near;
mod reach;
mod serve;
mod term;
mod welcome;

use std::{io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::runtime::Builder;
use upstream::process;

use cli::{Cli, Command, Global, Serve};
use exit::{Exit, is_broken_pipe};
use term::Term;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = process::run_if_keeper() {
        return code;
    }
    let cli = Cli::parse();
    // Fails only if it was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let term = Term::new(cli.global.json, cli.global.color);
    let done = match cli.command.unwrap_or_else(|| Command::Serve(Serve::default())) {
        Command::Serve(args) => serve(&args, &cli.global),
        command => ask(command, &cli.global),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => Exit::Ok.into(),
        Err(error) => {
            term.error(&format!("{error:#}"));
            Exit::of(&error).into()
        }
    }
}

/// Runs a command that asks or prepares, on this thread.
fn ask(command: Command, global: &Global) -> Result<Exit> {
    let runtime = Builder::new_current_thread().enable_all().build().context("the runtime could not be started")?;
    let done = runtime.block_on(commands::run(command, global));
    // Standard input may still be waited for; nobody waits for that.
    runtime.shutdown_background();
    done
}

/// Runs the gateway.
fn serve(args: &Serve, global: &Global) -> Result<Exit> {
    let loaded = commands::loaded(global, Term::new(global.json, global.color))?;
    let mut plan = loaded.plan.clone();
    if let Some(address) = args.listen {
        plan.listen.address = address;
    }
    let mut log = log::start(&plan.log);
    serve::allow_files(&plan);
    let control = serve::control_runtime()?;
    let running = serve::start(&control, plan)?;
    let greeting = welcome::text(&running.gateway.plan.load(), loaded.file.as_deref());
    // Nobody may be reading; that is no reason not to serve.
    let _ = std::io::stdout().write_all(greeting.as_bytes());
    let reload = control.block_on(async { manager::Reload::start(loaded, commands::builtins()) });
    serve::until_asked(&control, running, &reload, &mut log)?;
    Ok(Exit::Ok)
}

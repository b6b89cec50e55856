//! `hostler completions`: the completion script of a shell, on standard output.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::CommandFactory as _;

use crate::{
    cli::{Cli, Completions},
    exit::Exit,
};

/// Writes the script.
pub fn run(args: &Completions) -> Result<Exit> {
    // Made in memory first: writing straight to a closed pipe would be a panic in there.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), ground::PRODUCT, &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Ok)
}

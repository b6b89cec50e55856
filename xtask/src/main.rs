//! The house's own commands: `cargo xtask tidy | floors | test | conformance | services | bench | fuzz`.
//!
//! Never part of what is shipped, never writes into the tree (only below `target/`), and never
//! changes a source file: a broken rule is told, and mended by hand.
#![allow(clippy::print_stdout, reason = "these commands talk to a person at a terminal")]
#![allow(clippy::disallowed_methods, reason = "steps are timed, and downloads wait, by the machine's own clock")]

mod bench;
mod conformance;
mod floors;
mod fuzz;
mod ledger;
mod services;
mod shell;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask <command>

  test [--quick | --e2e-only] [--require-all]
                 everything that must hold: format, tidy, floors, clippy, tests, end to end
                 --quick        without the end-to-end suites
                 --e2e-only     only the end-to-end suites
                 --require-all  a suite that cannot run here is a failure
  tidy           the style rules, over every file of the tree
  floors         who may depend on whom
  conformance [--cross] [--place <name>] [--scenario <name>]
                 the official suites against the reference server, direct and through the gateway:
                 every row must be the same; and the suites' own servers before an official client
                 --cross        only suites of one era, servers of the other
                 --place        only http, stdio, federated or client
                 --scenario     only this scenario
  services       what the end-to-end suites need, set up below target/e2e
  bench <name> [arguments]
                 one benchmark of benches/, built with the profile that is shipped
  fuzz [--seconds <n>]
                 every target of fuzz/ for so long (60), from its seeds on";

fn main() -> ExitCode {
    match command() {
        Ok(code) => code,
        Err(error) => {
            println!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = tree::root()?;
    match words.as_slice() {
        ["test", flags @ ..] => return test::run(&root, &test::Wish::parse(flags)?),
        ["tidy"] => tidy::run(&root)?,
        ["conformance", flags @ ..] => conformance::run(&root, &conformance::Wish::parse(flags)?)?,
        // Not a person's command: the suite starts it.
        [conformance::CLIENT, url] => return conformance::play(url),
        ["floors"] => floors::run(&root)?,
        ["services"] => services::run(&root)?,
        ["bench", name, arguments @ ..] => bench::run(&root, name, arguments)?,
        ["fuzz", flags @ ..] => fuzz::run(&root, flags)?,
        [] | ["help" | "--help" | "-h"] => println!("{USAGE}"),
        other => bail!("no such command: {}\n\n{USAGE}", other.join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}

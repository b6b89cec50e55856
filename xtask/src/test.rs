//! `cargo xtask test`: everything that must hold, each step announced, all of it summed up.
//!
//! Never stops at the first failure, and never passes in silence over what it could not run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::ledger::Ledger;
use crate::services::{self, Services};
use crate::tree::TextFile;
use crate::{conformance, floors, shell, tidy, tree};

/// What part of it is wanted.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    quick: bool,
    e2e_only: bool,
    require_all: bool,
}

impl Wish {
    pub fn parse(flags: &[&str]) -> Result<Self> {
        let mut wish = Self::default();
        for flag in flags {
            match *flag {
                "--quick" => wish.quick = true,
                "--e2e-only" => wish.e2e_only = true,
                "--require-all" => wish.require_all = true,
                other => bail!("test has no {other}: it takes --quick, --e2e-only, --require-all"),
            }
        }
        if wish.quick && wish.e2e_only {
            bail!("--quick leaves the end-to-end suites out, --e2e-only runs nothing else: choose one");
        }
        Ok(wish)
    }
}

/// Runs what is wanted, and prints what ran.
pub fn run(root: &Path, wish: &Wish) -> Result<ExitCode> {
    let mut ledger = Ledger::open();
    let runner = Runner::of_this_machine(root);
    if !wish.e2e_only {
        house(root, &runner, &mut ledger);
    }
    if !wish.quick {
        end_to_end(root, &runner, &mut ledger)?;
    }
    Ok(ledger.close(wish.require_all))
}

/// The program that runs the tests.
enum Runner {
    Nextest,
    CargoTest,
}

impl Runner {
    fn of_this_machine(root: &Path) -> Self {
        let nextest = shell::succeeds(shell::cargo(root).args(["nextest", "--version"]));
        if nextest { Self::Nextest } else { Self::CargoTest }
    }

    /// All tests but the end-to-end suites and the doc tests. The whole workspace is selected each
    /// time, so that all steps resolve the same features and share what is built.
    fn unit(&self, root: &Path) -> Command {
        let mut cargo = shell::cargo(root);
        match self {
            Self::Nextest => {
                cargo.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]);
                cargo.args(["-E", "not package(e2e)"]);
            }
            Self::CargoTest => {
                cargo.args(["test", "--workspace", "--no-fail-fast", "--exclude", "e2e", "--lib", "--bins", "--tests"]);
            }
        }
        cargo
    }

    fn suite(&self, root: &Path, name: &str) -> Command {
        let mut cargo = shell::cargo(root);
        match self {
            Self::Nextest => cargo.args(["nextest", "run", "--workspace", "--no-fail-fast", "--test", name]),
            Self::CargoTest => cargo.args(["test", "--workspace", "--no-fail-fast", "--test", name]),
        };
        cargo
    }
}

fn house(root: &Path, runner: &Runner, ledger: &mut Ledger) {
    let cargo = |arguments: &[&str]| shell::run(shell::cargo(root).args(arguments));
    ledger.step("format", || cargo(&["fmt", "--all", "--check"]));
    ledger.step("tidy", || tidy::run(root));
    ledger.step("floors", || floors::run(root));
    ledger.step("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    ledger.step("tests", || shell::run(&mut runner.unit(root)));
    match tree::text_files(root).map(|files| crates_with_doc_tests(&files)) {
        Ok(crates) if crates.is_empty() => ledger.leave_out("doc tests", "there are none"),
        Ok(crates) => ledger.step("doc tests", || {
            let chosen = crates.iter().flat_map(|name| ["--package", name]);
            shell::run(shell::cargo(root).args(["test", "--doc"]).args(chosen))
        }),
        Err(error) => ledger.step("doc tests", || Err(error)),
    }
    if shell::succeeds(shell::cargo(root).args(["deny", "--version"])) {
        ledger.step("deny", || cargo(&["deny", "check", "bans", "licenses", "sources"]));
    } else {
        ledger.leave_out("deny", "cargo-deny is not installed");
    }
}

/// Libraries (named by their folder) whose documentation holds an example that is compiled.
fn crates_with_doc_tests(files: &[TextFile]) -> BTreeSet<String> {
    let holds = |file: &&TextFile| {
        let rust = ["", "rust", "no_run", "should_panic", "compile_fail"];
        let mut open = false;
        file.text.lines().map(str::trim_start).any(|line| {
            let Some(doc) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { return false };
            let Some(label) = doc.trim().strip_prefix("```") else { return false };
            open = !open;
            open && rust.contains(&label.split(',').next().unwrap_or_default())
        })
    };
    let sources = files.iter().filter(|file| file.path.contains("/src/") && file.path.ends_with(".rs"));
    let folders = sources.filter(holds).filter_map(|file| file.path.split('/').next());
    let library = |folder: &&str| files.iter().any(|file| file.path == format!("{folder}/src/lib.rs"));
    folders.filter(library).map(str::to_owned).collect()
}

fn end_to_end(root: &Path, runner: &Runner, ledger: &mut Ledger) -> Result<()> {
    let suites = suites(&floors::metadata(root)?);
    if suites.is_empty() {
        ledger.skip("e2e", "e2e/ has no suites");
        return Ok(());
    }
    println!("\n== services");
    let services = Services::prepare(root);
    services.tell();
    ledger.step("build", || shell::run(shell::cargo(root).args(services::BUILD)));
    let chosen = std::env::var_os("HOSTLER_E2E_BIN").map(PathBuf::from);
    let binary = chosen.unwrap_or_else(|| services::built(root, "debug", "hostler"));
    for Suite { name, needs } in suites {
        let row = format!("e2e {name}");
        if let Some(why) = needs.iter().find_map(|need| services.missing(need)) {
            ledger.skip(&row, &why);
            continue;
        }
        let mut cargo = runner.suite(root, &name);
        cargo.env("HOSTLER_E2E_BIN", &binary).envs(services.variables());
        ledger.step(&row, || shell::run(&mut cargo));
    }
    match services.missing("node") {
        Some(why) => ledger.skip("conformance", &why),
        None => {
            let all = conformance::Wish::default();
            ledger.step("conformance", || conformance::compare(root, &services, &binary, &all));
        }
    }
    Ok(())
}

/// An end-to-end suite: a test target of the crate `e2e`, and what must be there for it to run.
struct Suite {
    name: String,
    needs: Vec<String>,
}

/// The suites, with their needs from `[package.metadata.suites]` of e2e/Cargo.toml.
fn suites(metadata: &Value) -> Vec<Suite> {
    let none = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&none);
    let Some(e2e) = packages.iter().find(|package| package["name"] == "e2e") else { return Vec::new() };
    let targets = e2e["targets"].as_array().unwrap_or(&none);
    let tests = targets.iter().filter(|target| target["kind"][0] == "test");
    let suite = |target: &Value| {
        let name = target["name"].as_str()?.to_owned();
        let needs = e2e["metadata"]["suites"][&name].as_array().unwrap_or(&none);
        Some(Suite { needs: needs.iter().filter_map(|need| need.as_str().map(str::to_owned)).collect(), name })
    };
    tests.filter_map(suite).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn flags_that_contradict_or_do_not_exist_are_refused() {
        assert_eq!(Wish::parse(&["--require-all"]).unwrap(), Wish { require_all: true, ..Wish::default() });
        assert!(Wish::parse(&["--quick", "--e2e-only"]).unwrap_err().to_string().contains("choose one"));
        assert!(Wish::parse(&["--fast"]).unwrap_err().to_string().contains("--fast"));
    }

    #[test]
    fn a_suite_needs_what_its_manifest_says() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "wire", "targets": [{ "name": "vectors", "kind": ["test"] }] },
            {
                "name": "e2e",
                "targets": [
                    { "name": "e2e", "kind": ["lib"] },
                    { "name": "first_minute", "kind": ["test"] },
                    { "name": "clients", "kind": ["test"] },
                ],
                "metadata": { "suites": { "clients": ["node", "python"] } },
            },
        ]});
        let told: Vec<(String, usize)> = suites(&metadata).into_iter().map(|s| (s.name, s.needs.len())).collect();
        assert_eq!(told, [("first_minute".to_owned(), 0), ("clients".to_owned(), 2)]);
    }

    #[test]
    fn only_examples_in_rust_are_doc_tests() {
        let file = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
        let files = [
            file("wire/src/lib.rs", "//! ```text\n//! a\n//! ```\n/// ```json\n/// {}\n/// ```\n"),
            file("ground/src/lib.rs", "/// ```\n/// let a = 1;\n/// ```\n"),
            file("plan/src/lib.rs", "    /// ```no_run\n    /// ```\n"),
            file("store/src/lib.rs", "let text = \"```\";\n"),
            file("hostler/src/main.rs", "//! ```\n//! ```\n"),
        ];
        assert_eq!(crates_with_doc_tests(&files).into_iter().collect::<Vec<_>>(), ["ground", "plan"]);
    }
}

//! `cargo xtask floors`: crates stand on floors, and depend only on lower ones.
//!
//! Never reads a source file: what cargo says about the manifests is the whole input.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// Where a crate stands.
enum Place {
    /// In the house: depends only on lower floors.
    Floor(u8),
    /// Beside the house: may see all of it, and is seen only by those named.
    Side(Seen),
}

/// Who may depend on a crate beside the house.
enum Seen {
    Nobody,
    /// Anybody, for tests alone.
    ByTests,
    /// The binary, tests, and other crates beside the house.
    ByTheBinary,
}

/// Every crate that exists or is designed. A crate that is not here cannot be built.
const PLACES: [(&str, Place); 20] = [
    ("hostler", Place::Floor(7)),
    ("admin", Place::Floor(6)),
    ("gateway", Place::Floor(5)),
    ("manager", Place::Floor(5)),
    ("plan", Place::Floor(4)),
    ("cache", Place::Floor(3)),
    ("policy", Place::Floor(3)),
    ("upstream", Place::Floor(3)),
    ("wire", Place::Floor(2)),
    ("traffic", Place::Floor(2)),
    ("store", Place::Floor(2)),
    ("insight", Place::Floor(2)),
    ("ground", Place::Floor(1)),
    ("sdk", Place::Side(Seen::ByTests)),
    ("bench", Place::Side(Seen::ByTheBinary)),
    ("testkit", Place::Side(Seen::ByTests)),
    ("reference", Place::Side(Seen::Nobody)),
    ("e2e", Place::Side(Seen::Nobody)),
    ("benches", Place::Side(Seen::Nobody)),
    ("xtask", Place::Side(Seen::Nobody)),
];

/// Libraries that have one home: the library (and all that extend its name), and the crates that may use it.
const HOMES: [(&str, &[&str]); 4] = [
    ("sqlx", &["store"]),
    ("redis", &["store"]),
    ("axum", &["admin"]),
    ("anyhow", &["hostler", "xtask", "e2e", "benches"]),
];

/// Crates of pure functions, and the libraries of input and output that they never use outside tests.
const PURE: [&str; 3] = ["wire", "traffic", "insight"];
const IMPURE: [&str; 6] = ["tokio", "hyper", "nix", "mio", "socket2", "reqwest"];

/// A crate of the workspace, as its manifest declares it.
struct Member {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// Declared for tests alone.
    dev: bool,
}

/// Checks the workspace; prints every broken rule.
pub fn run(root: &Path) -> Result<()> {
    let members = members(&metadata(root)?)?;
    let broken = broken(&members);
    for rule in &broken {
        println!("{rule}");
    }
    if !broken.is_empty() {
        bail!("{} broken rules in {} crates", broken.len(), members.len());
    }
    println!("floors: {} crates, each on its floor", members.len());
    Ok(())
}

/// What cargo knows about the workspace's own crates. Needs no network.
pub fn metadata(root: &Path) -> Result<Value> {
    let printed = shell::output(shell::cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&printed).context("cargo metadata is not JSON")
}

fn members(metadata: &Value) -> Result<Vec<Member>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages.iter().map(member).collect()
}

fn member(package: &Value) -> Result<Member> {
    let name = package["name"].as_str().context("a package without a name")?.to_owned();
    let listed = package["dependencies"].as_array().context("a package without a list of dependencies")?;
    let dependency = |entry: &Value| {
        let name = entry["name"].as_str().context("a dependency without a name")?.to_owned();
        Ok(Dependency { name, dev: entry["kind"] == "dev" })
    };
    Ok(Member { name, dependencies: listed.iter().map(dependency).collect::<Result<_>>()? })
}

fn broken(members: &[Member]) -> Vec<String> {
    let mut broken = Vec::new();
    for member in members {
        let Some(place) = place(&member.name) else {
            let name = &member.name;
            broken.push(format!("{name}: not in the table of floors; add it there and to ARCHITECTURE.md"));
            continue;
        };
        for dependency in &member.dependencies {
            broken.extend(upwards(member, place, dependency));
            broken.extend(away_from_home(member, dependency));
            broken.extend(impure(member, dependency));
        }
    }
    broken
}

fn place(name: &str) -> Option<&'static Place> {
    PLACES.iter().find(|(known, _)| *known == name).map(|(_, place)| place)
}

/// A dependency on another crate of the workspace that the floors do not allow.
fn upwards(member: &Member, from: &Place, dependency: &Dependency) -> Option<String> {
    let (user, used) = (&member.name, &dependency.name);
    match (from, place(used)?) {
        (Place::Floor(above), Place::Floor(below)) if below >= above && !dependency.dev => {
            Some(format!("{user} (floor {above}) depends on {used} (floor {below}): only lower floors are in sight"))
        }
        (Place::Floor(_) | Place::Side(_), Place::Floor(_)) => None,
        (_, Place::Side(Seen::Nobody)) => Some(format!("{user} depends on {used}, which nobody depends on")),
        (Place::Floor(_), Place::Side(Seen::ByTests)) if !dependency.dev => {
            Some(format!("{user} depends on {used} outside its tests: make it a dev-dependency"))
        }
        (Place::Floor(_), Place::Side(Seen::ByTheBinary)) if !dependency.dev && user != "hostler" => {
            Some(format!("{user} depends on {used}: outside tests only hostler may"))
        }
        (_, Place::Side(_)) => None,
    }
}

/// A library used outside the crate that is its home. Tests count too: who tests through it, depends on it.
fn away_from_home(member: &Member, dependency: &Dependency) -> Option<String> {
    let (library, homes) = HOMES.iter().find(|(library, _)| is_family(&dependency.name, library))?;
    let told = || format!("{} depends on {}: {library} is used in {} only", member.name, dependency.name, homes[0]);
    (!homes.contains(&member.name.as_str())).then(told)
}

/// A library of input and output in a crate of pure functions.
fn impure(member: &Member, dependency: &Dependency) -> Option<String> {
    let pure = PURE.contains(&member.name.as_str()) && !dependency.dev;
    let broken = pure && IMPURE.iter().any(|library| is_family(&dependency.name, library));
    broken.then(|| format!("{} depends on {}: it does no I/O outside its tests", member.name, dependency.name))
}

fn is_family(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    /// `"wire: ground, dev tokio"`.
    fn broken_in(lines: &[&str]) -> Vec<String> {
        let dependency = |word: &str| {
            let (kind, name) = word.split_once(' ').unwrap_or(("normal", word));
            serde_json::json!({ "name": name, "kind": if kind == "normal" { Value::Null } else { kind.into() } })
        };
        let package = |line: &&str| {
            let (name, rest) = line.split_once(": ").unwrap_or((line, ""));
            let listed: Vec<Value> = rest.split(", ").filter(|word| !word.is_empty()).map(dependency).collect();
            serde_json::json!({ "name": name, "dependencies": listed })
        };
        let packages: Vec<Value> = lines.iter().map(package).collect();
        broken(&members(&serde_json::json!({ "packages": packages })).unwrap())
    }

    fn assert_one(line: &str, part: &str) {
        let broken = broken_in(&[line]);
        assert!(matches!(broken.as_slice(), [only] if only.contains(part)), "{line}: {broken:?}");
    }

    #[test]
    fn a_house_that_keeps_the_rules_passes() {
        let house = [
            "ground: thiserror",
            "wire: ground, bytes, dev tokio, dev testkit",
            "store: ground, sqlx, redis, tokio",
            "upstream: ground, wire, tokio, hyper, dev gateway",
            "admin: gateway, manager, plan, axum",
            "hostler: admin, bench, anyhow, clap, build ground",
            "testkit: wire, tokio",
            "benches: hostler, bench, testkit, anyhow",
            "xtask: anyhow",
        ];
        assert_eq!(broken_in(&house), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_upwards_or_on_the_same_floor_is_broken() {
        assert_one("wire: upstream", "wire (floor 2) depends on upstream (floor 3)");
        assert_one("gateway: manager", "gateway (floor 5) depends on manager (floor 5)");
        assert_one("ground: build wire", "ground (floor 1) depends on wire (floor 2)");
        assert_one("plan: plan", "only lower floors");
    }

    #[test]
    fn crates_beside_the_house_are_seen_only_by_those_who_may() {
        assert_one("gateway: testkit", "make it a dev-dependency");
        assert_one("hostler: sdk", "make it a dev-dependency");
        assert_one("gateway: bench", "only hostler may");
        assert_one("hostler: dev xtask", "nobody depends on");
        assert_one("benches: e2e", "nobody depends on");
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_broken() {
        assert_one("common: serde", "common: not in the table");
    }

    #[test]
    fn a_library_stays_in_its_home() {
        assert_one("admin: sqlx", "used in store only");
        assert_one("gateway: redis", "used in store only");
        assert_one("gateway: dev axum", "used in admin only");
        assert_one("gateway: axum-extra", "axum is used in admin only");
        assert_one("plan: anyhow", "used in hostler only");
    }

    #[test]
    fn a_pure_crate_does_no_input_or_output() {
        assert_one("wire: tokio", "does no I/O");
        assert_one("traffic: hyper-util", "does no I/O");
        assert_one("insight: nix", "does no I/O");
    }

    #[test]
    fn metadata_without_packages_is_an_error_and_not_a_pass() {
        assert!(members(&serde_json::json!({})).is_err());
    }
}

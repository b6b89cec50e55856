//! The tests' own Hostler: a keeper when started as one, otherwise a program that starts servers to order.
//!
//! Never part of what is shipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::{collections::BTreeMap, fs, process::ExitCode, sync::Arc, time::Duration};

use ground::ServerName;
use tokio::time::timeout;
use upstream::{
    process::{self, StderrRing},
    spec::ProcessSpec,
};

fn main() -> ExitCode {
    if let Some(code) = process::run_if_keeper() {
        return code;
    }
    process::become_subreaper();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["own", mark, scripts @ ..] => runtime.block_on(own(mark, scripts)),
        ["cycle", mark, rounds] => runtime.block_on(cycle(mark, rounds.parse().unwrap())),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn script(mark: &str, text: &str) -> ProcessSpec {
    ProcessSpec {
        command: "sh".into(),
        args: vec!["-c".into(), text.into()],
        env: BTreeMap::from([("TEST_MARK".to_owned(), mark.to_owned())]),
        cwd: None,
    }
}

/// Starts a server for each script, says so, and waits to be killed.
async fn own(mark: &str, scripts: &[&str]) {
    let name = ServerName::new("owned").unwrap();
    let mut kept = Vec::new();
    for text in scripts {
        kept.push(process::spawn(&script(mark, text), &name, Arc::new(StderrRing::new())).await.unwrap());
    }
    println!("ready");
    std::future::pending::<()>().await;
}

/// Starts and ends servers in every way there is, then says what is left: descriptors before and after, children, and
/// the number of refused starts.
async fn cycle(mark: &str, rounds: usize) {
    let name = ServerName::new("cycled").unwrap();
    let mut refused = 0;
    for number in 1..=5 {
        refused += usize::from(!round(&name, mark, number).await);
    }
    let before = descriptors();
    for number in 1..=rounds {
        refused += usize::from(!round(&name, mark, number).await);
    }
    // A tree dropped unstopped ends in the background.
    let settled = async {
        while descriptors() > before || children() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(Duration::from_secs(20), settled).await;
    println!("{before} {} {} {refused}", descriptors(), children());
}

/// One start and its end. Says whether it started.
async fn round(name: &ServerName, mark: &str, number: usize) -> bool {
    let ring = Arc::new(StderrRing::new());
    let text = match number % 5 {
        0 => "cat",
        1 => "echo gone >&2; exit 3",
        2 => "trap '' TERM; sleep 1000",
        3 => "(setsid sleep 1000 &) ; exec sleep 1000",
        _ => "sleep 1000 & cat",
    };
    let spec = script(mark, text);
    let starting = process::spawn(&spec, name, ring);
    if number % 10 == 5 {
        // Given up half-way, after anything between nothing and all of a start.
        let _ = timeout(Duration::from_micros(u64::try_from(number).unwrap() * 50), starting).await;
        return true;
    }
    let Ok(process::Running { stdin, stdout, mut handle, .. }) = starting.await else { return false };
    drop((stdin, stdout));
    if number % 10 != 3 {
        handle.stop(Duration::from_millis(20)).await;
    }
    true
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn children() -> usize {
    let own = std::process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(')').next().unwrap().split_ascii_whitespace().nth(1) == Some(&own)).count()
}

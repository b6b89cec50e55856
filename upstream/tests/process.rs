//! Server processes with real programs: nothing of a tree outlives its end, whoever dies first.
//!
//! The programs are small shell scripts. Whatever belongs to a test bears the test's own mark in its environment, by
//! which it is found anywhere on the machine. Linux only: `/proc` is the witness.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use ground::{Failure, Kind, Retry, ServerName};
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{io::AsyncReadExt as _, time::Instant};
use upstream::{
    process::{self, Exit, Running, StderrRing},
    spec::ProcessSpec,
};

const STAND_IN: &str = env!("CARGO_BIN_EXE_stand-in");
const GRACE: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

/// One test's own server scripts, mark and folder.
struct Bench {
    mark: String,
    folder: PathBuf,
    ring: Arc<StderrRing>,
}

impl Bench {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        process::set_keeper_program(STAND_IN.into());
        process::become_subreaper();
        let mark = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("hostler-process-{mark}"));
        fs::create_dir_all(&folder).unwrap();
        Self { mark, folder, ring: Arc::new(StderrRing::new()) }
    }

    fn spec(&self, command: &str, args: &[&str]) -> ProcessSpec {
        ProcessSpec {
            command: command.into(),
            args: args.iter().map(ToString::to_string).collect(),
            env: BTreeMap::from([("TEST_MARK".to_owned(), self.mark.clone())]),
            cwd: Some(self.folder.clone()),
        }
    }

    async fn try_spawn(&self, spec: &ProcessSpec) -> Result<Running, Failure> {
        process::spawn(spec, &ServerName::new("tested").unwrap(), self.ring.clone()).await
    }

    /// Runs a script whose working directory is the test's folder.
    async fn sh(&self, script: &str) -> Running {
        self.try_spawn(&self.spec("sh", &["-c", script])).await.unwrap()
    }

    async fn refusal(&self, spec: &ProcessSpec) -> Failure {
        self.try_spawn(spec).await.expect_err("it started")
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// Living processes anywhere that bear the mark.
    fn alive(&self) -> Vec<i32> {
        bearers(&format!("TEST_MARK={}", self.mark))
    }

    async fn count_becomes(&self, count: usize) {
        until(&format!("{count} processes"), || self.alive().len() == count).await;
    }

    async fn all_gone(&self) {
        self.count_becomes(0).await;
        until("no zombies", || zombies_of(std::process::id().cast_signed()).is_empty()).await;
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for pid in self.alive() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something holds, looking often, and not forever.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "not within {LONG:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

fn pids() -> Vec<i32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

fn bearers(entry: &str) -> Vec<i32> {
    let bears = |pid: &i32| {
        let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        env.split(|b| *b == 0).any(|e| e == entry.as_bytes())
    };
    pids().into_iter().filter(bears).collect()
}

/// State and parent.
fn stat(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_ascii_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn children_of(pid: i32) -> Vec<i32> {
    pids().into_iter().filter(|p| stat(*p).is_some_and(|(_, parent)| parent == pid)).collect()
}

fn zombies_of(parent: i32) -> Vec<i32> {
    pids().into_iter().filter(|pid| stat(*pid) == Some(("Z".to_owned(), parent))).collect()
}

/// Whether it runs the stand-in's program: a keeper, or one about to be.
fn is_stand_in(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(STAND_IN))
}

fn keeper_of(running: &Running) -> i32 {
    let (_, parent) = stat(running.pid.cast_signed()).unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{parent}/comm")).unwrap().trim(), "hostler-keeper");
    parent
}

async fn stdout_of(running: &mut Running) -> String {
    let mut text = String::new();
    soon(running.stdout.read_to_string(&mut text)).await.unwrap();
    text
}

/// Trees that are hard to fell: script and number of processes.
const TREES: &[(&str, usize)] = &[
    ("sleep 1000 & exec sleep 1000", 2),
    ("sh -c 'sleep 1000 & sleep 1000; :' & exec sleep 1000", 4),
    // A daemon: in a session of its own, its parent gone, its streams elsewhere.
    ("(setsid sh -c 'sleep 1000 & sleep 1000; :' </dev/null >/dev/null 2>&1 &) ; exec sleep 1000", 4),
    ("trap '' TERM HUP INT; (trap '' TERM; setsid sleep 1000 &) ; sleep 1000 & while :; do wait; done", 3),
];

#[tokio::test]
async fn a_stop_closes_stdin_then_terminates_then_kills() {
    let bench = Bench::new();
    let mut running = bench
        .sh("trap 'echo term >>order' TERM; echo up >>order; cat >/dev/null; echo eof >>order; \
             while :; do sleep 1000 & wait; done")
        .await;
    until("it runs", || bench.file("order") == "up\n").await;
    drop(running.stdin);
    until("it sees the end of stdin", || bench.file("order").contains("eof")).await;
    let exit = soon(running.handle.stop(GRACE)).await;
    assert_eq!((exit, bench.file("order").as_str()), (Exit::Signal(9), "up\neof\nterm\n"));
    bench.all_gone().await;
}

#[tokio::test]
async fn a_server_that_ends_when_asked_is_not_signalled() {
    let bench = Bench::new();
    let running = bench.sh("trap 'echo term >>order' TERM; cat; echo bye >&2; exit 7").await;
    let Running { stdin, mut handle, .. } = running;
    drop(stdin);
    assert_eq!(soon(handle.stop(LONG)).await, Exit::Code(7));
    assert_eq!(bench.file("order"), "");
    assert_eq!(bench.ring.tail(1)[0].text.as_ref(), "bye", "its last words are there when it is known to be gone");
    assert_eq!(handle.exited().await, Exit::Code(7), "an end is told as often as it is asked for");
    bench.all_gone().await;
}

#[tokio::test]
async fn a_server_that_heeds_sigterm_gets_it_once_and_ends_by_itself() {
    let bench = Bench::new();
    let mut running =
        bench.sh("trap 'echo term >>order; exit 0' TERM; echo up >>order; while :; do sleep 0.01; done").await;
    until("it runs", || bench.file("order") == "up\n").await;
    let begun = Instant::now();
    assert_eq!(soon(running.handle.stop(Duration::from_secs(2))).await, Exit::Code(0));
    assert!(begun.elapsed() < Duration::from_secs(4), "it was waited for although gone");
    assert_eq!(bench.file("order"), "up\nterm\n");
    bench.all_gone().await;
}

#[tokio::test]
async fn no_tree_outlives_a_stop() {
    for (script, count) in TREES {
        let bench = Bench::new();
        let mut running = bench.sh(script).await;
        bench.count_becomes(*count).await;
        soon(running.handle.stop(GRACE)).await;
        assert_eq!(bench.alive(), [] as [i32; 0], "when stop returns, nothing is left of: {script}");
        bench.all_gone().await;
    }
}

#[tokio::test]
async fn no_tree_outlives_its_handle() {
    for (script, count) in TREES {
        let bench = Bench::new();
        let running = bench.sh(script).await;
        bench.count_becomes(*count).await;
        drop(running);
        bench.all_gone().await;
    }
}

#[tokio::test]
async fn no_tree_outlives_its_server() {
    for (script, count) in TREES {
        let bench = Bench::new();
        let mut running = bench.sh(script).await;
        bench.count_becomes(*count).await;
        kill(Pid::from_raw(running.pid.cast_signed()), Signal::SIGKILL).unwrap();
        assert_eq!(soon(running.handle.exited()).await, Exit::Signal(9));
        assert_eq!(bench.alive(), [] as [i32; 0], "when the end is known, nothing is left of: {script}");
        bench.all_gone().await;
    }
}

#[tokio::test]
async fn no_tree_outlives_a_killed_keeper() {
    for (script, count) in TREES {
        let bench = Bench::new();
        let mut running = bench.sh(script).await;
        bench.count_becomes(*count).await;
        kill(Pid::from_raw(keeper_of(&running)), Signal::SIGKILL).unwrap();
        let exit = soon(running.handle.exited()).await;
        assert!(matches!(exit, Exit::Signal(9) | Exit::Unknown), "the keeper cannot tell: {exit}");
        assert_eq!(bench.alive(), [] as [i32; 0], "when the end is known, nothing is left of: {script}");
        bench.all_gone().await;
    }
}

#[tokio::test]
async fn no_tree_outlives_a_stopped_keeper() {
    let bench = Bench::new();
    let (script, count) = TREES[2];
    let mut running = bench.sh(script).await;
    bench.count_becomes(count).await;
    kill(Pid::from_raw(keeper_of(&running)), Signal::SIGSTOP).unwrap();
    soon(running.handle.stop(GRACE)).await;
    assert_eq!(bench.alive(), [] as [i32; 0]);
    bench.all_gone().await;
}

#[tokio::test]
async fn a_keeper_heeds_no_signal_that_can_be_refused() {
    let bench = Bench::new();
    let mut running = bench.sh("cat; exit 5").await;
    let keeper = Pid::from_raw(keeper_of(&running));
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE, Signal::SIGUSR1] {
        kill(keeper, signal).unwrap();
    }
    drop(running.stdin);
    assert_eq!(soon(running.handle.exited()).await, Exit::Code(5));
    bench.all_gone().await;
}

#[tokio::test]
async fn no_tree_outlives_a_killed_hostler() {
    let bench = Bench::new();
    let scripts: Vec<&str> = TREES.iter().map(|(script, _)| *script).collect();
    let total = TREES.iter().map(|(_, count)| count).sum();
    let mut owner =
        Command::new(STAND_IN).args(["own", &bench.mark]).args(scripts).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    bench.count_becomes(total).await;
    let pid = owner.id().cast_signed();
    let keepers = children_of(pid);
    assert_eq!(keepers.len(), TREES.len());
    owner.kill().unwrap();
    owner.wait().unwrap();
    bench.count_becomes(0).await;
    // The keepers themselves fall to whoever is above; they may not stay alive.
    until("no keepers", || keepers.iter().all(|p| stat(*p).is_none_or(|(state, _)| state == "Z"))).await;
    for keeper in keepers {
        // This test's program is their new parent and has to reap them, as the first process of a system would.
        let _ = nix::sys::wait::waitpid(Pid::from_raw(keeper), None);
    }
}

/// Has the stand-in start and end servers; `meddle` is called with its process id again and again meanwhile.
async fn cycle(bench: &Bench, rounds: &str, mut meddle: impl FnMut(i32)) -> [usize; 4] {
    let mut command = tokio::process::Command::new(STAND_IN);
    let child = command.args(["cycle", &bench.mark, rounds]).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let pid = child.id().unwrap().cast_signed();
    let done = AtomicBool::new(false);
    let meddling = async {
        while !done.load(Ordering::Relaxed) {
            meddle(pid);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let output = async {
        let output = tokio::time::timeout(4 * LONG, child.wait_with_output()).await.unwrap().unwrap();
        done.store(true, Ordering::Relaxed);
        String::from_utf8(output.stdout).unwrap()
    };
    let (text, ()) = tokio::join!(output, meddling);
    let numbers: Vec<usize> = text.split_ascii_whitespace().map(|n| n.parse().unwrap()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("it said {text:?}"))
}

#[tokio::test]
async fn two_hundred_starts_and_stops_in_every_way_leave_nothing_behind() {
    let bench = Bench::new();
    let [before, after, children, refused] = cycle(&bench, "200", |_| ()).await;
    assert!(after <= before, "{before} descriptors became {after}");
    assert_eq!((children, refused), (0, 0));
    assert_eq!(bench.alive(), [] as [i32; 0]);
}

#[tokio::test]
async fn keepers_killed_at_any_moment_leave_nothing_behind() {
    let bench = Bench::new();
    let [before, after, children, _] = cycle(&bench, "100", |pid| {
        // Not the orphans that fell to it: those it has to find itself.
        for child in children_of(pid).into_iter().filter(|child| is_stand_in(*child)) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
    })
    .await;
    assert!(after <= before, "{before} descriptors became {after}");
    assert_eq!(children, 0);
    assert_eq!(bench.alive(), [] as [i32; 0]);
}

#[tokio::test]
async fn a_flood_on_stderr_is_read_to_its_end_and_kept_within_bounds() {
    let bench = Bench::new();
    let mut running = bench.sh("yes 'a line of fifty bytes, a line of fifty bytes, 50!' | head -c 100000000 >&2").await;
    assert_eq!(soon(running.handle.exited()).await, Exit::Code(0));
    assert_eq!(bench.ring.total(), 2_000_000, "the server was never held up");
    let lines = bench.ring.tail(usize::MAX);
    assert!(lines.len() <= 2000 && lines.iter().map(|line| line.text.len()).sum::<usize>() <= 512 << 10);
    assert_eq!((lines[0].number, lines[1999].number), (1_998_001, 2_000_000));
}

#[tokio::test]
async fn a_flood_without_line_ends_is_one_line() {
    let bench = Bench::new();
    let mut running = bench.sh("head -c 100000000 /dev/zero >&2").await;
    assert_eq!(soon(running.handle.exited()).await, Exit::Code(0));
    let lines = bench.ring.tail(usize::MAX);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].text.len() <= 8 << 10 && lines[0].text.ends_with(process::CUT));
}

#[tokio::test]
async fn streams_reach_their_end_though_the_keeper_lives() {
    let bench = Bench::new();
    let mut running = bench.sh("exec >/dev/null; cat >got; sleep 1000").await;
    assert_eq!(stdout_of(&mut running).await, "", "a closed stdout is seen while the server runs on");
    drop(running.stdin);
    bench.count_becomes(2).await;
    drop(running.handle);
    bench.all_gone().await;
}

#[tokio::test]
async fn the_environment_is_cleaned_and_completed() {
    let bench = Bench::new();
    let mut spec = bench.spec("env", &[]);
    spec.env.insert("SECRET".into(), "for=me\nonly".into());
    let text = stdout_of(&mut bench.try_spawn(&spec).await.unwrap()).await;
    assert!(text.contains("SECRET=for=me\nonly\n"));
    assert!(std::env::vars_os().any(|(name, _)| !process::inherited(&name)), "there is something to leave out");
    for line in text.lines().filter(|line| *line != "only") {
        let name = line.split('=').next().unwrap();
        let known = ["SECRET", "TEST_MARK", process::TREE_MARK].contains(&name);
        assert!(known || process::inherited(name.as_ref()), "{line}");
    }
}

#[tokio::test]
async fn a_server_inherits_three_descriptors_and_no_signal_settings() {
    let bench = Bench::new();
    // What a careless parent of Hostler leaves open.
    let leak = fs::File::open("/dev/null").unwrap();
    fcntl(&leak, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let running = bench.sh("exec cat").await;
    let server = running.pid;
    until("it is cat", || fs::read_to_string(format!("/proc/{server}/comm")).is_ok_and(|name| name == "cat\n")).await;
    let mut open: Vec<_> =
        fs::read_dir(format!("/proc/{server}/fd")).unwrap().map(|e| e.unwrap().file_name()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        // Of the signals 1 to 31; the C library reserves the next two and lets nobody change them.
        u64::from_str_radix(line.trim(), 16).unwrap() & 0x7fff_ffff
    };
    assert_eq!((mask("SigBlk:"), mask("SigIgn:")), (0, 0), "{status}");
    // The keeper: its streams, its socket, its signals.
    let keeper = keeper_of(&running);
    until("five descriptors", || fs::read_dir(format!("/proc/{keeper}/fd")).is_ok_and(|fds| fds.count() == 5)).await;
    assert_eq!(fs::read_link(format!("/proc/{keeper}/cwd")).unwrap(), Path::new("/"));
    let environ = fs::read_to_string(format!("/proc/{keeper}/environ")).unwrap();
    assert_eq!(environ, "MIMALLOC_ARENA_EAGER_COMMIT=0\0", "nothing secret is kept twice");
    drop(leak);
}

#[tokio::test]
async fn a_program_that_is_missing_is_told_with_its_remedy_and_without_the_machines_paths() {
    let bench = Bench::new();
    let failure = bench.refusal(&bench.spec("no-such-program", &[])).await;
    assert_eq!((failure.kind(), failure.retry()), (Kind::Unavailable, Retry::No));
    assert_eq!(
        failure.message(),
        "server `tested` cannot be started: the program `no-such-program` was not found: install it, or correct \
         `command` in its configuration"
    );
    assert!(failure.detail().unwrap().starts_with("PATH is /"));
    let mut spec = bench.spec("uvx", &["x"]);
    spec.env.insert("PATH".into(), "/nowhere".into());
    let failure = bench.refusal(&spec).await;
    assert!(failure.message().contains("install uv"), "{failure}");
    assert_eq!(failure.detail(), Some("PATH is /nowhere"));
    let failure = bench.refusal(&bench.spec("./private/tool", &[])).await;
    assert!(failure.message().contains("`tool` was not found") && !failure.message().contains("private"), "{failure}");
}

#[tokio::test]
async fn what_cannot_be_executed_is_told_with_its_remedy() {
    let bench = Bench::new();
    let write = |name: &str, text: &str, mode: u32| {
        let path = bench.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", "x", 0o644);
    write("lost", "#!/no/such/interpreter\n", 0o755);
    write("fine", "#!/bin/sh\nread line; echo \"$0 $line\"\n", 0o755);
    let told = |failure: Failure, part: &str| assert!(failure.message().contains(part), "{failure}");
    told(bench.refusal(&bench.spec("./plain", &[])).await, "chmod +x");
    told(bench.refusal(&bench.spec("./lost", &[])).await, "interpreter");
    told(bench.refusal(&bench.spec("", &[])).await, "empty");
    told(bench.refusal(&bench.spec("a\0b", &[])).await, "NUL");
    told(bench.refusal(&bench.spec("true", &[&"x".repeat(3 << 20)])).await, "larger than the system allows");
    let mut spec = bench.spec("cat", &[]);
    spec.cwd = Some(bench.folder.join("missing"));
    told(bench.refusal(&spec).await, "working directory does not exist");
    // A path is looked up from the working directory on, and the program sees the name it was called by.
    let mut running = bench.try_spawn(&bench.spec("./fine", &[])).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut running.stdin, b"hello\n").await.unwrap();
    assert!(stdout_of(&mut running).await.ends_with("fine hello\n"));
    assert_eq!(soon(running.handle.exited()).await, Exit::Code(0));
    bench.all_gone().await;
}

#[test]
fn a_tree_dies_with_the_runtime_that_holds_it() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let running = runtime.block_on(async {
        let running = bench.sh(TREES[2].0).await;
        bench.count_becomes(TREES[2].1).await;
        running
    });
    drop(runtime);
    let checks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    checks.block_on(bench.count_becomes(0));
    drop(running);
}

//! Findings on made-up machines.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{Builtins, load_in};

struct Machine {
    folder: TempDir,
    surroundings: Surroundings,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        // The scripts need a shell's programs.
        let path = format!("{}:/usr/bin:/bin", text(&bin));
        let variables = [("HOME".to_owned(), text(folder.path())), ("PATH".to_owned(), path)];
        let surroundings = Surroundings::new(variables.into(), folder.path().to_owned());
        Self { folder, surroundings }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    async fn findings(&self, configuration: &str) -> Vec<String> {
        fs::write(self.path("hostler.yaml"), configuration).unwrap();
        let loaded = load_in(&self.surroundings, Some(Path::new("hostler.yaml")), &Builtins::new());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems:#?}"));
        let here = self.folder.path().to_str().unwrap();
        let findings = doctor(&self.surroundings, &loaded).await;
        findings.iter().map(|finding| finding.to_string().replace(here, "~")).collect()
    }
}

fn about(findings: &[String], subject: &str) -> Vec<String> {
    let part = format!(": {subject}: ");
    findings.iter().filter(|finding| finding.contains(&part)).cloned().collect()
}

#[tokio::test]
async fn every_server_is_told_what_it_lacks() {
    let machine = Machine::new();
    machine.program("npx", "echo 10.9.0");
    machine.program("node", "echo v16.20.1");
    machine.program("own", "echo started >> $0.ran");
    fs::write(machine.path("flat"), "").unwrap();
    let findings = machine
        .findings(
            "listen: 127.0.0.1:0\nservers:\n  a: {command: npx, args: [-y, x]}\n  b: {command: own}\n  c: {command: absent}\n  \
             d: {command: ./flat}\n  e: {command: ./none, cwd: nowhere}\n  f: {url: 'http://example.com/mcp?key=hunter2'}\n  \
             g: {url: 'http://[::1]:1/mcp'}\n  h: {command: own, env: {PATH: /nowhere}}\n  i: {command: bunx}\n",
        )
        .await;
    assert_eq!(
        about(&findings, "server a"),
        [
            "ok: server a: starts ~/bin/npx",
            "warning: server a: node v16.20.1 is too old for most servers; install node 18.0 or later"
        ]
    );
    assert_eq!(about(&findings, "server b"), ["ok: server b: starts ~/bin/own"]);
    assert!(!machine.path("bin/own.ran").exists(), "a program that is not known is not run");
    assert_eq!(
        about(&findings, "server c"),
        [
            "error: server c: the program `absent` is not found; install `absent`, see that it is in `PATH`, or write its whole path"
        ]
    );
    assert_eq!(about(&findings, "server d"), ["error: server d: `~/./flat` may not be executed; chmod +x ~/./flat"]);
    assert_eq!(
        about(&findings, "server e"),
        [
            "error: server e: the program `~/nowhere/./none` is not found; check the path, and that the file may be executed",
            "error: server e: the working directory ~/nowhere does not exist; make it, or mend `cwd`",
        ]
    );
    assert_eq!(
        about(&findings, "server f"),
        ["warning: server f: is reached at example.com without encryption, headers with secrets included; \
          write `https://` if the server offers it"]
    );
    assert_eq!(about(&findings, "server g"), ["ok: server g: is reached at [::1]"]);
    assert!(about(&findings, "server h")[0].starts_with("error: server h: the program `own` is not found"));
    assert_eq!(about(&findings, "node"), ["ok: node: v16.20.1 (~/bin/node)"]);
    assert_eq!(about(&findings, "bunx").len(), 1);
    assert!(about(&findings, "bunx")[0].starts_with("error: bunx: is not installed; install `bunx`"));
    assert!(about(&findings, "port")[0].starts_with("ok: port: 127.0.0.1:0 is free"));
    assert!(about(&findings, "state")[0].starts_with("ok: state: ~/.local/state/hostler can be written to"));
    let memory = usize::from(cfg!(target_os = "linux"));
    assert_eq!((about(&findings, "open files").len(), about(&findings, "memory").len()), (1, memory));
    assert!(!findings.join("\n").contains("hunter"));
}

#[tokio::test]
async fn a_runtime_that_says_too_much_or_nothing_holds_nobody_up() {
    let machine = Machine::new();
    machine.program("node", "while :; do echo x; done");
    machine.program("npx", "exit 3");
    machine.program("uvx", "echo; echo ' uvx 1.2 '");
    machine.program("python3", "sleep 600 & echo $! > $0.pid; wait");
    let findings = machine.findings("listen: 127.0.0.1:0\nservers: {}\n").await;
    assert_eq!(about(&findings, "uvx"), ["ok: uvx: uvx 1.2 (~/bin/uvx)"]);
    for silent in ["npx", "python3"] {
        assert!(about(&findings, silent)[0].contains("does not tell its version"), "{findings:#?}");
    }
    assert_eq!(about(&findings, "node").len(), 1);
    let orphan = fs::read_to_string(machine.path("bin/python3.pid")).unwrap().trim().to_owned();
    let alive = || Path::new("/proc").join(&orphan).join("stat");
    // A zombie has been killed, and is reaped by whoever inherited it.
    while fs::read_to_string(alive()).is_ok_and(|stat| !stat.contains(") Z")) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn secrets_that_others_can_read_are_pointed_out() {
    let machine = Machine::new();
    let text = "listen: 127.0.0.1:0\nservers: {a: {command: x, env: {API_KEY: hunter2}}}\n";
    fs::write(machine.path("hostler.yaml"), text).unwrap();
    for (mode, told) in [(0o644, 2), (0o600, 1)] {
        fs::set_permissions(machine.path("hostler.yaml"), fs::Permissions::from_mode(mode)).unwrap();
        let findings = machine.findings(text).await;
        assert_eq!(about(&findings, "configuration").len(), told, "{findings:#?}");
        assert!(!findings.join("\n").contains("hunter"));
        if told == 2 {
            assert_eq!(
                about(&findings, "configuration")[1],
                "warning: configuration: others on this machine can read the secrets in it: servers.a.env.API_KEY; \
                 chmod 600 hostler.yaml, or take them from `${VARIABLE}` or `${file:...}`"
            );
        }
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_apart_from_hostler_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        for body in ["{\"status\":\"ok\",\"version\":\"9.9.9\",\"servers\":{}}", "<html>"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        listener
    });
    assert_eq!(
        machine::port(address).await,
        Finding::ok("port", format!("Hostler 9.9.9 listens on {address} already"))
    );
    let told = machine::port(address).await;
    assert_eq!((told.level, told.what), (Level::Error, format!("{address} is in use by another program")));
    drop(answering.await.unwrap());
    let far = machine::port("192.0.2.1:1".parse().unwrap()).await;
    assert_eq!((far.level, far.what.as_str()), (Level::Error, "192.0.2.1:1 is not an address of this machine"));
}

#[test]
fn folders_and_memory_are_judged_by_what_the_system_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(machine::state_dir(&folder.path().join("a/b/c")).level, Level::Ok);
    let told = machine::state_dir(&folder.path().join("file/b"));
    assert!(told.level == Level::Error && told.what.ends_with("file is not a folder"), "{told}");
    let available = machine::available_memory("MemTotal: 9 kB\nMemAvailable:    1024000 kB\n").unwrap();
    assert_eq!(available, 1_048_576_000);
    assert_eq!(machine::enough_memory(12, available).level, Level::Ok);
    assert_eq!(
        machine::enough_memory(13, available).to_string(),
        "warning: memory: 13 servers need about 1040 MiB, and 1000 MiB are available; \
         switch some off with `enabled: false`, or lower `idle` and `instances`"
    );
}

#[test]
fn connections_that_are_allowed_must_fit_into_the_files_that_may_be_open() {
    let machine = Machine::new();
    let plan = |text: &str| {
        fs::write(machine.path("f"), text).unwrap();
        load_in(&machine.surroundings, Some(Path::new("f")), &Builtins::new()).unwrap().plan
    };
    let few = plan("threads: 2\nlimits: {connections: 100}\nservers: {a: {command: x}}");
    assert_eq!((few.files(1), few.files(64)), (280, 280));
    assert_eq!(plan("limits: {connections: 100}\nservers: {}").files(3), 364);
    assert_eq!(machine::enough_files(280, 280).level, Level::Ok);
    assert_eq!(
        machine::enough_files(281, 280).to_string(),
        "warning: open files: only 280 may be open at once, and 281 may be needed; have the hard limit raised \
         (`ulimit -Hn`), or lower `limits.connections`"
    );
}

#[test]
fn versions_are_read_from_what_programs_say() {
    for (text, version) in
        [("v22.3.1", Some((22, 3))), ("Python 3.12.1", Some((3, 12))), ("uv 1", Some((1, 0))), ("?", None)]
    {
        assert_eq!(programs::numbers(text), version);
    }
}

#[test]
fn a_problem_of_the_configuration_becomes_a_finding() {
    let problem = Problem { line: 1, column: 2, ..Problem::error(Some("f".into()), "is wrong").with_remedy("mend it") };
    assert_eq!(Finding::from(&problem).to_string(), "error: configuration: f:1:2: is wrong; mend it");
    let odd = Problem { severity: Severity::Warning, ..problem };
    assert_eq!(Finding::from(&odd).to_string(), "warning: configuration: f:1:2: is wrong; mend it");
}

//! Reloading, with real files and real events.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, os::unix::fs::symlink};

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::load_in;

/// Far more than any of it takes.
const LONG: Duration = Duration::from_secs(60);

struct Setting {
    folder: TempDir,
    surroundings: Surroundings,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings::new([("HOME".to_owned(), "/h".to_owned())].into(), folder.path().to_owned());
        Self { folder, surroundings }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn start(&self, name: &str) -> Reload {
        let loaded = load_in(&self.surroundings, Some(Path::new(name)), &Builtins::new()).unwrap();
        Reload::start_in(self.surroundings.clone(), loaded, Builtins::new())
    }
}

fn serving(program: &str) -> String {
    format!("servers: {{a: {{command: {program}}}}}\n")
}

async fn until_serving(reload: &Reload, program: &str) {
    let wanted = format!("command: {program:?}");
    let mut plans = reload.plans();
    let seen = timeout(LONG, plans.wait_for(|plan| format!("{:?}", plan.servers).contains(&wanted))).await;
    seen.expect("the plan changes").unwrap();
}

async fn until(reload: &Reload, what: impl FnMut(&Reloaded) -> bool) -> Reloaded {
    let mut state = reload.state();
    timeout(LONG, state.wait_for(what)).await.expect("the state changes").unwrap().clone()
}

#[tokio::test]
async fn a_file_that_is_written_or_replaced_is_reloaded() {
    let setting = Setting::new();
    setting.write("f", &serving("one"));
    let reload = setting.start("f");
    assert_eq!(reload.state().borrow().generation, 1);

    setting.write("f", &serving("two"));
    until_serving(&reload, "two").await;

    setting.write("f.new", &serving("three"));
    fs::rename(setting.path("f.new"), setting.path("f")).unwrap();
    until_serving(&reload, "three").await;

    fs::rename(setting.path("f"), setting.path("f~")).unwrap();
    setting.write("f", &serving("four"));
    until_serving(&reload, "four").await;
}

#[tokio::test]
async fn a_bad_file_is_refused_until_it_is_mended() {
    let setting = Setting::new();
    setting.write("f", &serving("one"));
    let reload = setting.start("f");

    setting.write("f", "servers: {a: {comand: two}}");
    let state = until(&reload, |state| !state.refused.is_empty()).await;
    assert!(state.refused[0].to_string().starts_with("f:1:15: servers.a.comand: unknown key"), "{state:?}");
    assert_eq!(state.generation, 1);
    until_serving(&reload, "one").await;

    fs::remove_file(setting.path("f")).unwrap();
    until(&reload, |state| state.refused.iter().any(|problem| problem.message.contains("entity not found"))).await;

    setting.write("f", &serving("three"));
    let state = until(&reload, |state| state.refused.is_empty()).await;
    assert_eq!(state.generation, 2);
    until_serving(&reload, "three").await;
}

#[tokio::test]
async fn a_swapped_symbolic_link_is_followed() {
    let setting = Setting::new();
    for (version, program) in [("v1", "one"), ("v2", "two"), ("v3", "three")] {
        fs::create_dir(setting.path(version)).unwrap();
        setting.write(&format!("{version}/hostler.yaml"), &serving(program));
    }
    symlink("v1", setting.path("..data")).unwrap();
    symlink("..data/hostler.yaml", setting.path("hostler.yaml")).unwrap();
    let reload = setting.start("hostler.yaml");
    for (version, program) in [("v2", "two"), ("v3", "three")] {
        symlink(version, setting.path("..new")).unwrap();
        fs::rename(setting.path("..new"), setting.path("..data")).unwrap();
        until_serving(&reload, program).await;
    }
}

#[tokio::test]
async fn a_file_that_a_value_comes_from_is_watched_too() {
    let setting = Setting::new();
    fs::create_dir(setting.path("secrets")).unwrap();
    setting.write("f", &serving("'${file:secrets/a}'").replace("'$", "\"$").replace("}'", "}\""));
    setting.write("secrets/a", "one\n");
    let reload = setting.start("f");
    until_serving(&reload, "one").await;
    setting.write("secrets/a", "two\n");
    until_serving(&reload, "two").await;

    setting.write("f", &serving("\"${file:secrets/b}\""));
    until(&reload, |state| !state.refused.is_empty()).await;
    setting.write("secrets/b", "three\n");
    until_serving(&reload, "three").await;
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_stays_as_it_was() {
    let setting = Setting::new();
    setting.write("f", &serving("one"));
    let reload = setting.start("f");
    let open = "listen: 0.0.0.0:1\nthreads: 3\nstate_dir: x\nhttp: {allow_unauthenticated_remote: true}\n\
                log: {level: debug, format: json}\n";
    setting.write("f", &format!("{open}{}", serving("two")));
    until_serving(&reload, "two").await;
    let state = until(&reload, |state| state.generation == 2).await;
    assert_eq!(state.needs_restart, ["listen", "threads", "state_dir", "log.format"]);
    let plan = reload.plans().borrow().clone();
    assert_eq!((plan.listen.address.to_string().as_str(), plan.listen.threads), ("127.0.0.1:7400", None));
    assert_eq!(plan.state_dir, Path::new("/h/.local/state/hostler"));
    assert!(!plan.guards.any_host && !plan.log.json);
    assert_eq!(plan.log.level, "debug");
}

#[tokio::test]
async fn reloading_on_request_tells_what_became_of_it() {
    let setting = Setting::new();
    setting.write("f", &serving("one"));
    let reload = setting.start("f");
    assert_eq!(reload.reload_now().await.generation, 1, "nothing changed");
    setting.write("f", "nonsense: 1");
    assert!(reload.reload_now().await.refused[0].message.contains("nonsense"));
    setting.write("f", &serving("two"));
    let state = reload.reload_now().await;
    assert_eq!((state.generation, state.refused.len()), (2, 0));
}

#[tokio::test]
async fn without_a_file_reloading_changes_nothing() {
    let setting = Setting::new();
    let loaded = load_in(&setting.surroundings, None, &Builtins::new()).unwrap();
    let reload = Reload::start_in(setting.surroundings.clone(), loaded, Builtins::new());
    assert_eq!(reload.reload_now().await.generation, 1);
}

#[tokio::test]
async fn without_events_a_change_is_seen_by_looking() {
    let setting = Setting::new();
    setting.write("f", "one");
    let mut watching = Watching { watcher: None, ..Watching::start() };
    watching.aim(vec![setting.path("f"), setting.path("g")], None).await;
    assert!(!watching.moved().await);
    setting.write("f", "longer");
    assert!(watching.moved().await);
    watching.aim(vec![setting.path("f"), setting.path("g")], None).await;
    setting.write("g", "");
    assert!(watching.moved().await);
}

//! Exports into files of every form, and back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, UNIX_EPOCH},
};

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_257_900 + seconds)
}

fn to(client: Client, file: &Path) -> Export {
    Export {
        client,
        file: file.to_owned(),
        url: "http://127.0.0.1:7400/mcp".into(),
        program: ("/opt/hostler".into(), vec!["connect".into()]),
        stdio: false,
        replace: false,
    }
}

/// The text that an export makes of another.
fn exported(text: &str, change: impl FnOnce(&mut Export)) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, text).unwrap();
    let mut order = to(Client::Cursor, &file);
    change(&mut order);
    export(&order).map(|exported| exported.text).map_err(|problem| problem.message)
}

#[test]
fn every_client_gets_the_entry_that_it_understands() {
    let http = json!({"type": "http", "url": "http://127.0.0.1:7400/mcp"});
    let program = json!({"command": "/opt/hostler", "args": ["connect"]});
    let typed = json!({"type": "stdio", "command": "/opt/hostler", "args": ["connect"]});
    for (client, by_url, by_program) in [
        (Client::ClaudeDesktop, program.clone(), program.clone()),
        (Client::ClaudeCode, http.clone(), typed.clone()),
        (Client::Cursor, json!({"url": "http://127.0.0.1:7400/mcp"}), program.clone()),
        (Client::VsCode, http.clone(), typed),
        (Client::Windsurf, json!({"serverUrl": "http://127.0.0.1:7400/mcp"}), program.clone()),
        (Client::Plain, http, program),
    ] {
        let mut order = to(client, Path::new("no/such/file"));
        let exported = export(&order).unwrap();
        assert_eq!(exported.entry, by_url, "{client}");
        let whole: Value = serde_json::from_str(&exported.text).unwrap();
        assert_eq!(whole[client.servers_key()]["hostler"], by_url, "{client}");
        order.stdio = true;
        assert_eq!(export(&order).unwrap().entry, by_program, "{client}");
    }
}

#[test]
fn the_rest_of_the_text_stays_as_it_was() {
    let same = |_: &mut Export| {};
    for (before, after) in [
        (
            "{\n\t\"a\": 1, // one\n\t\"mcpServers\": {\n\t\t\"x\": {\"command\": \"y\"}, // why\n\t},\n}\n",
            "{\n\t\"a\": 1, // one\n\t\"mcpServers\": {\n\t\t\"x\": {\"command\": \"y\"},\n\t\t\"hostler\": {\n\t\t\t\"url\": \"http://127.0.0.1:7400/mcp\"\n\t\t}, // why\n\t},\n}\n",
        ),
        (
            "{\n    \"mcpServers\": {}\n}",
            "{\n    \"mcpServers\": {\n        \"hostler\": {\n            \"url\": \"http://127.0.0.1:7400/mcp\"\n        }\n    }\n}",
        ),
        (
            "{}",
            "{\n  \"mcpServers\": {\n    \"hostler\": {\n      \"url\": \"http://127.0.0.1:7400/mcp\"\n    }\n  }\n}",
        ),
        ("{\"b\": [1]}\n", "{\"b\": [1], \"mcpServers\": {\"hostler\":{\"url\":\"http://127.0.0.1:7400/mcp\"}}}\n"),
        (
            "{\r\n  \"mcpServers\": {\r\n    \"hostler\": {\"url\": \"old\", \"x\": 1},\r\n    \"z\": {}\r\n  }\r\n}",
            "{\r\n  \"mcpServers\": {\r\n    \"hostler\": {\r\n      \"url\": \"http://127.0.0.1:7400/mcp\"\r\n    },\r\n    \"z\": {}\r\n  }\r\n}",
        ),
        (
            "{\n  \"mcpServers\": {\n    // none yet\n  }\n}",
            "{\n  \"mcpServers\": {\n    \"hostler\": {\n      \"url\": \"http://127.0.0.1:7400/mcp\"\n    }\n    // none yet\n  }\n}",
        ),
    ] {
        assert_eq!(exported(before, same).as_deref(), Ok(after), "{before}");
        assert_eq!(exported(after, same).as_deref(), Ok(after), "a second time changes nothing");
    }
    let told = "there is no place for an entry: `mcpServers` must be an object in an object";
    for bad in ["[]", "1", "{\"mcpServers\": []}", "{\"mcpServers\": null}"] {
        assert_eq!(exported(bad, same), Err(told.into()), "{bad}");
    }
    assert_eq!(exported("{", same), Err("this is not JSON".into()));
}

#[test]
fn other_servers_go_only_when_asked_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "{\"mcpServers\": {\"a\": {}, \"b\": {}}, \"c\": 1}").unwrap();
    let mut order = to(Client::Cursor, &file);
    assert!(export(&order).unwrap().removed.is_empty());
    order.replace = true;
    let exported = export(&order).unwrap();
    assert_eq!(exported.removed, ["a", "b"]);
    assert_eq!(exported.text, "{\"mcpServers\": {\"hostler\":{\"url\":\"http://127.0.0.1:7400/mcp\"}}, \"c\": 1}");
}

#[test]
fn an_export_can_be_undone_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/mcp.json");
    let mut order = to(Client::Cursor, &file);
    let read = || fs::read_to_string(&file).unwrap();
    let count = || fs::read_dir(file.parent().unwrap()).unwrap().count();

    let first = export(&order).unwrap();
    assert!(!file.exists(), "nothing is written yet");
    let copy = first.write(at(0)).unwrap().unwrap();
    assert_eq!(copy.file_name().unwrap(), "mcp.json.hostler-backup-20261121T104500Z");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(export(&order).unwrap().write(at(0)).unwrap(), None, "nothing changes, nothing is kept");

    order.url = "http://127.0.0.1:1/mcp".into();
    let second = export(&order).unwrap().write(at(0)).unwrap().unwrap();
    assert_eq!(second.file_name().unwrap(), "mcp.json.hostler-backup-20261121T104500Z-2");
    assert!(read().contains(":1/mcp"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);

    let undone = undo(Client::Cursor, &file, at(1)).unwrap();
    assert_eq!(undone, Undone { copy: second, kept: None, removed: false });
    assert_eq!(read(), first.text);
    let undone = undo(Client::Cursor, &file, at(1)).unwrap();
    assert_eq!(undone, Undone { copy, kept: None, removed: true });
    assert_eq!(count(), 0);
    assert_eq!(undo(Client::Cursor, &file, at(1)).unwrap_err().message, "there is nothing to undo");
}

#[test]
fn a_file_that_its_client_changes_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let exported = export(&to(Client::Plain, &file)).unwrap();
    fs::write(&file, "{}").unwrap();
    let problem = exported.write(at(0)).unwrap_err();
    assert_eq!(problem.message, "was changed by another program at the same moment");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_was_changed_since_the_export_is_kept_when_it_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "{\"mcpServers\": {\"a\": {}}}").unwrap();
    export(&to(Client::Plain, &file)).unwrap().write(at(0)).unwrap();
    let later = fs::read_to_string(&file).unwrap().replace("\"a\"", "\"later\"");
    fs::write(&file, &later).unwrap();
    let undone = undo(Client::Plain, &file, at(9)).unwrap();
    let kept = undone.kept.unwrap();
    assert_eq!(kept.file_name().unwrap(), "f.hostler-undone-20261121T104509Z");
    assert_eq!(fs::read_to_string(kept).unwrap(), later);
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"mcpServers\": {\"a\": {}}}");
}

#[test]
fn the_newest_copy_is_the_one_that_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    for name in ["20261121T104500Z", "20261121T104500Z-10", "20261121T104500Z-9", "20251121T104500Z-99"] {
        fs::write(folder.path().join(format!("f{COPY}{name}")), "").unwrap();
    }
    let newest = newest_copy(&file).unwrap().unwrap();
    assert!(newest.to_str().unwrap().ends_with("20261121T104500Z-10"));
}

//! Imports from files as the clients write them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;
use tempfile::TempDir;

use super::*;

const OWN: &str = "127.0.0.1:7400";

struct Home {
    folder: TempDir,
    surroundings: Surroundings,
}

impl Home {
    /// A home folder with a project in it, which is the working directory.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("project")).unwrap();
        let variables = [("HOME".to_owned(), path("").to_str().unwrap().to_owned())];
        let surroundings = Surroundings::new(variables.into(), path("project"));
        Self { folder, surroundings }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    fn import(&self, name: &str, text: &str) -> Imported {
        let file = self.write(name, text);
        import(&Source::of_file(&file, &self.surroundings), OWN.parse().unwrap()).unwrap()
    }
}

fn server(imported: &Imported, name: &str) -> Value {
    imported.servers.iter().find(|server| server.name.as_str() == name).expect(name).definition.clone().into()
}

fn notes(imported: &Imported) -> Vec<String> {
    imported.notes.iter().map(|note| format!("{}: {}", note.server.as_deref().unwrap_or("-"), note.text)).collect()
}

#[test]
fn the_files_that_exist_are_discovered_with_their_clients() {
    let home = Home::new();
    assert_eq!(discover(&home.surroundings), []);
    for file in [
        ".config/Claude/claude_desktop_config.json",
        "Library/Application Support/Claude/claude_desktop_config.json",
        ".claude.json",
        ".cursor/mcp.json",
        ".config/Code/User/mcp.json",
        ".codeium/windsurf/mcp_config.json",
        "project/.mcp.json",
        "project/.cursor/mcp.json",
        "project/.vscode/mcp.json",
    ] {
        home.write(file, "{}");
    }
    let found = discover(&home.surroundings);
    let clients: Vec<_> = found.iter().map(|source| source.client.word()).collect();
    assert_eq!(
        clients,
        [
            "claude-desktop",
            "claude-desktop",
            "claude-code",
            "cursor",
            "vscode",
            "windsurf",
            "claude-code",
            "cursor",
            "vscode"
        ]
    );
    assert_eq!(found.iter().filter(|source| source.project.is_some()).count(), 3);
    for source in found {
        assert_eq!(
            Source::of_file(&source.file, &home.surroundings),
            source,
            "named by hand, it is known all the same"
        );
    }
}

#[test]
fn a_desktop_file_is_taken_as_it_is_and_its_secrets_are_pointed_out() {
    let home = Home::new();
    let imported = home.import(
        ".config/Claude/claude_desktop_config.json",
        r#"{"globalShortcut": "", "mcpServers": {
            "file system": {"command": "npx", "args": ["-y", "pkg", 5], "env": {"API_KEY": "hunter2", "N": 1, "Z": null}},
            "hostler": {"command": "/opt/bin/hostler", "args": ["connect"]},
            "broken": 7, "empty": {}
        }}"#,
    );
    assert_eq!(imported.servers.len(), 1);
    assert_eq!(
        server(&imported, "file-system"),
        json!({"command": "npx", "args": ["-y", "pkg", "5"], "env": {"API_KEY": "hunter2", "N": "1"}})
    );
    assert_eq!(
        notes(&imported),
        [
            "file system: `env.API_KEY` holds a secret as it stands; better: `${API_KEY}` or `${file:...}`",
            "file system: `env.Z` is left out, because it has no value",
            "file system: called `file-system` here, because names have only letters, digits, `-` and `_`",
            "hostler: left out, because it is Hostler's own entry",
            "broken: left out, because it is not an object",
            "empty: left out, because it has neither a command nor a URL",
        ]
    );
    assert!(!format!("{:?}", imported.notes).contains("hunter2"));
}

#[test]
fn vscode_comments_inputs_and_variables_are_understood() {
    let home = Home::new();
    let imported = home.import(
        "project/.vscode/mcp.json",
        r#"{
            // the inputs
            "inputs": [{"type": "promptString", "id": "gh-token", "description": "GitHub token", "password": true},
                       {"id": "unused", "description": "Nothing"},],
            "servers": {
                "github": {"type": "http", "url": "https://e.com/mcp", "headers": {"Authorization": "Bearer ${input:gh-token}"}},
                "old": {"type": "sse", "url": "https://e.com/sse"},
                "local": {"type": "stdio", "command": "${workspaceFolder}/run", "args": ["${env:X}", "${userHome}${/}a", "${file}", "${"],
                          "envFile": ".env", "dev": {}},
            },
        }"#,
    );
    let project = home.folder.path().join("project").to_str().unwrap().to_owned();
    assert_eq!(
        server(&imported, "github"),
        json!({"url": "https://e.com/mcp", "headers": {"Authorization": "Bearer ${GH_TOKEN}"}})
    );
    assert_eq!(server(&imported, "old"), json!({"url": "https://e.com/sse", "transport": "sse"}));
    assert_eq!(
        server(&imported, "local"),
        json!({"command": format!("{project}/run"), "args": ["${X}", "${HOME}/a", "${file}", "$${"], "cwd": project})
    );
    assert_eq!(
        notes(&imported),
        [
            "github: `${input:gh-token}` was asked for by the client; set the variable `GH_TOKEN` instead",
            "local: not taken over, because Hostler has no such setting: `envFile`, `dev`",
            "-: `GH_TOKEN` stands for: GitHub token",
        ]
    );
}

#[test]
fn claude_code_windsurf_and_cursor_have_their_own_spellings() {
    let home = Home::new();
    let imported = home.import(
        ".claude.json",
        r#"{"numStartups": 7, "mcpServers": {"a": {"type": "stdio", "command": "a", "args": [], "env": {}}},
            "projects": {"/p/one": {"mcpServers": {"b": {"command": "./b", "args": ["${VAR:-x}"]}}}, "/p/two": {}}}"#,
    );
    assert_eq!(server(&imported, "a"), json!({"command": "a"}));
    assert_eq!(server(&imported, "b"), json!({"command": "./b", "args": ["${VAR:-x}"], "cwd": "/p/one"}));

    let imported = home.import(
        ".codeium/windsurf/mcp_config.json",
        r#"{"mcpServers": {"w": {"serverUrl": "https://e.com/mcp", "disabled": true, "alwaysAllow": []}}}"#,
    );
    assert_eq!(server(&imported, "w"), json!({"url": "https://e.com/mcp", "enabled": false}));

    let imported =
        home.import(".cursor/mcp.json", r#"{"mcpServers": {"c": {"url": "wss://e.com"}}, "mcp": {"servers": {}}}"#);
    assert!(imported.servers.is_empty() && notes(&imported)[0].contains("WebSocket"));
    let imported = home.import("settings.json", r#"{"mcp": {"servers": {"s": {"command": "x"}}}}"#);
    assert_eq!(server(&imported, "s"), json!({"command": "x"}));
    assert_eq!(notes(&home.import("other.json", "{}")), ["-: there are no servers in this file"]);
}

#[test]
fn an_entry_that_leads_back_to_hostler_is_never_taken() {
    let home = Home::new();
    let imported = home.import(
        "x.json",
        r#"{"mcpServers": {
            "a": {"url": "http://127.0.0.1:7400/mcp"}, "b": {"url": "http://localhost:7400/servers/x/mcp"}, "c": {"url": "http://[::1]:7400/sse"},
            "hostler": {"url": "http://localhost:9999/mcp"}, "d": {"command": "hostler", "args": ["connect", "--x"]},
            "e": {"url": "http://localhost:7401/mcp"}, "f": {"url": "https://e.com:7400/mcp"}, "g": {"command": "hostler"}
        }}"#,
    );
    let names: Vec<_> = imported.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["e", "f", "g"]);
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let home = Home::new();
    let told = |file: &Path| {
        let source = Source::of_file(file, &home.surroundings);
        import(&source, OWN.parse().unwrap())
            .err()
            .unwrap()
            .to_string()
            .replace(home.folder.path().to_str().unwrap(), "")
    };
    assert_eq!(told(&home.write("bad.json", "{\n \"a\": hunter2}")), "/bad.json:2:7: this is not JSON");
    assert_eq!(told(&home.folder.path().join("none")), "/none: there is no such file");
}

#[test]
fn importing_twice_adds_nothing_and_clashes_get_a_number() {
    let home = Home::new();
    let first = home.import(
        "a.json",
        r#"{"mcpServers": {"x": {"command": "one", "env": {"TOKEN": "hunter2"}}, "z": {"command": "z"}}}"#,
    );
    let second = home.import("b.json", r#"{"mcpServers": {"x": {"command": "two"}, "z": {"command": "z"}}}"#);
    let mut all = first;
    all.extend(second);
    let file = home.folder.path().join("project/hostler.yaml");

    let merged = merge(&all, &file).unwrap();
    assert_eq!((merged.added.join(" "), merged.skipped.len()), ("x z x-2".into(), 0));
    assert!(merged.fresh && merged.literal_secrets && !file.exists(), "nothing is written yet");
    merged.write().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(
        text,
        "servers:\n  x:\n    command: one\n    env:\n      TOKEN: hunter2\n  z:\n    command: z\n  x-2:\n    command: two\n"
    );

    let again = merge(&all, &file).unwrap();
    assert_eq!((again.added.len(), again.skipped.join(" ")), (0, "x z x-2".into()));
    assert_eq!(again.text, text);

    // Moving a secret out, switching off and tuning are the user's own business.
    let text =
        text.replace("hunter2", "${TOKEN}").replace("command: z", "command: z\n    enabled: false\n    idle: 5m");
    fs::write(&file, text).unwrap();
    assert_eq!(merge(&all, &file).unwrap().added.len(), 0);
}

#[test]
fn what_cannot_be_inserted_is_shown_for_inserting_by_hand() {
    let home = Home::new();
    let imported = home.import("a.json", r#"{"mcpServers": {"x": {"command": "one"}}}"#);
    let file = home.write("f.yaml", "servers: ~\n");
    let problem = merge(&imported, &file).err().unwrap();
    assert_eq!(problem.message, "there is no safe place for new servers in this file");
    assert_eq!(problem.remedy.as_deref(), Some("insert them by hand:\nservers:\n  x:\n    command: one\n"));
    let file = home.write("g.yaml", "a: [");
    assert!(merge(&imported, &file).err().unwrap().message.starts_with("this is not YAML"));
}

#[test]
fn what_was_imported_can_be_loaded() {
    let home = Home::new();
    let imported = home.import(
        ".cursor/mcp.json",
        r#"{"mcpServers": {"a": {"command": "npx", "args": ["$${x}", "${HOME}"], "env": {"K": "a${b"}},
            "b": {"url": "https://e.com/sse?x=${HOME}", "type": "sse", "headers": {"X": "1"}}}}"#,
    );
    let file = home.folder.path().join("project/hostler.yaml");
    merge(&imported, &file).unwrap().write().unwrap();
    let loaded = crate::load_in(&home.surroundings, Some(Path::new("hostler.yaml")), &crate::Builtins::new());
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(loaded.plan.servers.len(), 2);
}

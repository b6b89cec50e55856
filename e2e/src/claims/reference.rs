//! The reference servers for files, memory, time, git and web pages: each does its one thing.
//!
//! Never looks at more of a server than tells that a call reached it and its answer came back.

use std::fs;

use serde_json::{Value, json};

use super::{each, holds_names, text};
use crate::{Client, Place, mark::Mark, page, page::Page, server::Yard};

async fn calls(client: Client, place: &Place, tools: &[&str], calls: Value) -> Vec<Value> {
    let seen = client.run(place, "tools", json!({ "calls": calls })).await;
    let observed = seen.observed();
    holds_names(&seen, &observed["tools"], place, tools);
    observed["calls"].as_array().unwrap().clone()
}

/// server-filesystem reads, writes and refuses.
pub async fn filesystem(client: Client, place: &Place, yard: &Yard) {
    let path = |name: &str| yard.folder().join(name).to_str().unwrap().to_owned();
    let written = format!("{}.txt", Mark::new().value());
    let wanted = json!([
        { "name": "read_text_file", "arguments": { "path": path("greeting.txt") } },
        { "name": "write_file", "arguments": { "path": path(&written), "content": "größer\n" } },
        { "name": "read_text_file", "arguments": { "path": "/etc/hostname" } },
    ]);
    let done = calls(client, place, &["read_text_file", "write_file", "list_allowed_directories"], wanted).await;
    assert_eq!(text(&done[0]), "hello\n");
    assert_eq!(fs::read_to_string(yard.folder().join(written)).unwrap(), "größer\n");
    assert_eq!(done[2]["result"]["isError"], true);
    assert!(text(&done[2]).contains("Access denied"), "{:#}", done[2]);
}

/// server-memory remembers.
pub async fn memory(client: Client, place: &Place) {
    let name = format!("Ada {}", Mark::new().value());
    let entity = json!({ "name": name, "entityType": "person", "observations": ["likes trains"] });
    let wanted = json!([
        { "name": "create_entities", "arguments": { "entities": [entity] } },
        { "name": "search_nodes", "arguments": { "query": name } },
    ]);
    let done = calls(client, place, &["create_entities", "read_graph"], wanted).await;
    assert!(text(&done[1]).contains("likes trains"), "{:#}", done[1]);
}

/// mcp-server-time tells the time, and what it does not know. Both eras.
pub async fn time(client: Client, place: &Place) {
    let wanted = json!([
        { "name": "get_current_time", "arguments": { "timezone": "Europe/Berlin" } },
        { "name": "get_current_time", "arguments": { "timezone": "Nowhere/Land" } },
    ]);
    let done = calls(client, place, &["get_current_time", "convert_time"], wanted).await;
    assert_eq!(done[0]["result"]["structuredContent"]["timezone"], "Europe/Berlin");
    assert_eq!(done[1]["result"]["isError"], true);
    assert!(text(&done[1]).contains("Nowhere/Land"), "{:#}", done[1]);
}

/// mcp-server-git tells the state of a repository. Both eras.
pub async fn git(client: Client, place: &Place, yard: &Yard) {
    let repository = json!({ "repo_path": yard.repository() });
    let wanted =
        json!([{ "name": "git_status", "arguments": repository }, { "name": "git_log", "arguments": repository }]);
    let done = calls(client, place, &["git_status", "git_log", "git_diff"], wanted).await;
    assert!(text(&done[0]).contains("On branch main") && text(&done[0]).contains("untracked.txt"), "{:#}", done[0]);
    assert!(text(&done[1]).contains("first commit"), "{:#}", done[1]);
}

/// mcp-server-fetch fetches a page, as a tool and as a prompt. Both eras.
pub async fn fetch(client: Client, place: &Place, page: &Page) {
    let arguments = json!({ "url": page.url() });
    let raw = json!({ "url": page.url(), "raw": true });
    let wanted = json!([{ "name": "fetch", "arguments": arguments }, { "name": "fetch", "arguments": raw }]);
    let done = calls(client, place, &["fetch"], wanted).await;
    assert!(text(&done[0]).contains(page::TEXT), "{:#}", done[0]);
    assert!(text(&done[1]).contains("<article>"), "{:#}", done[1]);
    let seen = client.run(place, "prompts", json!({ "gets": [{ "name": "fetch", "arguments": arguments }] })).await;
    let observed = seen.observed();
    assert!(each(&observed["prompts"], "name").contains(&place.name("fetch").as_str()), "{}", seen.what());
    let said = observed["gets"][0]["result"]["messages"][0]["content"]["text"].as_str().unwrap_or_default();
    assert!(said.contains(page::TEXT), "{}: {observed:#}", seen.what());
}

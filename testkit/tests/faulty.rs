//! Drives the built `faulty` over pipes: what it promises, and what it promises to do wrong.
//!
//! Never looks inside the program: what a client sees is all there is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use testkit::{
    Pipe,
    protocol::{MODERN, key},
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

fn initialize(pipe: &mut Pipe, capabilities: Value) -> Value {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"}
    });
    let (answer, _) = pipe.request("initialize", params);
    pipe.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    answer
}

/// Parameters with the `_meta` that every modern request must have.
fn modern(mut params: Value) -> Value {
    params["_meta"][key::PROTOCOL_VERSION] = json!(MODERN);
    if params["_meta"].get(key::CLIENT_CAPABILITIES).is_none() {
        params["_meta"][key::CLIENT_CAPABILITIES] = json!({});
    }
    params
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn a_legacy_client_finds_tools_resources_prompts_and_completion() {
    let mut pipe = Pipe::faulty(&["--mode", "legacy"]);
    let hello = initialize(&mut pipe, json!({}));
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(text(&pipe.call("echo", json!({"text": "hé"}))), "hé");
    assert_eq!(pipe.call("add", json!({"a": 1, "b": 2}))["structuredContent"]["sum"], 3.0);
    assert_eq!(pipe.call("fail", json!({}))["isError"], true);
    assert_eq!(text(&pipe.call("big", json!({"bytes": 100_000}))).len(), 100_000);
    let pid = pipe.pid().to_string();
    assert_eq!(text(&pipe.call("pid", json!({}))), pid);
    let (read, _) = pipe.request("resources/read", json!({"uri": "test://blob"}));
    assert_eq!(read["result"]["contents"][0]["blob"], "AAECAw==");
    let (missing, _) = pipe.request("resources/read", json!({"uri": "test://none"}));
    assert_eq!(missing["error"]["code"], -32002);
    let (prompt, _) = pipe.request("prompts/get", json!({"name": "greeting", "arguments": {"name": "Ann"}}));
    assert!(prompt["result"]["messages"][0]["content"]["text"].to_string().contains("Ann"));
    let (words, _) = pipe.request("completion/complete", json!({"argument": {"name": "style", "value": "f"}}));
    assert_eq!(words["result"]["completion"]["values"], json!(["formal", "friendly"]));
    let (unknown, _) = pipe.request("server/discover", modern(json!({})));
    assert_eq!(unknown["error"]["code"], -32601);
}

#[test]
fn a_modern_client_needs_no_handshake_but_its_meta() {
    let mut pipe = Pipe::faulty(&["--mode", "modern"]);
    let (found, _) = pipe.request("server/discover", modern(json!({})));
    assert_eq!(found["result"]["supportedVersions"], json!([MODERN]));
    assert_eq!(found["result"]["resultType"], "complete");
    let (bare, _) = pipe.request("tools/list", json!({}));
    assert_eq!(bare["error"]["code"], -32602);
    let (list, _) = pipe.request("tools/list", modern(json!({})));
    assert!(list["result"]["ttlMs"].is_u64());
    let (hello, _) = pipe.request("initialize", json!({"protocolVersion": "2025-11-25"}));
    assert_eq!((&hello["error"]["code"], &hello["error"]["data"]["supported"]), (&json!(-32022), &json!([MODERN])));
    let (asked, _) = pipe.request("tools/call", modern(json!({"name": "ask", "arguments": {}})));
    assert_eq!(asked["error"]["data"]["requiredCapabilities"], json!({"elicitation": {}}));
}

#[test]
fn progress_comes_before_the_answer_and_cancellation_takes_the_answer_away() {
    let mut pipe = Pipe::faulty(&[]);
    initialize(&mut pipe, json!({}));
    let slow = json!({"name": "slow", "arguments": {"ms": 30, "steps": 3}, "_meta": {"progressToken": "p"}});
    let (answer, before) = pipe.request("tools/call", slow);
    let steps: Vec<_> = before.iter().map(|notice| notice["params"]["progress"].clone()).collect();
    assert_eq!((text(&answer["result"]), steps), ("done", vec![json!(1), json!(2), json!(3)]));
    pipe.send(&json!({"jsonrpc": "2.0", "id": "h", "method": "tools/call", "params": {"name": "hang"}}));
    let running = pipe.call("pending", json!({}))["structuredContent"]["running"].clone();
    assert_eq!(running, json!([{"id": "\"h\"", "tool": "hang"}]));
    pipe.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "h"}}));
    let after = pipe.call("pending", json!({}))["structuredContent"].clone();
    assert_eq!((&after["running"], &after["cancelled"]), (&json!([]), &json!(["\"h\""])));
}

#[test]
fn it_asks_a_legacy_client_in_mid_call_and_a_modern_one_over_rounds() {
    let mut pipe = Pipe::faulty(&[]);
    initialize(&mut pipe, json!({"elicitation": {}}));
    pipe.send(&json!({"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {"name": "ask"}}));
    let question = pipe.message();
    assert_eq!(question["method"], "elicitation/create");
    let said = json!({"action": "accept", "content": {"answer": "blue"}});
    pipe.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": said}));
    let answer = pipe.message();
    assert!(answer["id"] == 77 && text(&answer["result"]).contains("blue"), "{answer}");

    let capable = json!({key::CLIENT_CAPABILITIES: {"elicitation": {}}});
    let (first, _) = pipe.request("tools/call", modern(json!({"name": "ask", "_meta": capable})));
    let first = &first["result"];
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first["inputRequests"]["answer"]["method"], "elicitation/create");
    let again = json!({
        "name": "ask", "_meta": capable,
        "inputResponses": {"answer": said}, "requestState": first["requestState"]
    });
    let (second, _) = pipe.request("tools/call", modern(again));
    assert!(text(&second["result"]).contains("blue"), "{second}");
}

#[test]
fn changes_are_told_to_those_who_listen() {
    let mut pipe = Pipe::faulty(&["--mode", "modern"]);
    let filter = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://text"]});
    let params = modern(json!({ "notifications": filter }));
    pipe.send(&json!({"jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen", "params": params}));
    assert_eq!(pipe.message()["method"], "notifications/subscriptions/acknowledged");
    let (_, told) = pipe.request("tools/call", modern(json!({"name": "toggle"})));
    assert_eq!(told[0]["method"], "notifications/tools/list_changed");
    assert_eq!(told[0]["params"]["_meta"][key::SUBSCRIPTION_ID], "sub");
    let uri = json!({"uri": "test://text"});
    let (_, told) = pipe.request("tools/call", modern(json!({"name": "update", "arguments": uri})));
    assert_eq!(told[0]["params"]["uri"], "test://text");
    let other = json!({"uri": "test://blob"});
    let (_, told) = pipe.request("tools/call", modern(json!({"name": "update", "arguments": other})));
    assert!(told.is_empty());
    pipe.close();
    let end = pipe.message();
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!("sub"), &json!("complete")));
    assert!(pipe.wait().success());
}

#[test]
fn ids_and_messages_and_results_pass_byte_for_byte() {
    let mut pipe = Pipe::faulty(&[]);
    let line =
        r#"{"jsonrpc":"2.0", "id":123456789012345678901, "method":"tools/call","params":{"name":"raw","x":1.50}}"#;
    pipe.send_line(line);
    let answer = pipe.line(LONG).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(r#""id":123456789012345678901,"#), "{answer}");
    let message: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(text(&message["result"]), line);
    let reply = json!({"name": "reply", "arguments": {"result": r#"{"n": 1.0e5}"#}});
    pipe.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": reply}));
    assert_eq!(pipe.line(LONG).unwrap(), br#"{"jsonrpc":"2.0","id":1,"result":{"n": 1.0e5}}"#);
}

#[test]
fn it_lies_as_it_is_told_to() {
    let mut pipe = Pipe::faulty(&["--garbage-on-stdout", "--answer-twice", "--unknown-id", "--wrong-jsonrpc"]);
    assert_eq!(pipe.line(LONG).unwrap(), b"Server running on stdio");
    pipe.send(&json!({"jsonrpc": "2.0", "id": 5, "method": "ping"}));
    let lines: Vec<_> = (0..8).map(|_| pipe.line(LONG).unwrap()).collect();
    assert!(serde_json::from_slice::<Value>(&lines[0]).is_err());
    assert!(String::from_utf8(lines[1].clone()).is_err());
    assert!(String::from_utf8_lossy(&lines[5]).contains("never-asked"));
    assert_eq!(lines[6], br#"{"jsonrpc":"1.0","id":5,"result":{}}"#);
    assert_eq!(lines[6], lines[7]);
}

#[test]
fn it_is_silent_or_dies_as_it_is_told_to() {
    let mut silent = Pipe::faulty(&["--silent"]);
    silent.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}));
    assert_eq!(silent.line(SHORT), None);
    assert!(silent.runs());
    assert_eq!(Pipe::faulty(&["--crash-at-start"]).wait().code(), Some(1));

    let mut old = Pipe::faulty(&["--mode", "legacy", "--die-on-discover"]);
    old.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": modern(json!({}))}));
    assert_eq!(old.wait().code(), Some(4));

    let mut mortal = Pipe::faulty(&["--crash-after", "2"]);
    mortal.call("echo", json!({}));
    mortal.call("echo", json!({}));
    assert_eq!(mortal.wait().code(), Some(3));

    let mut endless = Pipe::faulty(&["--huge-line", "100000"]);
    endless.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}));
    assert_eq!(endless.line(SHORT), None);
}

#[test]
fn a_dual_server_locks_itself_to_the_first_era_if_told_to() {
    let mut pipe = Pipe::faulty(&["--lock-era"]);
    pipe.request("server/discover", modern(json!({})));
    assert_eq!(initialize(&mut pipe, json!({}))["error"]["code"], -32022);
    let mut pipe = Pipe::faulty(&["--lock-era"]);
    initialize(&mut pipe, json!({}));
    let (refused, _) = pipe.request("server/discover", modern(json!({})));
    assert_eq!(refused["error"]["code"], -32022);
}

#[test]
fn only_sigkill_ends_a_stubborn_one_and_its_children_outlive_it() {
    let mut pipe = Pipe::faulty(&["--ignore-sigterm", "--fork-children", "2"]);
    pipe.call("echo", json!({}));
    let own = pipe.pid().to_string();
    let mark = format!("--child sleep --of {own} ");
    let of_it = || processes().into_iter().filter(|(_, line)| line.contains(&mark)).collect::<Vec<_>>();
    let children = of_it();
    assert_eq!(children.len(), 2);
    let direct = children.iter().filter(|(child, _)| stat(child, 1).as_ref() == Some(&own));
    assert_eq!(direct.count(), 1, "{children:?}");
    nix::sys::signal::kill(pid(&own), nix::sys::signal::SIGTERM).unwrap();
    pipe.close();
    assert_eq!(pipe.line(SHORT), None);
    assert!(pipe.runs());
    drop(pipe);
    assert_eq!(of_it().len(), 2);
    for (child, _) in children {
        nix::sys::signal::kill(pid(&child), nix::sys::signal::SIGKILL).unwrap();
    }
}

fn pid(text: &str) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(text.parse().unwrap())
}

/// Process ids and command lines of everything that runs.
fn processes() -> Vec<(String, String)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let named = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let running = named.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let line = |pid: &String| std::fs::read(Path::new("/proc").join(pid).join("cmdline")).unwrap_or_default();
    running.map(|pid| (pid.clone(), String::from_utf8_lossy(&line(&pid)).replace('\0', " "))).collect()
}

/// The field so many places after the state in `/proc/<pid>/stat`; 1 is the parent.
fn stat(pid: &str, place: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.rsplit_once(") ")?.1;
    after.split(' ').nth(place).map(str::to_owned)
}

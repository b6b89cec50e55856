//! The MCP Inspector's command line at the gateway, in both eras and over each of its transports.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{process::Output, time::Duration};

use e2e::{Setting, installed, server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the Inspector with a home of its own: it keeps a catalog there.
async fn inspect(target: &[&str], arguments: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    let mut command = Command::new(installed::node());
    command.arg(installed::npm("@modelcontextprotocol/inspector/clients/launcher/build/index.js")).arg("--cli");
    command.args(target).args(arguments).env("HOME", home.path()).current_dir(home.path()).kill_on_drop(true);
    timeout(PATIENCE, command.output()).await.expect("the Inspector ends").expect("the Inspector starts")
}

async fn result(target: &[&str], arguments: &[&str]) -> Value {
    let output = inspect(target, arguments).await;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{target:?} {arguments:?}: {}\n{said}\n{complained}", output.status);
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{target:?} {arguments:?}: {said}\n{complained}"))
}

#[tokio::test]
async fn the_inspector_lists_and_calls_legacy_tools() {
    let gateway = Setting::of([server::everything(), server::time()]).start().await;
    let url = format!("http://{}/mcp", gateway.address());
    let listed = result(&[&url], &["--method", "tools/list"]).await;
    let names = e2e::claims::each(&listed["tools"], "name");
    assert!(names.contains(&"everything__echo") && names.contains(&"time__get_current_time"), "{names:?}");
    let echo = ["--method", "tools/call", "--tool-name", "everything__echo", "--tool-arg", "message=größer"];
    let called = result(&[&url], &echo).await;
    assert_eq!(called["content"][0]["text"], "Echo: größer");
    let uri = "everything+demo://resource/dynamic/text/3";
    let read = result(&[&url], &["--method", "resources/read", "--uri", uri]).await;
    assert_eq!(read["contents"][0]["uri"], uri);
    let prompt = ["--method", "prompts/get", "--prompt-name", "everything__args-prompt", "--prompt-args", "city=Oslo"];
    let filled = result(&[&url], &prompt).await;
    assert_eq!(filled["messages"][0]["content"]["text"], "What's weather in Oslo?");
}

#[tokio::test]
async fn the_inspector_lists_and_calls_modern_tools() {
    let gateway = Setting::of([server::time()]).start().await;
    let url = format!("http://{}/mcp", gateway.address());
    for era in ["modern", "auto", "legacy"] {
        let listed = result(&[&url], &["--protocol-era", era, "--method", "tools/list"]).await;
        assert!(e2e::claims::each(&listed["tools"], "name").contains(&"time__get_current_time"), "{era}: {listed:#}");
        let call =
            ["--method", "tools/call", "--tool-name", "time__get_current_time", "--tool-arg", "timezone=Etc/UTC"];
        let called = result(&[&url], &[&["--protocol-era", era], &call[..]].concat()).await;
        assert_eq!(called["structuredContent"]["timezone"], "Etc/UTC", "{era}: {called:#}");
    }
}

#[tokio::test]
async fn the_inspector_comes_by_sse_and_by_the_bridge_too() {
    let gateway = Setting::of([server::everything()]).start().await;
    let echo = ["--method", "tools/call", "--tool-name", "everything__echo", "--tool-arg", "message=hi"];
    let url = format!("http://{}/sse", gateway.address());
    assert_eq!(result(&[&url], &echo).await["content"][0]["text"], "Echo: hi");
    let bridge = gateway.command(&["connect"]);
    let words: Vec<&str> =
        std::iter::once(bridge.get_program()).chain(bridge.get_args()).map(|word| word.to_str().unwrap()).collect();
    // Without the separator the Inspector would take the bridge's options for its own.
    let own = [&echo[..], &["--"]].concat();
    assert_eq!(result(&own, &words).await["content"][0]["text"], "Echo: hi");
}

#[tokio::test]
async fn the_inspector_finds_no_more_fault_with_the_schemas_than_directly() {
    let gateway = Setting::of([server::everything()]).start().await;
    let url = format!("http://{}/mcp", gateway.address());
    let everything = server::everything();
    let words: Vec<&str> = everything.command().iter().map(String::as_str).collect();
    let strict = ["--method", "tools/list", "--strict"];
    let direct = inspect(&[&strict[..], &["--"]].concat(), &words).await;
    let through = inspect(&[&url], &strict).await;
    assert_eq!(through.status.code(), direct.status.code(), "{}", String::from_utf8_lossy(&through.stderr));
}

#[tokio::test]
async fn the_inspector_puts_the_gateway_under_load_without_an_error() {
    let gateway = Setting::of([server::everything()]).start().await;
    let url = format!("http://{}/mcp", gateway.address());
    let call =
        ["--method", "tools/call", "--tool-name", "everything__get-sum", "--tool-args-json", "{\"a\":1,\"b\":2}"];
    let load = ["--load", "--load-requests", "200", "--load-concurrency", "20", "--format", "json"];
    let summary = result(&[&url], &[&call[..], &load].concat()).await["result"].clone();
    let counts = ["requests", "ok", "errors", "toolErrors"].map(|key| summary[key].clone());
    assert_eq!(counts, [json!(200), json!(200), json!(0), json!(0)], "{summary:#}");
}

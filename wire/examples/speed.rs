//! Measures how long an envelope takes, beside serde_json with raw values. Prints a table; asserts nothing.
//!
//! `cargo run --release -p wire --example speed`

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement takes real time and prints it")]

use std::{hint::black_box, time::Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use wire::Envelope;

/// The least that a reader with serde_json needs: the envelope, and of `params` what routing wants.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Message<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Meta<'a> {
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
    client: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

fn call(arguments: &str) -> Vec<u8> {
    let head = r#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"everything__echo","arguments":"#;
    format!("{head}{arguments}}}}}").into_bytes()
}

fn modern(arguments: &str) -> Vec<u8> {
    let meta = r#""_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"client","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
    call(&format!("{arguments},{meta}"))
}

fn measure(name: &str, body: &[u8]) {
    let rounds = (200_000_000 / body.len().max(200)).max(20);
    let ours = best(rounds, || {
        black_box(Envelope::parse(black_box(body), 64).is_ok());
    });
    let theirs = best(rounds, || {
        black_box(serde_json::from_slice::<Message<'_>>(black_box(body)).is_ok());
    });
    assert!(Envelope::parse(body, 64).is_ok() && serde_json::from_slice::<Message<'_>>(body).is_ok(), "{name}");
    let speed = |ns: f64| body.len() as f64 / ns;
    println!(
        "{name:<28} {:>8} B  wire {ours:>10.0} ns {:>6.2} B/ns   serde_json {theirs:>10.0} ns {:>6.2} B/ns   x{:.2}",
        body.len(),
        speed(ours),
        speed(theirs),
        theirs / ours
    );
}

/// Nanoseconds a round, the best of five runs.
fn best(rounds: usize, mut work: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..rounds / 5 {
            work();
        }
        least = least.min(start.elapsed().as_nanos() as f64 / (rounds / 5) as f64);
    }
    least
}

fn main() {
    let text = |piece: &str, size: usize| format!("{{\"text\":\"{}\"}}", piece.repeat(size / piece.len()));
    let million = 1 << 20;
    let items: Vec<String> = (0..million / 64)
        .map(|i| format!(r#"{{"id":{i},"name":"item {i}","tags":["a","bc"],"price":12.50,"ok":true}}"#))
        .collect();
    let pretty: Vec<String> = items.iter().map(|item| item.replace(',', ",\n        ")).collect();
    measure("call, 200 B", &call(&text("The quick brown fox. ", 84)));
    measure("modern call, 400 B", &modern(&text("The quick brown fox. ", 84)));
    measure("plain text, 1 MB", &call(&text("The quick brown fox. ", million)));
    measure("text with line breaks, 1 MB", &call(&text("The quick brown fox jumps over the lazy dog.\\n", million)));
    measure("code with quotes, 1 MB", &call(&text("let \\\"x\\\" = 1;\\n  ", million)));
    measure("world text, 1 MB", &call(&text("世界 größe 😀 abc ", million)));
    measure("small objects, 1 MB", &call(&format!("[{}]", items.join(","))));
    measure("small objects, spaced", &call(&format!("[{}]", pretty.join(",\n    "))));
    measure("numbers, 1 MB", &call(&format!("[{}]", "1.25,-17,3e8,".repeat(80_000) + "0")));
}

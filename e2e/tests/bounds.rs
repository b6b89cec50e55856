//! What clients can do to the gateway by asking much, reading nothing, or holding on: each has a bound, and nobody else
//! notices.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use e2e::{Gateway, Server, Setting, http::Ask, wait};
use serde_json::json;
use testkit::Httpd;

const PATIENCE: Duration = Duration::from_secs(120);

/// The value of a metric without labels.
async fn metric(gateway: &Gateway, name: &str) -> f64 {
    let text = Ask::get(gateway.address(), "/metrics").send().await.unwrap().bytes().await;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn an_answer_comes_at_the_pace_of_the_client_that_reads_it() {
    const WHOLE: usize = 300 << 20;
    let web = Httpd::start(&["--threads", "1", "--mode", "modern"]);
    let server = Server::remote("web", web.url(), "http").with("message", json!("1GiB"));
    let gateway = Setting::of([server]).hurried().start().await;
    let arguments = json!({ "name": "big", "arguments": { "bytes": WHOLE } });
    let ask = || Ask::modern(gateway.address(), "/servers/web/mcp", 1, "tools/call", arguments.clone());
    let answered = async || ask().send().await.ok().filter(|answer| answer.status.as_u16() == 200);
    let mut answer = wait::until("the server is there", PATIENCE, answered).await;
    let (mut read, mut most) = (0, 0.0_f64);
    while let Some(piece) = answer.piece().await {
        // Asking in between is what makes this client slow.
        if read >> 20 != (read + piece.len()) >> 20 {
            most = most.max(metric(&gateway, "process_resident_memory_bytes").await);
        }
        read += piece.len();
    }
    assert!(read > WHOLE, "{read}");
    assert!(most < 100e6, "{most} bytes were held for one client");
}

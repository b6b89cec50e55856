//! The API as a client of HTTP sees it, over a view that the test holds in its hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Mutex;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::{InstanceStatus, LogLine, LogLines, Ready};

/// A view with one server, whose log grows when the test says so.
struct Fixed {
    ready: Mutex<Ready>,
    lines: watch::Sender<Vec<LogLine>>,
}

impl Fixed {
    fn new() -> Arc<Self> {
        let ready = Mutex::new(Ready { ready: true, reasons: vec![] });
        Arc::new(Self { ready, lines: watch::Sender::new((1..=3).map(line).collect()) })
    }

    fn grow(&self, number: u64) {
        self.lines.send_modify(|lines| lines.push(line(number)));
    }
}

fn line(number: u64) -> LogLine {
    LogLine { number, unix_ms: 1_700_000_000_000 + number, text: format!("line {number}\r") }
}

impl View for Fixed {
    fn servers(&self) -> Vec<ServerStatus> {
        let instance = InstanceStatus {
            id: 7,
            pid: Some(4711),
            era: "legacy".into(),
            version: None,
            share: "profile".into(),
            uptime_seconds: 61,
            calls: 5,
            in_flight: 1,
        };
        vec![ServerStatus {
            name: "files".into(),
            kind: "process".into(),
            target: "npx".into(),
            state: State::Ready,
            eras: vec!["legacy".into()],
            restarts: 2,
            failure: None,
            instances: vec![instance],
            tools: 11,
            prompts: 0,
            resources: 3,
            templates: 1,
        }]
    }

    fn logs(&self, name: &str, tail: usize) -> Option<Vec<LogLine>> {
        let lines = self.lines.borrow();
        (name == "files").then(|| lines[lines.len().saturating_sub(tail)..].to_vec())
    }

    fn logs_after(&self, name: &str, after: u64) -> Option<LogLines> {
        let mut lines = self.lines.subscribe();
        (name == "files").then(|| -> LogLines {
            Box::pin(async move {
                let newer = |lines: &Vec<LogLine>| lines.last().is_some_and(|line| line.number > after);
                let lines = lines.wait_for(newer).await.unwrap();
                lines.iter().filter(|line| line.number > after).cloned().collect()
            })
        })
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }

    fn ready(&self) -> Ready {
        self.ready.lock().unwrap().clone()
    }
}

async fn ask(view: &Arc<Fixed>, request: Request<Body>) -> Response {
    router(view.clone()).oneshot(request).await.unwrap()
}

async fn get_(view: &Arc<Fixed>, path: &str) -> Response {
    ask(view, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

fn media(response: &Response) -> &str {
    response.headers()[header::CONTENT_TYPE].to_str().unwrap()
}

/// The data of the next event of a stream; comments are passed over.
async fn next_line(body: &mut Body) -> LogLine {
    loop {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) {
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[tokio::test]
async fn servers_are_listed_and_shown_one_by_one() {
    let view = Fixed::new();
    let list = get_(&view, "/api/v1/servers").await;
    assert_eq!(list.status(), 200);
    assert_eq!(list.headers()[header::CACHE_CONTROL], "no-store");
    let list = json_of(list).await;
    assert_eq!(list["servers"][0]["instances"][0]["pid"], 4711);
    assert_eq!(list["servers"][0].get("failure"), None);
    let one = json_of(get_(&view, "/api/v1/servers/files").await).await;
    assert_eq!(list["servers"][0], one);
    assert_eq!(serde_json::from_value::<ServerStatus>(one).unwrap(), view.servers()[0]);
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let view = Fixed::new();
    for (path, status, part) in [
        ("/api/v1/servers/none", 404, "there is no server `none`"),
        ("/api/v1/servers/none/logs?follow=true", 404, "there is no server `none`"),
        ("/api/v1/servers/files/logs?tail=some", 400, "`tail` is a number of lines"),
        ("/api/v1/servers/%ff", 400, "UTF-8"),
        ("/api/v2", 404, "nothing at `/api/v2`"),
    ] {
        let answer = get_(&view, path).await;
        assert_eq!((answer.status().as_u16(), media(&answer)), (status, "application/problem+json"), "{path}");
        let problem = json_of(answer).await;
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
    let answer = ask(&view, Request::delete("/api/v1/servers/files").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status().as_u16(), media(&answer)), (405, "application/problem+json"));
    assert_eq!(answer.headers()[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn probes_tell_life_from_readiness() {
    let view = Fixed::new();
    assert_eq!(json_of(get_(&view, "/health").await).await["status"], "ok");
    assert_eq!(get_(&view, "/ready").await.status(), 200);
    *view.ready.lock().unwrap() = Ready { ready: false, reasons: vec!["stopping".into()] };
    let ready = get_(&view, "/ready").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(json_of(ready).await["reasons"][0], "stopping");
    assert_eq!(get_(&view, "/live").await.status(), 200);
    let health = get_(&view, "/health").await;
    assert_eq!(health.status(), 200);
    let health = json_of(health).await;
    assert_eq!((&health["status"], &health["servers"]["ready"]), (&json!("degraded"), &json!(1)));
}

#[tokio::test]
async fn metrics_are_handed_on_as_they_are() {
    let answer = get_(&Fixed::new(), "/metrics").await;
    assert!(media(&answer).starts_with("application/openmetrics-text"));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "# EOF\n");
}

#[tokio::test]
async fn a_log_is_answered_from_its_end() {
    let view = Fixed::new();
    let logs = json_of(get_(&view, "/api/v1/servers/files/logs?tail=2&other=1").await).await;
    let numbers: Vec<_> = logs["lines"].as_array().unwrap().iter().map(|line| line["number"].clone()).collect();
    assert_eq!(numbers, [2, 3]);
    assert_eq!(logs["lines"][0]["text"], "line 2\r");
}

#[tokio::test]
async fn a_followed_log_has_no_gap_and_no_line_twice() {
    let view = Fixed::new();
    let answer = get_(&view, "/api/v1/servers/files/logs?tail=2&follow=true").await;
    assert_eq!(media(&answer), "text/event-stream");
    let mut body = answer.into_body();
    // Comes in before the tail has been read.
    view.grow(4);
    for expected in 2..=4 {
        assert_eq!(next_line(&mut body).await, line(expected));
    }
    view.grow(5);
    assert_eq!(next_line(&mut body).await, line(5));
}

#[tokio::test]
async fn a_follower_that_comes_back_goes_on_where_it_was() {
    let view = Fixed::new();
    let request = Request::get("/api/v1/servers/files/logs?follow=true").header("Last-Event-ID", "1");
    let mut body = ask(&view, request.body(Body::empty()).unwrap()).await.into_body();
    assert_eq!(next_line(&mut body).await, line(2));
    // Without a tail only what is new is told.
    let mut body = get_(&view, "/api/v1/servers/files/logs?tail=0&follow=true").await.into_body();
    view.grow(4);
    assert_eq!(next_line(&mut body).await, line(4));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_begins_anew_is_followed_on() {
    let view = Fixed::new();
    let mut body = get_(&view, "/api/v1/servers/files/logs?tail=0&follow=true").await.into_body();
    view.lines.send_modify(|lines| *lines = vec![line(1)]);
    assert_eq!(next_line(&mut body).await, line(1));
}

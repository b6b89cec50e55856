//! A server's log: its last lines as one answer, or followed as server-sent events.
//!
//! Never keeps a line: a follower that is slow asks for what it missed and may find it pushed out.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State as Shared, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    LogLine, Problem, TAIL_DEFAULT, TAIL_MAX, View,
    router::{Named, fresh, name_of, no_server},
};

/// A follower hears at least a comment this often, so that nobody between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What may be asked for. Unknown parameters are ignored.
#[derive(Deserialize)]
pub(crate) struct Question {
    #[serde(default = "tail_default")]
    tail: usize,
    #[serde(default)]
    follow: bool,
}

fn tail_default() -> usize {
    TAIL_DEFAULT
}

/// `GET /api/v1/servers/{name}/logs?tail=100&follow=true`
///
/// A follower that comes back with `Last-Event-ID` gets what came after that line instead of the tail.
pub(crate) async fn answer(
    Shared(view): Shared<Arc<dyn View>>,
    name: Named,
    question: Result<Query<Question>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = name_of(name)?;
    let Query(Question { tail, follow }) = question.map_err(|rejection| {
        let detail = format!("{}; `tail` is a number of lines, `follow` is true or false", rejection.body_text());
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let lines = view.logs(&name, tail.min(TAIL_MAX)).ok_or_else(|| no_server(&name))?;
    if !follow {
        return Ok(fresh(json!({ "server": name, "lines": lines })));
    }
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let follower = match seen {
        Some(after) => Follower { view, name, after, waiting: VecDeque::new() },
        None => {
            // With no line to show, what is already there was not asked for.
            let newest = view.logs(&name, 1).and_then(|lines| lines.last().map(|line| line.number));
            let after = lines.last().map(|line| line.number).or(newest).unwrap_or(0);
            Follower { view, name, after, waiting: lines.into() }
        }
    };
    Ok((no_buffering(), Sse::new(follower.events())).into_response())
}

/// Asks reverse proxies to hand events on at once.
fn no_buffering() -> [(&'static str, &'static str); 1] {
    [("x-accel-buffering", "no")]
}

/// One who reads a log as it grows.
struct Follower {
    view: Arc<dyn View>,
    name: String,
    /// The number of the last line taken from the view.
    after: u64,
    waiting: VecDeque<LogLine>,
}

impl Follower {
    /// The lines as events, without end as long as there is such a server.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
        stream::unfold(self, async |mut follower| follower.next().await.map(|event| (Ok(event), follower)))
    }

    async fn next(&mut self) -> Option<Event> {
        if self.waiting.is_empty() {
            match timeout(KEEP_ALIVE, self.view.logs_after(&self.name, self.after)?).await {
                Ok(lines) => self.waiting = lines.into(),
                Err(_) => self.notice_new_log(),
            }
            self.after = self.waiting.back().map_or(self.after, |line| line.number);
        }
        Some(match self.waiting.pop_front() {
            Some(line) => event(&line),
            None => Event::default().comment(""),
        })
    }

    /// A server that was changed begins a new log, whose numbers are smaller.
    fn notice_new_log(&mut self) {
        let newest = self.view.logs(&self.name, 1).and_then(|lines| lines.last().map(|line| line.number));
        if newest.unwrap_or(0) < self.after {
            self.after = 0;
        }
    }
}

fn event(line: &LogLine) -> Event {
    // A line break in the data would be refused by the event; JSON has none.
    let data = serde_json::to_string(line).unwrap_or_default();
    Event::default().id(line.number.to_string()).data(data)
}

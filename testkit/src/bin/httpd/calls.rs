//! `tools/call` and `subscriptions/listen`: what runs, and on which kind of answer it goes out.
//!
//! A call that has something to say on the way answers with a stream, others with JSON. A modern call ends when its
//! connection does; a legacy one goes on and can be taken up again.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json, value::RawValue};
use testkit::{
    protocol::{Era, Outcome, Refusal, key, meta, notification, rank, request, response, single},
    tools::{self, Question, failed, text},
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    app::{App, InFlight, Listen},
    body::{Body, Log, Style},
    connection::Answer,
    post,
    session::Session,
    streams,
};

/// A `tools/call` on its way.
pub struct Call {
    app: Arc<App>,
    era: Era,
    id: Box<RawValue>,
    params: Value,
    session: Option<Arc<Session>>,
    /// Where messages on the way go, and the response if there.
    out: Option<Arc<Log>>,
}

impl Call {
    pub fn new(
        app: &Arc<App>,
        era: Era,
        id: Box<RawValue>,
        params: Value,
        session: Option<Arc<Session>>,
        out: Option<Arc<Log>>,
    ) -> Self {
        app.counts.calls.fetch_add(1, Relaxed);
        Self { app: Arc::clone(app), era, id, params, session, out }
    }

    fn tool(&self) -> &str {
        self.params["name"].as_str().unwrap_or_default()
    }

    /// Whether there is something to say before the response.
    fn talks(&self) -> bool {
        match self.tool() {
            "ask" | "sample" | "roots" => self.era == Era::Legacy,
            "slow" => meta(&self.params).get("progressToken").is_some(),
            "log" => self.level().is_some(),
            _ => false,
        }
    }

    /// Rank of the lowest log level that the caller wants; nothing when it wants none.
    fn level(&self) -> Option<usize> {
        match &self.session {
            Some(session) => Some(session.level.load(Relaxed)),
            None => meta(&self.params)[key::LOG_LEVEL].as_str().and_then(rank),
        }
    }
}

/// Runs a call and answers its POST.
pub async fn deliver(mut call: Call) -> Answer {
    let streams = call.talks() || call.app.options.sse;
    if call.tool() == "big" && !streams {
        return big(&call);
    }
    if !streams && call.era == Era::Modern {
        let flight = InFlight::new(&call.app);
        let outcome = run(&call).await;
        flight.answered();
        return send(&call.app, "tools/call", call.era, &call.id, &outcome);
    }
    let (app, era, id) = (Arc::clone(&call.app), call.era, call.id.clone());
    if !streams {
        let outcome = spawn(call).await.map_err(std::io::Error::other)?;
        return send(&app, "tools/call", era, &id, &outcome);
    }
    let style = call.session.as_ref().map_or(Style::Bare, |session| session.stream.style);
    let log = Log::new(app.number(), style);
    let mut reader = log.read();
    if let Some(session) = call.session.as_ref().filter(|_| style == Style::Numbered) {
        session.keep(&log);
        // Clients of earlier revisions take an empty event for a broken message.
        if session.version.as_str() >= "2025-11-25" {
            log.prime(app.options.poll_sse);
            if app.options.poll_sse.is_some() {
                reader = reader.leave_after(0);
            }
        }
    }
    call.out = Some(log);
    let task = spawn(call).abort_handle();
    if era == Era::Modern {
        reader = reader.on_drop(move || task.abort());
    }
    streams::events(reader)
}

/// Runs a call by itself; with an `out`, the response goes there.
pub fn spawn(call: Call) -> JoinHandle<Outcome> {
    let (session, out, spelling) = (call.session.clone(), call.out.clone(), call.id.get().to_owned());
    let flight = InFlight::new(&call.app);
    let own = session.clone();
    let task = tokio::spawn(async move {
        let outcome = run(&call).await;
        if let Some(out) = &call.out {
            let outcome = outcome.clone().map(|result| call.app.offer.finish(call.era, "tools/call", result));
            out.push(&response(&call.id, &outcome));
            // The one stream of HTTP+SSE goes on.
            if out.style != Style::Named {
                out.finish();
            }
        }
        if let Some(session) = own {
            session.inner().running.remove(call.id.get());
        }
        flight.answered();
        outcome
    });
    if let Some(session) = session {
        // The task runs on this thread, so it cannot have ended before this line.
        let own_stream = out.filter(|out| out.style != Style::Named);
        session.inner().running.insert(spelling, (task.abort_handle(), own_stream));
    }
    task
}

async fn run(call: &Call) -> Outcome {
    let arguments = &call.params["arguments"];
    let name = call.tool();
    if let Some(question) = tools::question(name, arguments) {
        return match &call.session {
            Some(session) => Ok(ask(call, session, &question).await),
            None => question.over_rounds(&call.params),
        };
    }
    Ok(match name {
        "slow" => slow(call, arguments).await,
        "hang" => std::future::pending().await,
        #[allow(clippy::disallowed_methods, reason = "to stop dead is what this tool is for")]
        "crash" => std::process::exit(9),
        "log" => log(call, arguments),
        "toggle" => toggle(&call.app),
        "update" => update(&call.app, arguments["uri"].as_str().unwrap_or_default()),
        "pending" => {
            let counts = &call.app.counts;
            let found =
                json!({"running": counts.running.load(Relaxed) - 1, "cancelled": counts.cancelled.load(Relaxed)});
            let mut result = text(&found.to_string());
            result["structuredContent"] = found;
            result
        }
        "regional" => text(arguments["region"].as_str().unwrap_or("nowhere")),
        "extra" if !call.app.extra.load(Relaxed) => return Err(Refusal::params("Unknown tool: extra")),
        name => tools::plain(name, arguments).ok_or_else(|| Refusal::params(format!("Unknown tool: {name}")))?,
    })
}

async fn slow(call: &Call, arguments: &Value) -> Value {
    let steps = arguments["steps"].as_u64().unwrap_or(1).clamp(1, 10_000);
    let step = Duration::from_millis(arguments["ms"].as_u64().unwrap_or(100)) / u32::try_from(steps).unwrap_or(1);
    // Told at the beginning of each step: what comes at once with the answer, some clients never hand on.
    for n in 1..=steps {
        if let (Some(out), Some(token)) = (&call.out, meta(&call.params).get("progressToken")) {
            let params = json!({"progressToken": token, "progress": n, "total": steps, "message": format!("step {n}")});
            out.push(&notification("notifications/progress", &params));
        }
        tokio::time::sleep(step).await;
    }
    text("done")
}

/// A request to the client in mid-call, as the legacy era has it; the answer is the result.
async fn ask(call: &Call, session: &Session, question: &Question) -> Value {
    let Some(out) = &call.out else { return failed("no way to the client") };
    let (sender, answer) = oneshot::channel();
    let number = call.app.number();
    {
        let mut inner = session.inner();
        if inner.capabilities.get(question.capability).is_none() {
            return failed(&format!("the client has no {}", question.capability));
        }
        inner.asked.insert(number, sender);
    }
    out.push(&request(number, question.method, &question.params));
    match answer.await {
        Ok(answer) => text(&answer.to_string()),
        Err(_) => failed("the session ended"),
    }
}

fn log(call: &Call, arguments: &Value) -> Value {
    let level = arguments["level"].as_str().unwrap_or("info");
    if let (Some(out), Some(wanted), Some(rank)) = (&call.out, call.level(), rank(level))
        && rank >= wanted
    {
        let data = arguments["text"].as_str().unwrap_or("a line");
        let params = json!({"level": level, "logger": "httpd", "data": data});
        out.push(&notification("notifications/message", &params));
    }
    text("logged")
}

fn toggle(app: &App) -> Value {
    let there = !app.extra.fetch_xor(true, Relaxed);
    let method = "notifications/tools/list_changed";
    app.tell(method, &json!({}), |_| true, |filter| filter["toolsListChanged"] == true);
    text(if there { "added" } else { "removed" })
}

fn update(app: &App, uri: &str) -> Value {
    let legacy = |session: &Session| session.inner().subscribed.contains(uri);
    let modern = |filter: &Value| {
        let uris = filter["resourceSubscriptions"].as_array();
        uris.is_some_and(|uris| uris.iter().any(|wanted| wanted == uri))
    };
    app.tell("notifications/resources/updated", &json!({ "uri": uri }), legacy, modern);
    text("told")
}

/// Opens a modern subscription; it ends with its connection.
pub fn listen(app: &Arc<App>, id: &RawValue, params: &Value) -> Answer {
    let number = app.number();
    let log = Log::new(number, Style::Bare);
    let id: Value = serde_json::from_str(id.get()).unwrap_or(Value::Null);
    let filter = params["notifications"].clone();
    let told = json!({"_meta": single(key::SUBSCRIPTION_ID, id.clone()), "notifications": filter});
    log.push(&notification("notifications/subscriptions/acknowledged", &told));
    let reader = log.read();
    app.listens().insert(number, Listen { id, filter, log });
    let end = Arc::clone(app);
    streams::events(reader.on_drop(move || {
        end.listens().remove(&number);
    }))
}

/// A large answer that is made while it is sent.
fn big(call: &Call) -> Answer {
    let bytes = call.params["arguments"]["bytes"].as_u64().unwrap_or_default();
    let mark = "@filler@";
    let result = call.app.offer.finish(call.era, "tools/call", text(mark));
    let whole = response(&call.id, &Ok(result));
    let (head, tail) = whole.split_once(mark).unwrap_or_default();
    let body = Body::Filler {
        head: Bytes::copy_from_slice(head.as_bytes()),
        left: bytes,
        tail: Bytes::copy_from_slice(tail.as_bytes()),
        told: !call.app.options.chunked,
    };
    typed(StatusCode::OK, body)
}

/// An outcome as the answer of its era: JSON, or a stream of one event with `--sse`.
pub fn send(app: &Arc<App>, method: &str, era: Era, id: &RawValue, outcome: &Outcome) -> Answer {
    let finished = match (method, outcome) {
        ("tools/call", Ok(result)) => &Ok(app.offer.finish(era, method, result.clone())),
        _ => outcome,
    };
    let body = response(id, finished);
    if app.options.sse && outcome.is_ok() {
        let log = Log::new(app.number(), Style::Bare);
        log.push(&body);
        log.finish();
        return streams::events(log.read());
    }
    let status = match (era, outcome) {
        (Era::Modern, Err(refusal)) => post::modern_status(refusal.code),
        _ => StatusCode::OK,
    };
    typed(status, post::spoil(app, method, body.into()))
}

fn typed(status: StatusCode, body: Body) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}

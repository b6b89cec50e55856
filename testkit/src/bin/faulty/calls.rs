//! The tools that wait, ask, or do harm. Each runs on a thread of its own and may be cancelled.
//!
//! Never writes its own response: it returns what the response shall be, or nothing for none.

use std::{io::Write as _, time::Duration};

use serde_json::{Value, json};
use testkit::{
    protocol::{Era, Outcome, Refusal, code, key, meta, notification, rank, request},
    tools::{self, Question, failed, text},
};

use crate::server::{Call, Server};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// What a waiting call was woken by.
#[derive(PartialEq)]
enum Woken {
    InTime,
    Cancelled,
}

impl Server {
    /// Runs the tool. Nothing when the call was cancelled, or answers nobody.
    pub fn run(&self, call: &Call) -> Option<Outcome> {
        let name = call.params["name"].as_str().unwrap_or_default();
        let arguments = &call.params["arguments"];
        if name == "extra" && !self.state().extra {
            return Some(Err(unknown(name)));
        }
        if let Some(question) = tools::question(name, arguments) {
            return match call.era {
                Era::Legacy => self.ask(call, &question),
                Era::Modern => Some(question.over_rounds(&call.params)),
            };
        }
        Some(Ok(match name {
            "slow" => return self.slow(call, arguments),
            "crash" => std::process::exit(9),
            "hang" => return self.wait(call, None).map(|_| Ok(text("woken"))),
            "flood_stderr" => flood(arguments["bytes"].as_u64().unwrap_or_default()),
            "log" => self.log(call, arguments),
            "raw" => text(&call.line),
            "reply" => return self.reply(call, arguments["result"].as_str().unwrap_or("{}")),
            "pending" => self.pending(call),
            "toggle" => self.toggle(),
            "update" => self.update(arguments["uri"].as_str().unwrap_or_default()),
            name => match tools::plain(name, arguments) {
                Some(result) => result,
                None => return Some(Err(unknown(name))),
            },
        }))
    }

    /// Waits until the time is over or for ever; nothing when the call was cancelled.
    fn wait(&self, call: &Call, time: Option<Duration>) -> Option<()> {
        let time = time.unwrap_or(FOR_EVER);
        let running = |state: &mut crate::server::State| state.running.contains_key(call.id.get());
        let waited = self.woken.wait_timeout_while(self.state(), time, running);
        let woken = match waited {
            Ok((_, result)) if result.timed_out() => Woken::InTime,
            _ => Woken::Cancelled,
        };
        (woken == Woken::InTime).then_some(())
    }

    fn slow(&self, call: &Call, arguments: &Value) -> Option<Outcome> {
        let steps = arguments["steps"].as_u64().unwrap_or(1).clamp(1, 10_000);
        let whole = Duration::from_millis(arguments["ms"].as_u64().unwrap_or(100));
        let step = whole / u32::try_from(steps).unwrap_or(1);
        // Told at the beginning of each step: what comes at once with the answer, some clients never hand on.
        for n in 1..=steps {
            if let Some(token) = meta(&call.params).get("progressToken") {
                let params =
                    json!({"progressToken": token, "progress": n, "total": steps, "message": format!("step {n}")});
                self.output.send(&notification("notifications/progress", &params));
            }
            self.wait(call, Some(step))?;
        }
        Some(Ok(text("done")))
    }

    /// A request to the client in mid-call, as the legacy era has it; the answer is the result.
    fn ask(&self, call: &Call, question: &Question) -> Option<Outcome> {
        let id = {
            let mut state = self.state();
            if state.capabilities.get(question.capability).is_none() {
                return Some(Ok(failed(&format!("the client has no {}", question.capability))));
            }
            state.next_id += 1;
            let id = state.next_id;
            state.asked.insert(id, None);
            id
        };
        self.output.send(&request(id, question.method, &question.params));
        let waiting = |state: &mut crate::server::State| {
            state.running.contains_key(call.id.get()) && matches!(state.asked.get(&id), Some(None))
        };
        let mut state = self.woken.wait_while(self.state(), waiting).ok()?;
        let answer = state.asked.remove(&id).flatten();
        answer.map(|answer| Ok(text(&answer.to_string())))
    }

    /// A log message, if the caller wants such.
    fn log(&self, call: &Call, arguments: &Value) -> Value {
        let level = arguments["level"].as_str().unwrap_or("info");
        let wanted = match call.era {
            Era::Legacy => Some(self.state().level),
            Era::Modern => meta(&call.params)[key::LOG_LEVEL].as_str().and_then(rank),
        };
        if wanted.is_some_and(|wanted| rank(level).is_some_and(|rank| rank >= wanted)) {
            let params =
                json!({"level": level, "logger": "faulty", "data": arguments["text"].as_str().unwrap_or("a line")});
            self.output.send(&notification("notifications/message", &params));
        }
        text("logged")
    }

    /// Answers with a result that is not this server's own spelling.
    fn reply(&self, call: &Call, result: &str) -> Option<Outcome> {
        self.state().running.remove(call.id.get())?;
        self.output.send(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, call.id));
        None
    }

    fn pending(&self, call: &Call) -> Value {
        let state = self.state();
        let running = state.running.iter().filter(|(id, _)| id.as_str() != call.id.get());
        let running: Vec<_> = running.map(|(id, tool)| json!({"id": id, "tool": tool})).collect();
        let asked: Vec<_> = state.asked.values().flatten().collect();
        let (cancelled, subscribed) = (&state.cancelled, &state.subscribed);
        let found = json!({"running": running, "cancelled": cancelled, "subscribed": subscribed, "answers": asked});
        let mut result = text(&found.to_string());
        result["structuredContent"] = found;
        result
    }
}

/// Writes so many bytes to stderr, in lines.
fn flood(bytes: u64) -> Value {
    let line = [b"e".repeat(127), b"\n".to_vec()].concat();
    let mut stderr = std::io::stderr().lock();
    for _ in 0..bytes.div_ceil(line.len() as u64) {
        let _ = stderr.write_all(&line);
    }
    text("flooded")
}

fn unknown(tool: &str) -> Refusal {
    Refusal::new(code::INVALID_PARAMS, format!("Unknown tool: {tool}"))
}

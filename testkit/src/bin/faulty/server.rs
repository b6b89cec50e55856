//! One connection's state, and where each message goes.
//!
//! Requests that answer at once are answered on the reading thread, in order; tools that wait get a thread of their
//! own (`calls.rs`). Everything that changes is under one lock with one condition variable.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use testkit::{
    offer::Offer,
    protocol::{Era, Mode, Outcome, Refusal, check_meta, code, declared_version, rank},
    tools,
};

use crate::{options::Options, output::Output};

/// Calls running at once; more are refused.
const MOST_CALLS: usize = 1024;

/// A message as it came, the id in its own spelling.
#[derive(Deserialize)]
struct Incoming {
    id: Option<Box<RawValue>>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    result: Option<Value>,
    error: Option<Value>,
}

/// What changes while the server runs.
#[derive(Default)]
pub struct State {
    /// Era of the first message, when that binds.
    pub locked: Option<Era>,
    /// Whether any request came yet.
    pub begun: bool,
    /// Legacy: capabilities from `initialize`.
    pub capabilities: Value,
    /// Legacy: rank of the lowest level wanted.
    pub level: usize,
    /// Legacy: resources that the client wants to hear of.
    pub subscribed: BTreeSet<String>,
    /// Modern: filters by the spelling of the id of the `subscriptions/listen` that set them.
    pub listens: BTreeMap<String, Value>,
    /// Calls in flight: spelling of the id, and the tool.
    pub running: BTreeMap<String, String>,
    /// Spellings of the ids of calls that were cancelled.
    pub cancelled: Vec<String>,
    /// Our own requests to the client: nothing until the answer is there.
    pub asked: BTreeMap<u64, Option<Value>>,
    /// Id of our next request.
    pub next_id: u64,
    /// Whether the tool that comes and goes is there.
    pub extra: bool,
    /// Calls answered.
    pub answered: usize,
}

/// The server.
pub struct Server {
    pub options: Options,
    pub offer: Offer,
    pub output: Output,
    pub state: Mutex<State>,
    /// Told of every cancellation and every answer of the client.
    pub woken: Condvar,
}

/// A `tools/call` on its way.
pub struct Call {
    pub id: Box<RawValue>,
    pub era: Era,
    pub params: Value,
    /// The whole message as it came.
    pub line: String,
}

impl Server {
    pub fn new(options: Options) -> Arc<Self> {
        let offer = Offer {
            name: options.name.clone(),
            mode: options.mode,
            pages: options.list_pages,
            many_tools: options.many_tools,
            own_tools: own_tools(),
        };
        let output = Output::new(&options);
        Arc::new(Self { options, offer, output, state: Mutex::default(), woken: Condvar::new() })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn greet(&self) {
        self.output.greet();
    }

    /// Takes one line.
    pub fn take(self: &Arc<Self>, line: &str) {
        let Ok(message) = serde_json::from_str::<Incoming>(line) else {
            return self.output.send(&testkit::protocol::error(None, &Refusal::new(code::PARSE, "Parse error")));
        };
        match (message.method, message.id) {
            (Some(method), Some(id)) => self.request(line, &method, id, message.params),
            (Some(method), None) => self.notified(&method, &message.params),
            (None, Some(id)) => {
                if let Ok(id) = id.get().parse() {
                    let answer = message.result.unwrap_or_else(|| json!({ "error": message.error }));
                    self.answered(id, answer);
                }
            }
            (None, None) => {}
        }
    }

    /// The client is gone: nothing waits any longer, subscriptions end in good order.
    pub fn close(&self) {
        let listens = std::mem::take(&mut self.state().listens);
        for id in listens.into_keys() {
            self.end_listen(&id);
        }
    }

    fn request(self: &Arc<Self>, line: &str, method: &str, id: Box<RawValue>, params: Value) {
        if self.keeps_silent(method) {
            return;
        }
        let era = match self.era(method, &params) {
            Ok(era) => era,
            Err(refusal) => return self.output.respond(&id, &Err(refusal)),
        };
        match method {
            "tools/call" => self.call(Call { id, era, params, line: line.to_owned() }),
            "subscriptions/listen" if era == Era::Modern => self.listen(&id, &params),
            "resources/subscribe" if era == Era::Legacy => self.subscribe(id, &params),
            method => {
                let outcome = self.answer(era, method, &params);
                self.output.respond(&id, &outcome);
            }
        }
    }

    /// Whether this request is one of those that the options leave without an answer.
    fn keeps_silent(&self, method: &str) -> bool {
        let first = !std::mem::replace(&mut self.state().begun, true);
        if self.options.die_on_discover && first && method != "initialize" {
            std::process::exit(4);
        }
        let discover = method == "server/discover";
        (self.options.hang_on_discover && discover) || (self.options.silent && (discover || method == "initialize"))
    }

    /// The era that a request belongs to, if it is served.
    fn era(&self, method: &str, params: &Value) -> Result<Era, Refusal> {
        let mode = self.options.mode;
        let modern = method != "initialize" && (declared_version(params).is_some() || method == "server/discover");
        // A server of one era takes everything for that era: the old ones answer a modern `tools/list` all the same.
        let era = match mode {
            Mode::Legacy => Era::Legacy,
            Mode::Modern => Era::Modern,
            Mode::Dual if modern => Era::Modern,
            Mode::Dual => Era::Legacy,
        };
        let requested = || match method {
            "initialize" => params["protocolVersion"].as_str().unwrap_or_default().to_owned(),
            _ => declared_version(params).unwrap_or_default().to_owned(),
        };
        if self.options.lock_era && *self.state().locked.get_or_insert(era) != era {
            return Err(Refusal::version(&requested(), mode));
        }
        if era == Era::Modern {
            if method == "initialize" {
                return Err(Refusal::version(&requested(), mode));
            }
            check_meta(params, mode)?;
        }
        Ok(era)
    }

    /// Answers what needs no waiting.
    fn answer(&self, era: Era, method: &str, params: &Value) -> Outcome {
        let extra = {
            let mut state = self.state();
            match (era, method) {
                (Era::Legacy, "initialize") => state.capabilities = params["capabilities"].clone(),
                (Era::Legacy, "logging/setLevel") => {
                    let level = params["level"].as_str().and_then(rank);
                    state.level = level.ok_or_else(|| Refusal::params("unknown log level"))?;
                    return Ok(json!({}));
                }
                (Era::Legacy, "resources/unsubscribe") => {
                    state.subscribed.remove(params["uri"].as_str().unwrap_or_default());
                    return Ok(json!({}));
                }
                _ => {}
            }
            state.extra
        };
        self.offer.answer(era, method, params, extra).unwrap_or_else(|| Err(Refusal::method(method)))
    }

    fn notified(&self, method: &str, params: &Value) {
        if method != "notifications/cancelled" {
            return;
        }
        let id = params["requestId"].to_string();
        let mut state = self.state();
        state.listens.remove(&id);
        if state.running.remove(&id).is_some() {
            state.cancelled.push(id);
            self.woken.notify_all();
        }
    }

    fn answered(&self, id: u64, answer: Value) {
        if let Some(slot) = self.state().asked.get_mut(&id) {
            *slot = Some(answer);
            self.woken.notify_all();
        }
    }

    /// Gives the call a thread; it leaves `running` when it is answered or cancelled.
    fn call(self: &Arc<Self>, call: Call) {
        let spelling = call.id.get().to_owned();
        {
            let mut state = self.state();
            if state.running.len() >= MOST_CALLS {
                drop(state);
                return self.output.respond(&call.id, &Err(Refusal::new(code::INTERNAL, "too many calls")));
            }
            let tool = call.params["name"].as_str().unwrap_or_default();
            state.running.insert(spelling.clone(), tool.to_owned());
        }
        let server = Arc::clone(self);
        thread::spawn(move || {
            if let Some(bytes) = server.options.huge_line {
                server.output.never_end(&call.id, bytes);
            }
            let Some(outcome) = server.run(&call) else { return };
            let outcome = outcome.map(|result| server.offer.finish(call.era, "tools/call", result));
            // Whoever takes the call out of the list decides: an answer after a cancellation is not sent.
            if server.state().running.remove(&spelling).is_none() {
                return;
            }
            server.output.respond(&call.id, &outcome);
            let mut state = server.state();
            state.answered += 1;
            if server.options.crash_after == Some(state.answered) {
                std::process::exit(3);
            }
        });
    }
}

/// Tools that only a server on stdio has.
fn own_tools() -> Vec<Value> {
    let none = || json!([]);
    vec![
        tools::tool("crash", "Exits in mid-call.", json!({}), none()),
        tools::tool("hang", "Never answers.", json!({}), none()),
        tools::tool("flood_stderr", "Writes `bytes` bytes to stderr.", json!({"bytes": {"type": "integer"}}), none()),
        tools::tool("raw", "Answers with the message as it came, byte for byte.", json!({}), none()),
        tools::tool(
            "reply",
            "Answers with `result`, a text, as its raw result.",
            json!({"result": {"type": "string"}}),
            none(),
        ),
    ]
}

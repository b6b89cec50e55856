//! One copy's conversation: what each message asks for, who listens to changes, which calls still run.
//!
//! Never waits for a call: slow ones run as tasks of their own, which are dropped with the conversation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinError, JoinSet},
};
use wire::era::{Era, code};

use super::{
    message::{Level, Object, Outcome, Refusal, Request, error, is_id, notification, object},
    notes::{Change, Notes},
    offer,
    tools::{self, Call},
};

/// Slow calls that run at the same time.
const RUNNING: usize = 64;
/// Subscriptions open at the same time (modern era).
const LISTENING: usize = 64;
/// URIs watched by one subscription, or by a legacy session.
const WATCHED: usize = 256;
/// Messages in one batch (2025-03-26, basic/index, "Batching").
const BATCH: usize = 100;

/// A legacy session: what `initialize` and the requests after it settled.
#[derive(Default)]
struct Settled {
    version: &'static str,
    /// It said `notifications/initialized`, so it may be told of changes.
    open: bool,
    level: Option<Level>,
    watched: BTreeSet<String>,
}

/// An open `subscriptions/listen`.
struct Listening {
    id: Value,
    list: bool,
    watched: BTreeSet<String>,
}

/// The conversation over one stream.
pub(super) struct Session {
    notes: Arc<Notes>,
    out: mpsc::Sender<Bytes>,
    settled: Option<Settled>,
    /// By the request's id, as JSON.
    listening: BTreeMap<String, Listening>,
    calls: BTreeMap<String, AbortHandle>,
    /// The slow calls; each tells its request's id when it ends.
    pub(super) running: JoinSet<String>,
}

/// Writes a message, after those before it.
pub(super) async fn send(out: &mpsc::Sender<Bytes>, message: &Value) {
    // Fails only when nobody reads any more; then the conversation is about to end.
    let _ = out.send(message.to_string().into()).await;
}

impl Session {
    pub(super) fn new(notes: Arc<Notes>, out: mpsc::Sender<Bytes>) -> Self {
        let running = JoinSet::new();
        Self { notes, out, settled: None, listening: BTreeMap::new(), calls: BTreeMap::new(), running }
    }

    /// Takes a line.
    pub(super) async fn read(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Value::Array(batch)) => {
                let allowed = self.settled.as_ref().is_some_and(|settled| settled.version == "2025-03-26");
                if !allowed || batch.is_empty() || batch.len() > BATCH {
                    return self.refuse(None, Refusal::new(code::INVALID_REQUEST, "this batch is not accepted")).await;
                }
                for message in batch {
                    self.take(message).await;
                }
            }
            Ok(message) => self.take(message).await,
            Err(fault) => self.refuse(None, Refusal::new(code::PARSE, format!("not JSON: {fault}"))).await,
        }
    }

    /// Takes note of a line that was too long to be read.
    pub(super) async fn too_long(&self) {
        self.refuse(None, Refusal::new(code::INVALID_REQUEST, "the message is too long")).await;
    }

    async fn take(&mut self, message: Value) {
        let mut message = object(message);
        let (method, id) = (message.remove("method"), message.remove("id"));
        let params = object(message.remove("params").unwrap_or_default());
        match (method, id) {
            _ if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") => {
                self.refuse(None, Refusal::new(code::INVALID_REQUEST, "not a JSON-RPC 2.0 message")).await;
            }
            (Some(Value::String(method)), None) => self.notified(&method, &params),
            (Some(Value::String(method)), Some(id)) if is_id(&id) => self.asked(id, method, params).await,
            // An answer: this server asks nothing, so there is nothing to do with it.
            (None, _) if message.contains_key("result") || message.contains_key("error") => {}
            _ => self.refuse(None, Refusal::new(code::INVALID_REQUEST, "neither request nor notification")).await,
        }
    }

    fn notified(&mut self, method: &str, params: &Object) {
        match (method, &mut self.settled) {
            ("notifications/initialized", Some(settled)) => settled.open = true,
            ("notifications/cancelled", _) => {
                let id = params.get("requestId").map(Value::to_string).unwrap_or_default();
                self.listening.remove(&id);
                if let Some(call) = self.calls.remove(&id) {
                    call.abort();
                }
            }
            _ => {}
        }
    }

    async fn asked(&mut self, id: Value, method: String, params: Object) {
        let level = self.settled.as_ref().map(|settled| settled.level);
        let request = match Request::check(&id, method, params, level) {
            Ok(request) => request,
            Err(refusal) => return self.refuse(Some(&id), refusal).await,
        };
        match self.answer(&request).await {
            Ok(Some(outcome)) => send(&self.out, &request.answer(outcome)).await,
            Ok(None) => {}
            Err(refusal) => self.refuse(Some(&request.id), refusal).await,
        }
    }

    /// The outcome of a request; nothing if it is told later, or never.
    async fn answer(&mut self, request: &Request) -> Result<Option<Outcome>, Refusal> {
        let params = &request.params;
        let outcome = match (request.era, request.method.as_str()) {
            (_, "tools/list") => offer::one_page(params).map(|()| tools::list()),
            (_, "tools/call") => return self.call(request),
            (_, "resources/list") => offer::resources(params, &self.notes),
            (_, "resources/templates/list") => offer::one_page(params).map(|()| offer::templates()),
            (_, "resources/read") => offer::read(params, &self.notes, request.era),
            (_, "prompts/list") => offer::one_page(params).map(|()| offer::prompts()),
            (_, "prompts/get") => offer::prompt(params, &self.notes),
            (_, "completion/complete") => offer::complete(params, &self.notes),
            (Era::Modern, "server/discover") => Ok(offer::discover()),
            (Era::Modern, "subscriptions/listen") => return self.listen(request).await.map(|()| None),
            (Era::Legacy, method) => self.answer_legacy(method, params),
            (Era::Modern, _) => Err(unknown_method(request)),
        };
        outcome.map(Some)
    }

    /// What only the legacy era asks for.
    fn answer_legacy(&mut self, method: &str, params: &Object) -> Result<Outcome, Refusal> {
        let settled = match (method, &mut self.settled) {
            ("initialize", _) => {
                let (version, outcome) = offer::initialize(params);
                self.settled = Some(Settled { version, ..Settled::default() });
                return Ok(outcome);
            }
            ("logging/setLevel" | "resources/subscribe" | "resources/unsubscribe", Some(settled)) => settled,
            ("ping", _) => return Ok(Outcome::new(json!({}))),
            _ => return Err(Refusal::new(code::METHOD_NOT_FOUND, format!("there is no method `{method}`"))),
        };
        if method == "logging/setLevel" {
            settled.level = Some(Level::parse(params.get("level").unwrap_or(&Value::Null))?);
            return Ok(Outcome::new(json!({})));
        }
        let uri = params.get("uri").and_then(offer::watchable).ok_or_else(|| Refusal::params("no such resource"))?;
        if method == "resources/unsubscribe" {
            settled.watched.remove(uri);
        } else if settled.watched.len() < WATCHED || settled.watched.contains(uri) {
            settled.watched.insert(uri.to_owned());
        } else {
            return Err(Refusal::params(format!("{WATCHED} resources are watched already")));
        }
        Ok(Outcome::new(json!({})))
    }

    fn call(&mut self, request: &Request) -> Result<Option<Outcome>, Refusal> {
        let countdown = match tools::call(&request.params, &self.notes)? {
            Call::Done(outcome) => return Ok(Some(outcome)),
            Call::Countdown(countdown) => countdown,
        };
        let id = request.id.to_string();
        self.refuse_used(&id)?;
        if self.calls.len() >= RUNNING {
            return Err(Refusal::new(code::INTERNAL, format!("{RUNNING} calls are running: try again later")));
        }
        let (request, out, own) = (request.clone(), self.out.clone(), id.clone());
        let call = self.running.spawn(async move {
            countdown.run(request, out).await;
            own
        });
        self.calls.insert(id, call);
        Ok(None)
    }

    /// Takes note of the end of a slow call.
    pub(super) fn ended(&mut self, ended: Result<String, JoinError>) {
        // One that was cancelled is known no more.
        if let Ok(id) = ended
            && self.calls.get(&id).is_some_and(AbortHandle::is_finished)
        {
            self.calls.remove(&id);
        }
    }

    fn refuse_used(&self, id: &str) -> Result<(), Refusal> {
        let running = self.calls.get(id).is_some_and(|call| !call.is_finished());
        if running || self.listening.contains_key(id) {
            return Err(Refusal::new(code::INVALID_REQUEST, "the id is that of a request still open"));
        }
        Ok(())
    }

    /// Opens a subscription (2026-07-28, basic/patterns/subscriptions). Tools and prompts never change here, so what
    /// is asked of them is left out of the acknowledgment.
    async fn listen(&mut self, request: &Request) -> Result<(), Refusal> {
        let id = request.id.to_string();
        self.refuse_used(&id)?;
        if self.listening.len() >= LISTENING {
            return Err(Refusal::new(code::INTERNAL, format!("{LISTENING} subscriptions are open already")));
        }
        let wanted = request.params.get("notifications").and_then(Value::as_object);
        let wanted = wanted.ok_or_else(|| Refusal::params("`notifications` must be an object"))?;
        let list = wanted.get("resourcesListChanged") == Some(&Value::Bool(true));
        let uris = wanted.get("resourceSubscriptions").and_then(Value::as_array);
        let uris = uris.into_iter().flatten().filter_map(offer::watchable);
        let watched: BTreeSet<_> = uris.take(WATCHED).map(str::to_owned).collect();
        let mut honoured = json!({});
        if list {
            honoured["resourcesListChanged"] = true.into();
        }
        if !watched.is_empty() {
            honoured["resourceSubscriptions"] = json!(watched);
        }
        let params = json!({ "notifications": honoured });
        send(&self.out, &notification("notifications/subscriptions/acknowledged", params, Some(&request.id))).await;
        self.listening.insert(id, Listening { id: request.id.clone(), list, watched });
        Ok(())
    }

    /// Tells those who want to know of a change.
    pub(super) async fn changed(&self, change: &Change) {
        let uri = format!("{}{}", offer::NOTES_URI, change.key);
        if let Some(settled) = self.settled.as_ref().filter(|settled| settled.open) {
            self.tell(None, change.list, settled.watched.get(&uri)).await;
        }
        for Listening { id, list, watched } in self.listening.values() {
            self.tell(Some(id), *list && change.list, watched.get(&uri)).await;
        }
    }

    /// Changes came faster than they could be told: everything may be another.
    pub(super) async fn missed_changes(&self) {
        if let Some(settled) = self.settled.as_ref().filter(|settled| settled.open) {
            self.tell(None, true, &settled.watched).await;
        }
        for Listening { id, list, watched } in self.listening.values() {
            self.tell(Some(id), *list, watched).await;
        }
    }

    async fn tell<'a>(&self, subscription: Option<&Value>, list: bool, uris: impl IntoIterator<Item = &'a String>) {
        if list {
            let told = notification("notifications/resources/list_changed", json!({}), subscription);
            send(&self.out, &told).await;
        }
        for uri in uris {
            let told = notification("notifications/resources/updated", json!({ "uri": uri }), subscription);
            send(&self.out, &told).await;
        }
    }

    async fn refuse(&self, id: Option<&Value>, refusal: Refusal) {
        send(&self.out, &error(id, refusal, self.settled.is_some())).await;
    }
}

fn unknown_method(request: &Request) -> Refusal {
    Refusal::new(code::METHOD_NOT_FOUND, format!("revision 2026-07-28 has no method `{}` here", request.method))
}

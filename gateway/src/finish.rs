//! The end of a call: the only place that writes its line of log and counts it.

use std::sync::Arc;

use ground::{Failure, Kind, ServerName};
use tokio::time::Instant;
use upstream::Method;
use wire::era::Era;

use crate::{gateway::Gateway, meters::Series};

/// How a call ends of which nothing else is noted: its caller went away.
const ABANDONED: &str = "abandoned";

/// A call's account, from its arrival until its answer has been sent or given up.
///
/// Boxed inside: it is handed from stage to stage.
pub struct Ticket(Box<Account>);

struct Account {
    gateway: Arc<Gateway>,
    series: Option<Arc<Series>>,
    start: Instant,
    era: Era,
    method: Method,
    server: Option<ServerName>,
    name: Option<Arc<str>>,
    outcome: &'static str,
    detail: Option<String>,
    bytes: usize,
}

impl Ticket {
    /// Opens an account.
    #[must_use]
    pub fn open(gateway: &Arc<Gateway>, era: Era, method: &Method) -> Self {
        gateway.meters.in_flight.inc();
        Self(Box::new(Account {
            gateway: gateway.clone(),
            series: None,
            start: Instant::now(),
            era,
            method: method.clone(),
            server: None,
            name: None,
            outcome: ABANDONED,
            detail: None,
            bytes: 0,
        }))
    }

    /// Notes where the call goes. `listed`: the server lists the name, so that it may become a label.
    pub fn goes_to(&mut self, server: &ServerName, name: Option<&Arc<str>>, listed: bool) {
        let label = match name {
            Some(name) if listed && self.0.method == "tools/call" => &**name,
            _ => &*self.0.method,
        };
        let known = matches!(label, "tools/call" | "prompts/get") || listed || wire_method(label);
        self.0.series = Some(self.0.gateway.meters.series(server.as_str(), if known { label } else { "other" }));
        self.0.server = Some(server.clone());
        self.0.name = name.cloned();
    }

    /// Notes that there is an answer, if nothing worse was noted before.
    pub fn answered(&mut self) {
        if self.0.outcome == ABANDONED {
            self.0.outcome = "ok";
        }
    }

    /// Notes that the server answered with an error.
    pub fn answered_error(&mut self) {
        self.0.outcome = "error";
    }

    /// Notes how it failed.
    pub fn failed(&mut self, failure: &Failure) {
        self.0.outcome = failure.kind().word();
        if failure.kind() != Kind::Cancelled {
            self.0.detail = Some(failure.to_string());
        }
    }

    /// Notes bytes handed to the connection.
    pub fn sent(&mut self, bytes: usize) {
        self.0.bytes += bytes;
    }

    /// Notes that the answer broke off.
    pub fn broke(&mut self) {
        self.0.outcome = Kind::Broken.word();
    }
}

/// Methods that the specification names; others do not become labels.
fn wire_method(method: &str) -> bool {
    let families =
        ["tools/", "prompts/", "resources/", "completion/", "server/", "subscriptions/", "logging/", "tasks/"];
    families.iter().any(|family| method.starts_with(family)) && method.len() < 40
        || matches!(method, "initialize" | "ping")
}

impl Drop for Account {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        let meters = &self.gateway.meters;
        meters.in_flight.dec();
        meters.sent.inc_by(self.bytes as u64);
        let label = if wire_method(&self.method) { &*self.method } else { "other" };
        let series = self.series.take().unwrap_or_else(|| meters.series("hostler", label));
        series.count(self.outcome, took.as_secs_f64());
        let era = match self.era {
            Era::Modern => "modern",
            Era::Legacy => "legacy",
        };
        tracing::info!(
            target: "call",
            era,
            method = &*self.method,
            server = self.server.as_ref().map(ServerName::as_str),
            name = self.name.as_deref(),
            outcome = self.outcome,
            detail = self.detail,
            ms = took.as_micros() as f64 / 1000.0,
            bytes = self.bytes,
        );
    }
}

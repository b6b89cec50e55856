//! What the server tells without being asked: list changes and resource updates, to those who want to hear.
//!
//! A legacy client hears of list changes as soon as it has said `initialize`; a modern one only through
//! `subscriptions/listen`, each notification tagged with the id of that request (2026-07-28, patterns/subscriptions).

use std::{sync::Arc, thread, time::Duration};

use serde_json::{Value, json, value::RawValue};
use testkit::{
    protocol::{Refusal, key, notification, put, request, single},
    tools::text,
};

use crate::server::Server;

impl Server {
    /// Opens a subscription; it stays open until it is cancelled or stdin ends.
    pub fn listen(&self, id: &RawValue, params: &Value) {
        let filter = params["notifications"].clone();
        let uris = filter["resourceSubscriptions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(refusal) = uris.filter_map(|uri| self.refusal(uri)).next() {
            return self.output.respond(id, &Err(refusal));
        }
        self.state().listens.insert(id.get().to_owned(), filter.clone());
        let told = json!({ "_meta": subscription(id.get()), "notifications": filter });
        self.output.send(&notification("notifications/subscriptions/acknowledged", &told));
    }

    /// Subscribes the legacy client to a resource, after as long as the options say; not at all if it cancels meanwhile.
    pub fn subscribe(self: &Arc<Self>, id: Box<RawValue>, params: &Value) {
        let uri = params["uri"].as_str().unwrap_or_default().to_owned();
        if let Some(refusal) = self.refusal(&uri) {
            return self.output.respond(&id, &Err(refusal));
        }
        if self.options.ask_on_subscribe {
            let asked = {
                let mut state = self.state();
                state.next_id += 1;
                let asked = state.next_id;
                state.asked.insert(asked, None);
                asked
            };
            self.output.send(&request(asked, "roots/list", &json!({})));
        }
        self.state().running.insert(id.get().to_owned(), "resources/subscribe".into());
        let server = Arc::clone(self);
        let subscribe = move || {
            thread::sleep(Duration::from_millis(server.options.slow_subscribe));
            let wanted = {
                let mut state = server.state();
                let wanted = state.running.remove(id.get()).is_some();
                if wanted {
                    state.subscribed.insert(uri);
                }
                wanted
            };
            if wanted {
                server.output.respond(&id, &Ok(json!({})));
            }
        };
        if self.options.slow_subscribe == 0 { subscribe() } else { drop(thread::spawn(subscribe)) }
    }

    fn refusal(&self, uri: &str) -> Option<Refusal> {
        let refused = self.options.refuse_uris.as_ref().is_some_and(|text| uri.contains(text));
        refused.then(|| Refusal::params(format!("no such resource: {uri}")))
    }

    /// Ends a subscription in good order.
    pub fn end_listen(&self, id: &str) {
        let Ok(id) = RawValue::from_string(id.to_owned()) else { return };
        let result = json!({"resultType": "complete", "_meta": subscription(id.get())});
        self.output.respond(&id, &Ok(result));
    }

    /// Adds the tool `extra`, or takes it away, and tells.
    pub fn toggle(&self) -> Value {
        let there = {
            let mut state = self.state();
            state.extra = !state.extra;
            state.extra
        };
        self.tell("notifications/tools/list_changed", &json!({}), |filter| filter["toolsListChanged"] == true, true);
        text(if there { "added" } else { "removed" })
    }

    /// Tells that a resource changed.
    pub fn update(&self, uri: &str) -> Value {
        let wanted = |filter: &Value| {
            let uris = filter["resourceSubscriptions"].as_array();
            uris.is_some_and(|uris| uris.iter().any(|wanted| wanted == uri))
        };
        let legacy = self.state().subscribed.contains(uri);
        self.tell("notifications/resources/updated", &json!({ "uri": uri }), wanted, legacy);
        text("told")
    }

    /// Sends to every subscription that wants it, and to the legacy client if there is one and it is to hear.
    fn tell(&self, method: &str, params: &Value, wanted: impl Fn(&Value) -> bool, legacy: bool) {
        let (listens, handshake) = {
            let state = self.state();
            (state.listens.clone(), state.capabilities.is_object())
        };
        if legacy && handshake {
            self.output.send(&notification(method, if params == &json!({}) { &Value::Null } else { params }));
        }
        for (id, _) in listens.iter().filter(|(_, filter)| wanted(filter)) {
            let mut params = params.clone();
            put(&mut params, "_meta", subscription(id));
            self.output.send(&notification(method, &params));
        }
    }
}

/// The `_meta` of everything that belongs to a subscription.
fn subscription(id: &str) -> Value {
    single(key::SUBSCRIPTION_ID, serde_json::from_str(id).unwrap_or(Value::Null))
}

//! What the server tells without being asked: list changes and resource updates, to those who want to hear.
//!
//! A legacy client hears of list changes as soon as it has said `initialize`; a modern one only through
//! `subscriptions/listen`, each notification tagged with the id of that request (2026-07-28, patterns/subscriptions).

use serde_json::{Value, json, value::RawValue};
use testkit::{
    protocol::{key, notification, put, single},
    tools::text,
};

use crate::server::Server;

impl Server {
    /// Opens a subscription; it stays open until it is cancelled or stdin ends.
    pub fn listen(&self, id: &RawValue, params: &Value) {
        let filter = params["notifications"].clone();
        self.state().listens.insert(id.get().to_owned(), filter.clone());
        let told = json!({ "_meta": subscription(id.get()), "notifications": filter });
        self.output.send(&notification("notifications/subscriptions/acknowledged", &told));
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

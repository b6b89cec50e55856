//! What the fake servers offer: identity, lists, resources, prompts, completion; the same on stdio and over HTTP.
//!
//! Holds no state of a connection: what depends on one (subscriptions, log level, calls) is in the servers.

use serde_json::{Value, json};

use crate::{
    protocol::{Era, LEGACY, Mode, Outcome, Refusal, code, key, put, single},
    tools,
};

/// A server's face.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Name in `serverInfo`.
    pub name: String,
    /// Eras served.
    pub mode: Mode,
    /// Pages that each list is cut into; 1 means no pages.
    pub pages: usize,
    /// Filler tools after the real ones.
    pub many_tools: usize,
    /// Tools that only this server has.
    pub own_tools: Vec<Value>,
}

impl Offer {
    /// Answers what needs neither waiting nor a connection's state; nothing for methods that do, or are unknown.
    /// `extra` says whether the tool that comes and goes is there.
    pub fn answer(&self, era: Era, method: &str, params: &Value, extra: bool) -> Option<Outcome> {
        let outcome = match (era, method) {
            (Era::Legacy, "initialize") => Ok(self.initialize(params)),
            (Era::Legacy, "ping") => Ok(json!({})),
            (Era::Modern, "server/discover") => Ok(self.discover()),
            (_, "tools/list") => self.page("tools", self.tools(extra), params),
            (_, "resources/list") => self.page("resources", resources(), params),
            (_, "resources/templates/list") => self.page("resourceTemplates", templates(), params),
            (_, "prompts/list") => self.page("prompts", prompts(), params),
            (_, "resources/read") => read(era, params["uri"].as_str().unwrap_or_default()),
            (_, "prompts/get") => prompt(params["name"].as_str().unwrap_or_default(), &params["arguments"]),
            (_, "completion/complete") => Ok(complete(&params["argument"])),
            _ => return None,
        };
        Some(outcome.map(|result| self.finish(era, method, result)))
    }

    /// The members that every complete result of the modern era has; a legacy one stays as it is.
    pub fn finish(&self, era: Era, method: &str, mut result: Value) -> Value {
        if era == Era::Legacy {
            return result;
        }
        if result.get("resultType").is_none() {
            put(&mut result, "resultType", json!("complete"));
        }
        if result.get("_meta").is_none() {
            put(&mut result, "_meta", single(key::SERVER_INFO, self.info()));
        }
        let cacheable = method.ends_with("/list") || matches!(method, "server/discover" | "resources/read");
        if cacheable && result["resultType"] == "complete" {
            put(&mut result, "ttlMs", json!(60_000));
            put(&mut result, "cacheScope", json!("public"));
        }
        result
    }

    /// The definitions of all tools that are there now.
    pub fn tools(&self, extra: bool) -> Vec<Value> {
        let mut list = tools::definitions(extra, self.many_tools);
        list.extend(self.own_tools.iter().cloned());
        list
    }

    /// Who this server says it is.
    pub fn info(&self) -> Value {
        json!({"name": self.name, "version": env!("CARGO_PKG_VERSION"), "title": "A fake server"})
    }

    fn initialize(&self, params: &Value) -> Value {
        let asked = params["protocolVersion"].as_str().unwrap_or_default();
        let version = LEGACY.into_iter().find(|version| *version == asked).unwrap_or(LEGACY[0]);
        json!({
            "protocolVersion": version,
            "capabilities": capabilities(),
            "serverInfo": self.info(),
            "instructions": "Made for tests."
        })
    }

    fn discover(&self) -> Value {
        let versions: Vec<_> = self.mode.versions();
        json!({"supportedVersions": versions, "capabilities": capabilities(), "instructions": "Made for tests."})
    }

    /// One page of a list; cursors are page numbers in words that nobody should read.
    fn page(&self, name: &str, items: Vec<Value>, params: &Value) -> Outcome {
        let page = match params.get("cursor") {
            None => 0,
            Some(cursor) => cursor
                .as_str()
                .and_then(|cursor| cursor.strip_prefix("page:"))
                .and_then(|page| page.parse::<usize>().ok())
                .filter(|page| *page < self.pages)
                .ok_or_else(|| Refusal::params("unknown cursor"))?,
        };
        let size = items.len().div_ceil(self.pages.max(1)).max(1);
        let more = (page + 1) * size < items.len();
        let items: Vec<_> = items.into_iter().skip(page * size).take(size).collect();
        let mut result = single(name, Value::Array(items));
        if more {
            put(&mut result, "nextCursor", json!(format!("page:{}", page + 1)));
        }
        Ok(result)
    }
}

/// What the server says it can do, in either era.
fn capabilities() -> Value {
    json!({
        "tools": {"listChanged": true},
        "resources": {"subscribe": true, "listChanged": true},
        "prompts": {"listChanged": true},
        "completions": {},
        "logging": {}
    })
}

fn resources() -> Vec<Value> {
    vec![
        json!({"uri": "test://text", "name": "text", "mimeType": "text/plain", "description": "A text."}),
        json!({"uri": "test://blob", "name": "blob", "mimeType": "application/octet-stream", "size": 4}),
    ]
}

fn templates() -> Vec<Value> {
    vec![json!({"uriTemplate": "test://item/{id}", "name": "item", "mimeType": "text/plain"})]
}

fn prompts() -> Vec<Value> {
    vec![
        json!({"name": "simple", "description": "Without arguments."}),
        json!({
            "name": "greeting",
            "description": "With arguments.",
            "arguments": [{"name": "name", "required": true}, {"name": "style", "required": false}]
        }),
    ]
}

fn read(era: Era, uri: &str) -> Outcome {
    let contents = match uri {
        "test://text" => json!({"uri": uri, "mimeType": "text/plain", "text": "the text"}),
        "test://blob" => json!({"uri": uri, "mimeType": "application/octet-stream", "blob": "AAECAw=="}),
        uri if uri.starts_with("test://item/") => json!({"uri": uri, "mimeType": "text/plain", "text": uri}),
        uri => {
            let code = if era == Era::Legacy { code::RESOURCE_NOT_FOUND } else { code::INVALID_PARAMS };
            let data = Some(json!({ "uri": uri }));
            return Err(Refusal { code, message: "Resource not found".into(), data });
        }
    };
    Ok(json!({ "contents": [contents] }))
}

fn prompt(name: &str, arguments: &Value) -> Outcome {
    let text = match name {
        "simple" => "Say something simple.".to_owned(),
        "greeting" => {
            let Some(name) = arguments["name"].as_str() else { return Err(Refusal::params("name is required")) };
            format!("Greet {name} in the {} style.", arguments["style"].as_str().unwrap_or("plain"))
        }
        name => return Err(Refusal::params(format!("Unknown prompt: {name}"))),
    };
    Ok(json!({"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}))
}

fn complete(argument: &Value) -> Value {
    let begun = argument["value"].as_str().unwrap_or_default();
    let values: Vec<_> = ["formal", "friendly", "plain"].into_iter().filter(|word| word.starts_with(begun)).collect();
    json!({"completion": {"values": values, "total": values.len(), "hasMore": false}})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn offer(pages: usize) -> Offer {
        Offer { name: "test".into(), mode: Mode::Dual, pages, many_tools: 5, own_tools: Vec::new() }
    }

    #[test]
    fn the_pages_of_a_list_hold_all_of_it_once() {
        let offer = offer(4);
        let (mut names, mut params, mut pages) = (Vec::new(), json!({}), 0);
        loop {
            let page = offer.answer(Era::Legacy, "tools/list", &params, false).unwrap().unwrap();
            names.extend(page["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()));
            pages += 1;
            let Some(next) = page.get("nextCursor") else { break };
            params = json!({ "cursor": next });
        }
        let all: Vec<_> = offer.tools(false).iter().map(|tool| tool["name"].clone()).collect();
        assert_eq!((names, pages), (all, 4));
    }

    #[test]
    fn modern_lists_carry_cache_hints_and_legacy_ones_do_not() {
        let modern = offer(1).answer(Era::Modern, "prompts/list", &json!({}), false).unwrap().unwrap();
        assert_eq!((&modern["resultType"], &modern["cacheScope"]), (&json!("complete"), &json!("public")));
        let legacy = offer(1).answer(Era::Legacy, "prompts/list", &json!({}), false).unwrap().unwrap();
        assert_eq!(legacy.as_object().unwrap().len(), 1);
    }

    #[test]
    fn a_missing_resource_has_the_code_of_its_era() {
        let codes = [Era::Legacy, Era::Modern].map(|era| read(era, "test://none").unwrap_err().code);
        assert_eq!(codes, [code::RESOURCE_NOT_FOUND, code::INVALID_PARAMS]);
    }
}

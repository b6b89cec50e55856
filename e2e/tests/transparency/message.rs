//! Requests and their answers as templates: what the two sides see differently has a name in them, all else is fixed.
//!
//! `«id»`, `«asked»` (the name or URI that is asked for), `«token»` (of progress), `«uri:0»` and so on (URIs in answers).
//! Never sends anything.

use std::borrow::Cow;

use e2e::http::Ask;

use crate::generate::{Pen, Space, URIS};

pub const MODERN: &str = "2026-07-28";
pub const LEGACY: &str = "2025-11-25";

/// The member of every generated request by which it is known again.
pub const MARK: &str = "\"transparency-mark\"";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Modern,
}

impl Era {
    /// What the fake servers call it.
    pub fn mode(self) -> &'static str {
        if self == Self::Legacy { "legacy" } else { "modern" }
    }
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    /// The name or URI that is asked for, as the server knows it.
    pub native: String,
    pub request: String,
    /// Said before the answer; only where the answer is a stream.
    pub notice: Option<String>,
    pub answer: String,
    /// The id as the client spells it.
    pub id: String,
    /// The token as the client spells it.
    pub token: String,
}

/// What stands in the places of a template.
pub struct Fill<'a> {
    pub id: &'a str,
    pub asked: Cow<'a, str>,
    pub token: &'a str,
    /// What stands before URIs, which are then spelled plainly.
    pub uri_prefix: Option<&'a str>,
}

impl Fill<'_> {
    /// The template with its places filled.
    pub fn fill(&self, template: &str) -> String {
        let mut text = template.replace("«id»", self.id).replace("«asked»", &self.asked).replace("«token»", self.token);
        for (n, (raw, meant)) in URIS.iter().enumerate() {
            let uri = match self.uri_prefix {
                Some(prefix) => quoted(&format!("{prefix}{meant}")),
                None => (*raw).to_owned(),
            };
            text = text.replace(&format!("«uri:{n}»"), &uri);
        }
        text
    }
}

/// A text as a JSON string, without needless escapes.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

/// Names that servers give their tools and prompts, and URIs of resources.
const NAMES: [&str; 5] = ["echo", "get_it.now-2", "näme mit 世界", "a__b", "😀"];
const ASKED_URIS: [&str; 4] = ["file:///tmp/a b/ü?x=1#y", "demo://r/1", "urn:a+b", "test://text"];

/// A generated request of an era for a tool, prompt, resource or completion, or for a method that nobody knows.
pub fn generated(seed: u64, n: usize, era: Era, space: Space, foreign: bool) -> Exchange {
    let mut pen = Pen::new(seed.wrapping_mul(1_000_003).wrapping_add(n as u64), space);
    let method = match pen.dice.below(if foreign { 7 } else { 6 }) {
        0..3 => "tools/call",
        3 => "prompts/get",
        4 => "resources/read",
        5 => "completion/complete",
        _ => "vendor.example/thing",
    };
    let by_uri = method == "resources/read" || method == "completion/complete" && pen.dice.one_in(2);
    let native = if by_uri { ASKED_URIS[pen.dice.below(4)] } else { NAMES[pen.dice.below(5)] };
    let known = match method {
        "resources/read" => vec![("uri", "«asked»".to_owned())],
        "completion/complete" => {
            let (kind, key) = if by_uri { ("\"ref/resource\"", "uri") } else { ("\"ref/prompt\"", "name") };
            let reference = pen.known_and_unknown(&[("type", kind), (key, "«asked»")]);
            vec![("ref", reference), ("argument", pen.value(1))]
        }
        "vendor.example/thing" => vec![],
        _ => {
            let arguments = pen.known_and_unknown(&[]);
            vec![("name", "«asked»".to_owned()), ("arguments", arguments)]
        }
    };
    let mut exchange = request(&mut pen, n, era, method, known);
    exchange.native = native.into();
    pen.wild = true;
    exchange.answer = answer(&mut pen, method);
    exchange
}

/// A generated call of one tool; `arguments` are its members that must be there.
pub fn call(pen: &mut Pen, n: usize, era: Era, tool: &str, arguments: &[(&str, &str)]) -> Exchange {
    let arguments = pen.known_and_unknown(arguments);
    let known = vec![("name", "«asked»".to_owned()), ("arguments", arguments)];
    let mut exchange = request(pen, n, era, "tools/call", known);
    exchange.native = tool.into();
    exchange
}

fn request(pen: &mut Pen, n: usize, era: Era, method: &str, mut known: Vec<(&str, String)>) -> Exchange {
    let tokened = pen.dice.one_in(2);
    let mut meta = Vec::new();
    if tokened {
        meta.push(("progressToken", "«token»".to_owned()));
    }
    if era == Era::Modern {
        meta.push(("io.modelcontextprotocol/protocolVersion", quoted(MODERN)));
        meta.push(("io.modelcontextprotocol/clientCapabilities", pen.known_and_unknown(&[("sampling", "{}")])));
        meta.push(("io.modelcontextprotocol/clientInfo", pen.known_and_unknown(&[("name", "\"e2e\"")])));
    }
    if !meta.is_empty() || pen.dice.one_in(3) {
        let meta: Vec<_> = meta.iter().map(|(key, value)| (*key, value.as_str())).collect();
        known.push(("_meta", pen.known_and_unknown(&meta)));
    }
    let known: Vec<_> = known.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let params = pen.known_and_unknown(&known);
    let spelled = pen.spelled(method);
    let mark = format!("\"m-{n}\"");
    let request = pen.known_and_unknown(&[
        ("jsonrpc", "\"2.0\""),
        ("id", "«id»"),
        ("method", &spelled),
        ("params", &params),
        (MARK.trim_matches('"'), &mark),
    ]);
    let notice = tokened.then(|| {
        let params = pen.known_and_unknown(&[("progressToken", "«token»"), ("progress", "1.0e+0")]);
        let method = "\"notifications/progress\"";
        pen.known_and_unknown(&[("jsonrpc", "\"2.0\""), ("method", method), ("params", &params)])
    });
    let (id, token) = (pen.id(n), pen.id(n + 500));
    let (method, native, answer) = (method.into(), String::new(), String::new());
    Exchange { method, native, request, notice, answer, id, token }
}

fn answer(pen: &mut Pen, method: &str) -> String {
    if pen.dice.one_in(8) {
        let (message, data) = (pen.string(), pen.value(0));
        let error = pen.known_and_unknown(&[("code", "-32050"), ("message", &message), ("data", &data)]);
        return pen.known_and_unknown(&[("jsonrpc", "\"2.0\""), ("id", "«id»"), ("error", &error)]);
    }
    let result = result(pen, method);
    pen.known_and_unknown(&[("jsonrpc", "\"2.0\""), ("id", "«id»"), ("result", &result)])
}

/// The result of a method.
pub fn result(pen: &mut Pen, method: &str) -> String {
    let (meta, other) = (pen.known_and_unknown(&[]), pen.value(0));
    let common = [("_meta", meta.as_str()), ("resultType", "\"complete\"")];
    let own = match method {
        "tools/call" => vec![("content", pen.blocks()), ("structuredContent", other)],
        "prompts/get" => {
            let one = pen.dice.one_in(2);
            let content = if one { pen.block() } else { pen.blocks() };
            let message = pen.known_and_unknown(&[("role", "\"user\""), ("content", &content)]);
            vec![("messages", pen.array(&[message])), ("description", pen.string())]
        }
        "resources/read" => {
            let uri = format!("«uri:{}»", pen.dice.below(URIS.len()));
            let content = pen.known_and_unknown(&[("uri", &uri), ("blob", "\"AAECAw==\"")]);
            vec![("contents", pen.array(&[content])), ("uri", "\"file:///x\"".into())]
        }
        _ => vec![("completion", other), ("content", pen.value(0))],
    };
    let known: Vec<_> = own.iter().map(|(key, value)| (*key, value.as_str())).chain(common).collect();
    pen.known_and_unknown(&known)
}

/// The headers that mirror a modern request's body.
pub fn mirrored(ask: Ask, method: &str, asked: &str) -> Ask {
    let ask = ask.header("mcp-protocol-version", MODERN).header("mcp-method", method);
    if !matches!(method, "tools/call" | "prompts/get" | "resources/read") {
        return ask;
    }
    ask.header("mcp-name", &header(asked))
}

/// A name as the header `Mcp-Name` carries it (2026-07-28, "Value Encoding").
pub fn header(name: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    if name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return name.into();
    }
    format!("=?base64?{}?=", STANDARD.encode(name))
}

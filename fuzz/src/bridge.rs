//! Messages across eras. Never knows what is right for one message: what must hold for all of them is asked.

use bytes::Bytes;
use serde_json::Value;
use wire::{
    Envelope, Level, Shape, Splice, Version,
    bridge::{
        Ask, Caller, Filter, Hints, InputRequired, Round, Waiting, answers, asked, canonical, discover_result,
        initialize_params, initialize_result, input_request, is_for_caller, is_input_required, legacy_error,
        legacy_notification, legacy_request, legacy_result, modern_capabilities, modern_error, modern_notification,
        modern_request, modern_result, progress_token, request_state, response, url_elicitations,
    },
    param_header::param_headers,
};

const DEPTH: usize = 100;
const INFO: &[u8] = br#"{"name":"n","version":"1"}"#;
const METHODS: [&str; 5] = ["tools/call", "tools/list", "resources/read", "tasks/get", "vendor/method"];

/// Any body: made a message of the other era in every way there is, and read as every part that the bridge reads.
///
/// # Panics
/// When an edit breaks a message or touches a member that it has no part of, or when a part is written that is no JSON.
pub fn bridge(data: &[u8]) {
    parts(data);
    let Ok(envelope) = Envelope::parse(data, DEPTH) else { return };
    let Ok(before) = serde_json::from_slice::<Value>(data) else { return };
    let edit = |change: &dyn Fn(&mut Splice)| {
        let mut splice = Splice::new(Bytes::copy_from_slice(data));
        change(&mut splice);
        let after = splice.into_bytes();
        let found = Envelope::parse(&after, DEPTH + 8).unwrap_or_else(|fault| panic!("{fault}: {}", shown(&after)));
        assert_eq!(found.kind, envelope.kind, "another kind of message");
        untouched(&before, &after);
        after
    };
    requests(&envelope, &edit);
    for method in METHODS {
        answered(&envelope, method, &edit);
    }
    there_and_back(data, &envelope, &before);
    edit(&|splice| modern_notification(splice, &envelope, b"\"s\""));
    edit(&|splice| legacy_notification(splice, &envelope));
    edit(&|splice| progress_token(splice, &envelope, "9"));
    let _ = is_for_caller(data, &envelope, Some(Level::Info));
    let _ = request_state(data, &envelope);
    questions(data, &envelope);
}

type Edit<'a> = &'a dyn Fn(&dyn Fn(&mut Splice)) -> Bytes;

fn requests(envelope: &Envelope, edit: Edit<'_>) {
    let caller = Caller { version: Version::V2026_07_28, capabilities: b"{}", info: INFO, level: Some(Level::Error) };
    let round = Round::new(&[("k", b"{}")], Some(b"\"s\""));
    edit(&|splice| legacy_request(splice, envelope));
    edit(&|splice| modern_request(splice, envelope, &caller, &Round::default()));
    let modern = edit(&|splice| modern_request(splice, envelope, &caller, &round));
    if envelope.kind == Shape::Request {
        let found = Envelope::parse(&modern, DEPTH + 8).ok().and_then(|found| found.protocol_version);
        assert_eq!(found.map(|span| span.of(&modern)), Some(&b"\"2026-07-28\""[..]));
    }
}

fn answered(envelope: &Envelope, method: &str, edit: Edit<'_>) {
    edit(&|splice| modern_result(splice, envelope, method, Some(INFO), Hints::default()));
    edit(&|splice| legacy_result(splice, envelope, method));
    edit(&|splice| modern_error(splice, envelope, Some("a:\"b\"")));
    edit(&|splice| legacy_error(splice, envelope, method));
}

/// A legacy result that a modern client gets, and back.
fn there_and_back(data: &[u8], envelope: &Envelope, before: &Value) {
    let Some(result) = before.get("result").and_then(Value::as_object) else { return };
    let meta = result.get("_meta").and_then(Value::as_object);
    let is_modern = result.contains_key("resultType")
        || meta.is_some_and(|meta| meta.is_empty() || meta.contains_key("io.modelcontextprotocol/serverInfo"));
    if is_modern {
        return;
    }
    let mut there = Splice::new(Bytes::copy_from_slice(data));
    modern_result(&mut there, envelope, "prompts/get", Some(INFO), Hints::default());
    let there = there.into_bytes();
    let Ok(envelope) = Envelope::parse(&there, DEPTH + 8) else { return };
    let mut back = Splice::new(there);
    legacy_result(&mut back, &envelope, "prompts/get");
    let back = back.into_bytes();
    assert_eq!(serde_json::from_slice::<Value>(&back).ok().as_ref(), Some(before), "another result: {}", shown(&back));
}

/// Members of the message that no function names stay as they are.
fn untouched(before: &Value, after: &[u8]) {
    let Ok(after) = serde_json::from_slice::<Value>(after) else { return };
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return };
    for (key, value) in before.iter().filter(|(key, _)| !["params", "result", "error"].contains(&key.as_str())) {
        assert_eq!(after.get(key), Some(value), "{key}");
    }
    for part in ["params", "result"] {
        let (Some(before), Some(after)) = (before.get(part), after.get(part)) else { continue };
        let unknown = |key: &str| !TOUCHED.contains(&key);
        for (key, value) in before.as_object().into_iter().flatten().filter(|(key, _)| unknown(key)) {
            assert_eq!(after.get(key), Some(value), "{part}.{key}");
        }
    }
}

/// What a function may change in `params` or `result`.
const TOUCHED: [&str; 9] = [
    "_meta",
    "inputResponses",
    "requestState",
    "resultType",
    "ttlMs",
    "cacheScope",
    "structuredContent",
    "tools",
    "progressToken",
];

/// A message as a server's question, and as the answer to one.
fn questions(data: &[u8], envelope: &Envelope) {
    if let Ok(ask) = asked(data, envelope) {
        let _ = ask.is_allowed(data);
        let entry = input_request(data, envelope).unwrap_or_default();
        let result = wire::bridge::input_required(&[("k", &entry)], Some("s"), Some(INFO));
        let required = InputRequired::read(&result).unwrap_or_else(|unfit| panic!("{unfit}: {}", shown(&result)));
        assert_eq!(required.requests.len(), 1);
        assert_eq!(required.requests[0].ask, ask);
        message(&required.requests[0].to_client(b"1", "e"));
    }
    for entry in url_elicitations(data, envelope).into_iter().flatten() {
        json(&entry);
    }
    for ask in [Ask::Form, Ask::Url, Ask::Sampling { tools: true }, Ask::Roots] {
        if let Ok(value) = response(ask, &Bytes::copy_from_slice(data), envelope) {
            ask.check(&value).unwrap_or_else(|unfit| panic!("{unfit}: {}", shown(&value)));
        }
    }
    if is_input_required(data, envelope)
        && let Some(span) = envelope.result
        && let Ok(required) = InputRequired::read(span.of(data))
    {
        required.requests.iter().for_each(|request| message(&request.to_client(b"1", "e")));
    }
}

/// Any bytes as the parts that the bridge reads; what it writes of them is JSON when they are.
fn parts(data: &[u8]) {
    let waiting = [Waiting { key: "a", ask: Ask::Form, id: b"1" }, Waiting { key: "b", ask: Ask::Roots, id: b"\"2\"" }];
    let given = answers(data, &waiting);
    let filter = Filter::read(data);
    let headers = param_headers(data);
    let required = InputRequired::read(data).map(|required| required.requests.len());
    let written = [
        canonical(data),
        modern_capabilities(data),
        initialize_params(Version::V2025_06_18, data, INFO),
        discover_result(data, &[Version::V2026_07_28], Hints::default()),
        initialize_result(data, Version::V2025_11_25, INFO),
    ];
    if serde_json::from_slice::<Value>(data).is_err() {
        return;
    }
    written.iter().for_each(|part| json(part));
    given.into_iter().flat_map(|given| given.given).for_each(|answer| message(&answer));
    if let Ok(filter) = filter {
        message(&filter.acknowledgement(b"1"));
        let params = filter.listen_params(b"{}");
        assert_eq!(Filter::read(&params), Ok(filter), "a filter written and read again");
    }
    for header in headers.into_iter().flatten() {
        let told = header.value(data);
        assert!(header.agrees(told.as_deref(), data), "a header that disagrees with itself");
    }
    let _ = required;
}

fn json(raw: &[u8]) {
    let read = serde_json::from_slice::<serde::de::IgnoredAny>(raw);
    assert!(read.is_ok(), "no JSON: {}", shown(raw));
}

fn message(raw: &[u8]) {
    assert!(Envelope::parse(raw, 512).is_ok(), "no message: {}", shown(raw));
}

fn shown(raw: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(raw)
}

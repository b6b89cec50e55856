//! What must hold for a client at a place, whether the server stands there itself or behind the gateway.
//!
//! Never starts anything: the place is there already. Where a client itself falls short, the claim says so.

pub mod both;
pub mod everything;
pub mod reference;

use serde_json::Value;

use crate::{Place, Seen};

/// The texts of a tool's result, one for each block.
///
/// # Panics
/// When it is no result.
#[must_use]
pub fn texts(outcome: &Value) -> Vec<&str> {
    let blocks = outcome["result"]["content"].as_array().unwrap_or_else(|| panic!("not a tool's result: {outcome:#}"));
    blocks.iter().filter_map(|block| block["text"].as_str()).collect()
}

/// The first text of a tool's result.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn text(outcome: &Value) -> &str {
    texts(outcome).first().copied().unwrap_or_else(|| panic!("no text: {outcome:#}"))
}

/// One string of each entry of a list.
///
/// # Panics
/// When it is no list.
#[must_use]
pub fn each<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let entries = list.as_array().unwrap_or_else(|| panic!("not a list: {list:#}"));
    entries.iter().filter_map(|entry| entry[key].as_str()).collect()
}

/// The list holds all these names, as they appear at this place.
///
/// # Panics
/// When one is missing.
pub fn holds_names(seen: &Seen, list: &Value, place: &Place, names: &[&str]) {
    let listed = each(list, "name");
    for name in names {
        let name = place.name(name);
        assert!(listed.contains(&name.as_str()), "{}: no {name} among {listed:?}", seen.what());
    }
}

/// Progress came step by step, each step once, and none after the result.
///
/// The TypeScript clients drop the last step when its bytes arrive together with the result's, and complain of an
/// unknown token; what they complain of counts as arrived.
///
/// # Panics
/// When it did not.
pub fn progress_is_whole(seen: &Seen, run: &Value, steps: i64) {
    let arrived = run["progress"].as_array().unwrap_or_else(|| panic!("{}: {run:#}", seen.what()));
    assert!(arrived.iter().all(|step| step["late"] == false), "{}: progress after the result: {run:#}", seen.what());
    assert!(
        arrived.iter().all(|step| step["total"].as_f64() == Some(steps as f64)),
        "{}: another call's progress: {run:#}",
        seen.what()
    );
    let mut values: Vec<i64> = arrived.iter().filter_map(|step| step["progress"].as_f64()).map(|v| v as i64).collect();
    let dropped = format!("\"progress\":{steps},\"total\":{steps},");
    if seen.complaints().iter().any(|complaint| complaint.contains("unknown token") && complaint.contains(&dropped)) {
        values.push(steps);
    }
    assert_eq!(values, (1..=steps).collect::<Vec<_>>(), "{}: {run:#}", seen.what());
}

/// A call was given up at once, and the connection still works.
///
/// # Panics
/// When it was not.
pub fn is_given_up(seen: &Seen, second: &str) {
    let observed = seen.observed();
    assert!(observed["first"].get("error").is_some(), "{}: it was answered: {observed:#}", seen.what());
    let after = observed["returnedAfterMs"].as_i64().unwrap_or(i64::MAX);
    assert!(after < 1000, "{}: returned only {after} ms after it was cancelled", seen.what());
    assert_eq!(text(&observed["second"]), second, "{}", seen.what());
}

/// As many calls were answered as were made, each with its own answer.
///
/// # Panics
/// When they were not.
pub fn all_have_their_own(seen: &Seen, count: i64) {
    let observed = seen.observed();
    assert_eq!(observed["failures"], serde_json::json!([]), "{}", seen.what());
    assert_eq!(observed["own"], count, "{}: answers went astray: {observed:#}", seen.what());
}

/// A large text arrived whole.
///
/// # Panics
/// When it did not.
pub fn arrived_whole(seen: &Seen) {
    let observed = seen.observed();
    assert!(observed["error"].is_null(), "{}: {:#}", seen.what(), observed["error"]);
    assert_eq!(observed["got"], observed["wanted"], "{}", seen.what());
}

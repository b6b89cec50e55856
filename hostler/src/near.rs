//! Tools found by what somebody typed, and suggestions when nothing is found. Never guesses where two may be meant.

use serde_json::Value;

/// Suggestions made at most.
const SUGGESTIONS: usize = 3;

/// The tool of this name, or else the only one that has it behind its server's name.
///
/// # Errors
/// A sentence that says what may have been meant.
pub fn tool<'a>(name: &str, listed: &'a [Value]) -> Result<&'a Value, String> {
    if let Some(tool) = listed.iter().find(|tool| tool["name"] == name) {
        return Ok(tool);
    }
    let behind = |tool: &&Value| names(tool).split_once("__").is_some_and(|(_, rest)| rest == name);
    let found: Vec<_> = listed.iter().filter(behind).collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(unknown_tool(name, listed)),
        several => {
            let all: Vec<_> = several.iter().map(|tool| format!("`{}`", names(tool))).collect();
            Err(format!("more than one server has a tool `{name}`: say which of {}", all.join(", ")))
        }
    }
}

/// What to say when there is no such tool.
pub fn unknown_tool(name: &str, listed: &[Value]) -> String {
    let mut near: Vec<(f64, &str)> = listed
        .iter()
        .map(|tool| {
            let full = names(tool);
            let short = full.split_once("__").map_or(full, |(_, rest)| rest);
            (strsim::jaro_winkler(name, full).max(strsim::jaro_winkler(name, short)), full)
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<_> = near.iter().take(SUGGESTIONS).map(|(_, name)| format!("`{name}`")).collect();
    if near.is_empty() {
        return format!(
            "there is no tool `{name}`; `hostler tools` lists those there are, `hostler status` tells how the servers are"
        );
    }
    format!("there is no tool `{name}`; did you mean {}?", near.join(" or "))
}

fn names(tool: &Value) -> &str {
    tool["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn listed() -> Vec<Value> {
        ["demo__echo", "files__read_file", "files__list", "demo__list"].map(|name| json!({ "name": name })).into()
    }

    #[test]
    fn a_tool_is_found_by_its_whole_name_or_by_its_own_if_only_one_has_it() {
        let listed = listed();
        assert_eq!(tool("files__list", &listed).unwrap()["name"], "files__list");
        assert_eq!(tool("read_file", &listed).unwrap()["name"], "files__read_file");
        assert!(tool("list", &listed).unwrap_err().contains("`files__list`, `demo__list`"));
    }

    #[test]
    fn what_was_misspelt_is_suggested_and_nothing_else() {
        let listed = listed();
        assert!(tool("ehco", &listed).unwrap_err().ends_with("did you mean `demo__echo`?"));
        assert!(tool("files__raed_file", &listed).unwrap_err().contains("`files__read_file`"));
        assert!(tool("zzz", &listed).unwrap_err().contains("`hostler tools`"));
        assert!(tool("x", &[]).is_err());
    }
}

//! Arguments of a call: from the words of a command line to JSON, guided by the tool's schema, and the headers in which
//! some of them are repeated.
//!
//! Never validates: that is the server's business. A schema only says what type a word is meant to have.

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::{Object, exchange::mirrored};
use crate::exit::Usage;

/// Objects within each other that are looked through for parameters with headers.
const DEPTH: usize = 32;

/// How the arguments of a call were given.
#[derive(Debug, Clone, PartialEq)]
pub enum Arguments {
    /// One by one: `key=value` or `key:=JSON`.
    Words(Vec<String>),
    /// As one JSON object.
    Json(String),
}

/// The arguments as JSON. A `key=value` has the type that the schema says, else it is text.
///
/// # Errors
/// What was typed wrong.
pub fn typed(given: &Arguments, schema: &Value) -> Result<Object, Usage> {
    let words = match given {
        Arguments::Json(json) => return object(json),
        Arguments::Words(words) => words,
    };
    let mut arguments = Object::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .filter(|(key, _)| !key.trim_end_matches(':').is_empty())
            .ok_or_else(|| Usage(format!("`{word}` is no argument: write key=value for text, key:=value for JSON")))?;
        let (key, value) = match key.strip_suffix(':') {
            Some(key) => (key, json(key, value)?),
            None => (key, guided(key, value, &schema["properties"][key])?),
        };
        if arguments.insert(key.to_owned(), value).is_some() {
            return Err(Usage(format!("`{key}` is given twice")));
        }
    }
    Ok(arguments)
}

fn object(json: &str) -> Result<Object, Usage> {
    match serde_json::from_str(json) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(Usage("the arguments must be a JSON object, such as {\"key\": \"value\"}".into())),
        Err(fault) => Err(Usage(format!("the arguments are not JSON: {fault}"))),
    }
}

fn json(key: &str, value: &str) -> Result<Value, Usage> {
    serde_json::from_str(value).map_err(|fault| Usage(format!("`{key}` is not JSON: {fault}; for text write {key}=…")))
}

/// A word as the type that its schema names.
fn guided(key: &str, word: &str, schema: &Value) -> Result<Value, Usage> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if types.is_empty() || types.contains(&"string") {
        return Ok(word.into());
    }
    let value = serde_json::from_str(word).ok();
    let fits = |value: &Value| {
        types.iter().any(|name| match *name {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        })
    };
    value.filter(fits).ok_or_else(|| Usage(format!("`{key}` must be of type {}, not `{word}`", types.join(" or "))))
}

/// The headers that repeat arguments whose schema asks for it (2026-07-28, streamable-http, "Custom Headers from Tool
/// Parameters"). What breaks the rules for them is left out; the gateway does not list such tools anyway.
pub fn headers(schema: &Value, arguments: &Object) -> Vec<(HeaderName, HeaderValue)> {
    let mut found = Vec::new();
    collect(schema, arguments, DEPTH, &mut found);
    found
}

fn collect(schema: &Value, arguments: &Object, depth: usize, found: &mut Vec<(HeaderName, HeaderValue)>) {
    let Some(properties) = schema["properties"].as_object().filter(|_| depth > 0) else { return };
    for (key, property) in properties {
        match (property["x-mcp-header"].as_str(), arguments.get(key)) {
            (_, None | Some(Value::Null)) => {}
            (Some(name), Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)))) => {
                let name = HeaderName::try_from(format!("mcp-param-{name}"));
                if let (Ok(name), Ok(value)) = (name, mirrored(value)) {
                    found.push((name, value));
                }
            }
            (_, Some(Value::Object(inner))) => collect(property, inner, depth - 1, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde_json::json;

    use super::*;

    fn words(words: &[&str], schema: &Value) -> Result<Value, String> {
        let words = Arguments::Words(words.iter().map(ToString::to_string).collect());
        typed(&words, schema).map(Value::Object).map_err(|usage| usage.to_string())
    }

    #[test]
    fn words_become_what_the_schema_says_and_text_where_it_says_nothing() {
        let schema = json!({ "properties": {
            "n": { "type": "integer" }, "x": { "type": ["number", "null"] }, "b": { "type": "boolean" },
            "s": { "type": "string" }, "either": { "type": ["integer", "string"] }, "list": { "type": "array" },
        } });
        let given =
            ["n=3", "x=null", "b=true", "s=5", "either=6", "list=[1]", "other=7", "j:={\"a\":[1]}", "empty=", "eq=a=b"];
        let expected = json!({
            "n": 3, "x": null, "b": true, "s": "5", "either": "6", "list": [1],
            "other": "7", "j": { "a": [1] }, "empty": "", "eq": "a=b",
        });
        assert_eq!(words(&given, &schema), Ok(expected));
        let big = words(&["n=9007199254740993"], &schema).unwrap();
        assert_eq!(big.to_string(), r#"{"n":9007199254740993}"#);
        for wrong in ["n=three", "n=1.5", "b=yes", "list={}"] {
            assert!(words(&[wrong], &schema).unwrap_err().contains("must be of type"), "{wrong}");
        }
    }

    #[test]
    fn what_was_typed_wrong_is_told() {
        for (given, part) in [
            (vec!["text"], "is no argument"),
            (vec!["=x"], "is no argument"),
            (vec![":=1"], "is no argument"),
            (vec!["a:=x"], "`a` is not JSON"),
            (vec!["a=1", "a=2"], "given twice"),
        ] {
            assert!(words(&given, &json!({})).unwrap_err().contains(part), "{given:?}");
        }
        assert!(typed(&Arguments::Json("[1]".into()), &json!({})).is_err());
        assert!(typed(&Arguments::Json("{".into()), &json!({})).is_err());
        assert_eq!(typed(&Arguments::Json(r#"{"a":1}"#.into()), &json!({})).unwrap()["a"], 1);
    }

    #[test]
    fn arguments_are_repeated_in_headers_where_the_schema_asks_for_it() {
        let schema = json!({ "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "deep": { "properties": { "n": { "type": "integer", "x-mcp-header": "Count" } } },
            "gone": { "type": "string", "x-mcp-header": "Gone" },
            "none": { "type": "string", "x-mcp-header": "None" },
            "plain": { "type": "string" },
        } });
        let arguments = json!({ "region": "zürich", "deep": { "n": 4 }, "none": null, "plain": "x" });
        let found = headers(&schema, arguments.as_object().unwrap());
        let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(found, [("mcp-param-region", "=?base64?esO8cmljaA==?="), ("mcp-param-count", "4")]);
    }
}

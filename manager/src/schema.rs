//! The JSON Schema of the configuration file, for editors and for `hostler schema`.
//!
//! Made from the types that the file is read into, so that it never says anything else than they do.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::document::Document;

/// The schema as the types give it.
pub(crate) fn of_types() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    // Serialized rather than converted, because that puts the keys in the order that people expect.
    SCHEMA.get_or_init(|| serde_json::to_value(schemars::schema_for!(Document)).unwrap_or_default())
}

/// JSON Schema (2020-12) of `hostler.yaml`, with descriptions, defaults and examples.
#[must_use]
pub fn schema() -> Value {
    let mut schema = of_types().clone();
    polish(&mut schema);
    schema
}

/// Puts descriptions on one line, drops formats that only the types mean, and allows references to variables where the
/// types want numbers or truth values.
fn polish(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            if fields.get("format") == Some(&json!("uint")) {
                fields.shift_remove("format");
            }
            if let Some(Value::Array(types)) = fields.get_mut("type")
                && types.iter().any(|one| one == "integer" || one == "boolean")
                && !types.contains(&json!("string"))
            {
                types.push(json!("string"));
                fields.insert("pattern".into(), json!(r"\$\{.*\}"));
            }
            fields.values_mut().for_each(polish);
        }
        Value::Array(items) => items.iter_mut().for_each(polish),
        _ => {}
    }
}

#[cfg(test)]
mod tests;

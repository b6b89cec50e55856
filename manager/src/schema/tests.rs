//! The schema, the documentation and the checks say the same.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::{
    Builtins, Surroundings, load_in,
    units::{Period, Size},
};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn example() -> String {
    fs::read_to_string(docs("hostler.example.yaml")).unwrap()
}

fn surroundings(folder: &Path) -> Surroundings {
    let variables = [("HOME", "/h"), ("EXAMPLE_TOKEN", "hunter2")];
    Surroundings::new(variables.map(|(a, b)| (a.to_owned(), b.to_owned())).into(), folder.to_owned())
}

fn load(text: &str) -> Result<crate::Loaded, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), text).unwrap();
    let start = std::sync::Arc::new(|| tokio::io::duplex(1).0);
    let demo = upstream::spec::Builtin { name: "demo", start };
    let builtins: Builtins = [("demo".to_owned(), demo)].into();
    let loaded = load_in(&surroundings(folder.path()), Some(Path::new("f")), &builtins);
    loaded.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// Rewrites the part of a file that comes from the schema, or checks that it is current.
fn current(file: &Path, wanted: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file, wanted).unwrap();
    }
    let there = fs::read_to_string(file).unwrap_or_default();
    assert!(there == wanted, "{} is not current: run `UPDATE_DOCS=1 cargo test -p manager docs`", file.display());
}

#[test]
fn the_schema_in_the_docs_is_current() {
    current(&docs("hostler.schema.json"), &format!("{:#}\n", schema()));
}

#[test]
fn the_example_fits_the_schema_and_loads_without_a_word() {
    let value: Value = serde_saphyr::from_str(&example()).unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let faults: Vec<_> =
        validator.iter_errors(&value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert_eq!(faults, [""; 0]);
    let loaded = load(&example()).unwrap();
    let told: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "only that names may collide without prefixes: {told:#?}");
    assert_eq!((loaded.plan.servers.len(), loaded.plan.views.len()), (5, 2));
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (text, fits) in [
        ("{}", true),
        ("threads: ${N}", true),
        ("limits: {page: 10, body: '${B}'}", true),
        ("limits: {body: 1024}", true),
        ("servers: {a: {command: x, call_timeout: 1h}}", true),
        ("servers: {a: {enabled: '${ON}'}}", true),
        ("thread: 1", false),
        ("threads: many", false),
        ("threads: 0", false),
        ("limits: {header_timeout: 30}", false),
        ("limits: {body: lots}", false),
        ("servers: {a: {comand: x}}", false),
        ("servers: {a: {isolation: nobody}}", false),
        ("servers: {a: {args: x}}", false),
        ("virtual: {v: {servers: {a: {tools: {alow: []}}}}}", false),
    ] {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(validator.is_valid(&value), fits, "{text}");
        assert!(fits || load(text).is_err(), "{text}");
    }
}

/// The value that a definition of the schema gives each of its keys by default.
fn defaults_of(definition: &str) -> Value {
    let fields = of_types()["$defs"][definition]["properties"].as_object().unwrap();
    fields
        .iter()
        .filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn the_documented_defaults_are_those_in_force() {
    let root = &of_types()["properties"];
    let written = json!({
        "listen": root["listen"]["default"], "state_dir": root["state_dir"]["default"],
        "log": defaults_of("Log"), "http": defaults_of("Http"), "limits": defaults_of("Limits"), "defaults": defaults_of("Tuning"),
        "servers": {"a": {"command": "x", "args": [], "env": {}, "enabled": true}},
        "federated": {"prefix": true},
    });
    assert_eq!(written["limits"].as_object().unwrap().len(), 15);
    assert_eq!(written["defaults"].as_object().unwrap().len(), 9);
    let plain = load("servers: {a: {command: x}}").unwrap();
    assert_eq!(load(&written.to_string()).unwrap().plan, plain.plan);
}

#[test]
fn the_documented_bounds_are_those_that_are_checked() {
    let mut checked = 0;
    for (block, definition) in [("limits", "Limits"), ("defaults", "Tuning")] {
        for (name, field) in of_types()["$defs"][definition]["properties"].as_object().unwrap() {
            let description = field["description"].as_str().unwrap();
            let words: Vec<&str> = description.split([' ', ',']).map(|word| word.trim_end_matches('.')).collect();
            let Some(at) = words.iter().position(|word| *word == "to").filter(|_| name != "isolation") else {
                assert_eq!(name, "isolation", "{description}");
                continue;
            };
            let at =
                words.iter().skip(at).zip(at..).filter(|(word, _)| **word == "to").map(|(_, at)| at).last().unwrap();
            let (least, most) = (words[at - 1], words[at + 1]);
            let accepted = |value: &str| {
                let told =
                    load(&format!("{block}: {{{name}: {value}, {}}}", companion(name))).err().unwrap_or_default();
                !told.iter().any(|problem| problem.contains(&format!("{block}.{name}:")))
            };
            assert!(accepted(least) && accepted(most), "{block}.{name}: {least} to {most}");
            let (below, above) = neighbours(least, most);
            assert!(below.is_none_or(|below| !accepted(&below)), "{block}.{name}: below {least}");
            assert!(!accepted(&above), "{block}.{name}: above {most}");
            checked += 1;
        }
    }
    assert_eq!(checked, 23);
}

/// What must be set too, so that two keys do not contradict each other.
fn companion(name: &str) -> &'static str {
    match name {
        "call_deadline" => "call_timeout: 100ms",
        "held" => "body: 1KiB",
        _ => "",
    }
}

/// The values just outside of bounds.
fn neighbours(least: &str, most: &str) -> (Option<String>, String) {
    if let (Some(least), Some(most)) = (Size::parse(least), Size::parse(most)) {
        return (least.0.checked_sub(1).map(|n| n.to_string()), (most.0 + 1).to_string());
    }
    let ms = |text: &str| Period::parse(text).expect(text).0.as_millis();
    (ms(least).checked_sub(1).map(|n| format!("{n}ms")), format!("{}ms", ms(most) + 1))
}

/// The tables of the documentation: under which path the keys of each definition stand.
const TABLES: [(&str, &str); 10] = [
    ("", ""),
    ("`log`", "Log"),
    ("`http`", "Http"),
    ("`cluster`", "Cluster"),
    ("`limits`", "Limits"),
    ("`servers.<name>`", "Server"),
    ("`defaults`", "Tuning"),
    ("`federated` and `virtual.<name>`", "View"),
    ("`federated.servers.<server>` and `virtual.<name>.servers.<server>`", "Selection"),
    ("`tools`, `prompts` and `resources` of a selection", "Choice"),
];

/// The type of a field in words, and its default.
fn in_words(field: &Value) -> (String, String) {
    let schema = of_types();
    let target = field["anyOf"].as_array().and_then(|any| any.iter().find_map(|one| one["$ref"].as_str()));
    let kind = match target.or(field["$ref"].as_str()).map(|target| target.trim_start_matches("#/$defs/")) {
        Some("Duration") => "duration".to_owned(),
        Some("Size") => "size".to_owned(),
        Some(name) => match schema["$defs"][name]["enum"].as_array() {
            Some(words) => {
                words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(", ")
            }
            None => "mapping".to_owned(),
        },
        None => {
            match field["type"].as_array().and_then(|types| types[0].as_str()).or(field["type"].as_str()).unwrap() {
                "string" => "text",
                "integer" => "number",
                "boolean" => "`true`, `false`",
                "array" => "list of text",
                _ if field["additionalProperties"]["type"] == "string" => "mapping of text",
                _ => "mapping",
            }
            .to_owned()
        }
    };
    let default = match field.get("default") {
        None => String::new(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    };
    (kind, default)
}

#[test]
fn every_key_stands_in_the_docs() {
    let schema = of_types();
    let mut tables = String::new();
    for (path, definition) in TABLES {
        let object = if definition.is_empty() { schema } else { &schema["$defs"][definition] };
        let title = if path.is_empty() { "Top level".to_owned() } else { format!("Under {path}") };
        tables += &format!("\n### {title}\n\n");
        if definition == "Server" {
            tables += "Besides these, every key of `defaults` can be set for a single server.\n\n";
        }
        tables += "| key | value | default | meaning |\n| --- | --- | --- | --- |\n";
        for (name, field) in object["properties"].as_object().unwrap() {
            if definition == "Server" && schema["$defs"]["Tuning"]["properties"].get(name).is_some() {
                continue;
            }
            let (kind, default) = in_words(field);
            let meaning = field["description"].as_str().expect(name).replace('\n', " ").replace('|', "\\|");
            tables += &format!("| `{name}` | {kind} | {default} | {meaning} |\n");
        }
    }
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let listed = TABLES.iter().any(|(_, listed)| listed == name);
        assert!(listed || definition["properties"].is_null(), "`{name}` is in no table");
    }
    let file = docs("configuration.md");
    let there = fs::read_to_string(&file).unwrap();
    let start = there
        .find("<!-- keys")
        .and_then(|at| Some(at + there[at..].find("-->\n")? + 4))
        .expect("the mark before the keys");
    let end = there.find("<!-- end of keys -->").expect("the mark behind the keys");
    current(&file, &format!("{}{tables}\n{}", &there[..start], &there[end..]));
}

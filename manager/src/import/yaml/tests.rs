//! Insertion into texts of every form, compared character by character.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;

fn entries() -> Vec<Entry> {
    let definition =
        json!({"command": "npx", "args": ["-y", "@scope/x", "1.10"], "env": {"A_B": "y", "C": "é \"q\"\n"}});
    let Value::Object(definition) = definition else { panic!("an object") };
    vec![Entry { name: "new".into(), definition }]
}

/// The lines of the entry, indented.
fn block(indent: usize) -> String {
    let lines = "new:\n  command: npx\n  args: [-y, \"@scope/x\", \"1.10\"]\n  env:\n    A_B: \"y\"\n    C: \"é \\\"q\\\"\\n\"\n";
    lines.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

const FLOW: &str =
    r#""new": {"command": "npx", "args": ["-y", "@scope/x", "1.10"], "env": {"A_B": "y", "C": "é \"q\"\n"}}"#;

#[test]
fn new_servers_stand_where_a_person_would_put_them() {
    let (two, four) = (block(2), block(4));
    for (before, after) in [
        (String::new(), format!("servers:\n{two}")),
        ("# mine".into(), format!("# mine\n\nservers:\n{two}")),
        ("listen: 127.0.0.1:1\n".into(), format!("listen: 127.0.0.1:1\n\nservers:\n{two}")),
        ("servers:\n  a: {command: x} # why\n".into(), format!("servers:\n  a: {{command: x}} # why\n{two}")),
        (
            "servers:\n    a:\n        command: x\n    # of a\n\n# about limits\nlimits: {}\n".into(),
            format!("servers:\n    a:\n        command: x\n    # of a\n{four}\n# about limits\nlimits: {{}}\n"),
        ),
        ("servers:\n  a: {command: x}".into(), format!("servers:\n  a: {{command: x}}\n{two}")),
        ("servers:\n  a: {command: x}\n...\n".into(), format!("servers:\n  a: {{command: x}}\n{two}...\n")),
        ("servers: # none\nlog: {}\n".into(), format!("servers: # none\n{two}log: {{}}\n")),
        ("servers:\n".into(), format!("servers:\n{two}")),
        ("mcpServers:\n  a: {command: x}\n".into(), format!("mcpServers:\n  a: {{command: x}}\n{two}")),
        ("servers: {}\n".into(), format!("servers: {{{FLOW}}}\n")),
        ("servers: { a: {command: x} }\n".into(), format!("servers: {{{FLOW},  a: {{command: x}} }}\n")),
        ("{}".into(), format!("{{\"servers\": {{{FLOW}}}}}")),
        ("{\"log\": {}}".into(), format!("{{\"servers\": {{{FLOW}}}, \"log\": {{}}}}")),
        (
            "servers:\r\n  a: {command: x}\r\n".into(),
            format!("servers:\r\n  a: {{command: x}}\r\n{}", two.replace('\n', "\r\n")),
        ),
    ] {
        assert_eq!(insert(&before, &entries()).as_deref(), Some(after.as_str()), "into {before:?}");
    }
}

#[test]
fn where_there_is_no_safe_place_nothing_is_inserted() {
    for text in [
        "servers: ~\n",
        "servers: &a\n  <<: *b\n",
        "servers: []\n",
        "[]",
        "text",
        "a: [",
        "x: &x {a: {command: y}}\nservers: *x\n",
    ] {
        assert_eq!(insert(text, &entries()), None, "{text}");
    }
}

#[test]
fn texts_are_read_back_as_they_were() {
    let all = [
        "",
        "a",
        "-y",
        "--flag=x",
        "-1",
        "- x",
        "---",
        "true",
        "No",
        "~",
        "~/x",
        "./x",
        ".5",
        "1e3",
        "a: b",
        "a #b",
        "#",
        "*a",
        "&a",
        "!t",
        "%x",
        "@x",
        "`x`",
        "'q'",
        "\"q\"",
        "\\",
        "tab\t",
        "nl\n",
        "cr\r",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "日本 😀",
        "${VAR}",
        "{x}",
        "[x]",
        "a,b",
        "=",
        "<<",
        "null",
        "0x1F",
        "2026-11-21",
        "12:30",
        "-.inf",
        ".nan",
        "a/b@c",
        " lead",
        "trail ",
        "?",
        "? x",
        "|",
        ">",
    ];
    let args: Vec<Value> = all.iter().map(|text| (*text).into()).collect();
    let env: Map<String, Value> =
        all.iter().filter(|t| !t.is_empty()).map(|text| ((*text).to_owned(), (*text).into())).collect();
    for before in ["", "servers: {}\n"] {
        let Value::Object(definition) = json!({"args": args, "env": env, "enabled": false}) else {
            panic!("an object")
        };
        let entry = Entry { name: "x".into(), definition: definition.clone() };
        let text = insert(before, &[entry]).expect(before);
        let read = tree::parse(&text, None).unwrap().plain();
        assert_eq!(read["servers"]["x"], as_text(&definition.into()), "{text}");
    }
}

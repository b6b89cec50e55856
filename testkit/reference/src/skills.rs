//! Two skills, their files and their directories (SEP-2640, the Skills extension).
//!
//! Never reads a file of the machine: all that is served stands here.

use rmcp::{
    ErrorData,
    model::{ListResourcesResult, ListSkillsResult, SkillResource},
};
use serde_json::{Value, json};

use crate::server::kept;

/// What marks a directory.
const DIRECTORY: &str = "inode/directory";
/// Where all skills are.
const ROOT: &str = "skill://reference";

/// A skill: its name, its description, and its files with their texts, the manifest among them.
type Skill = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const SKILLS: [Skill; 2] = [
    (
        "greeting",
        "Greets people in a tone that suits them.",
        &[
            (
                "SKILL.md",
                "---\nname: greeting\ndescription: Greets people in a tone that suits them.\n---\n\nSee notes/tone.md.\n",
            ),
            ("notes/tone.md", "Be kind.\n"),
        ],
    ),
    (
        "counting",
        "Counts things, and says how many there are.",
        &[(
            "SKILL.md",
            "---\nname: counting\ndescription: Counts things, and says how many there are.\n---\n\nOne by one.\n",
        )],
    ),
];

fn entry((name, description, files): &Skill) -> Value {
    let file =
        |(path, text): &(&str, &str)| SkillResource::from_bytes(format!("{ROOT}/{name}/{path}"), text.as_bytes());
    json!({
        "uri": format!("{ROOT}/{name}/SKILL.md"),
        "frontmatter": { "name": name, "description": description },
        "resources": files.iter().map(file).collect::<Vec<_>>(),
    })
}

/// A page of the skills: one, so that there are two pages.
///
/// # Errors
/// -32602 for a cursor that was not handed out.
pub fn list(cursor: Option<&str>) -> Result<ListSkillsResult, ErrorData> {
    let at = match cursor {
        Some(cursor) => SKILLS.iter().position(|(name, ..)| *name == cursor),
        None => Some(0),
    };
    let at = at.ok_or_else(|| ErrorData::invalid_params("no such cursor", None))?;
    let mut page = json!({ "skills": [entry(&SKILLS[at])] });
    if let Some((next, ..)) = SKILLS.get(at + 1) {
        page["nextCursor"] = json!(next);
    }
    kept(page)
}

/// The skill whose manifest has this URI.
///
/// # Errors
/// -32602 when there is none.
pub fn get(uri: &str) -> Result<Value, ErrorData> {
    let skill = SKILLS.iter().map(entry).find(|skill| skill["uri"] == uri);
    skill.ok_or_else(|| ErrorData::invalid_params("no such skill", Some(json!({ "uri": uri }))))
}

/// The manifests, as `resources/list` shows them.
pub fn manifests() -> Vec<Value> {
    let manifest = |(name, description, _): &Skill| {
        let uri = format!("{ROOT}/{name}/SKILL.md");
        json!({ "uri": uri, "name": name, "description": description, "mimeType": "text/markdown" })
    };
    SKILLS.iter().map(manifest).collect()
}

/// The contents of a skill's file; nothing when there is none of that URI.
pub fn read(uri: &str) -> Option<Value> {
    let (_, text) = files().find(|(known, _)| known == uri)?;
    Some(json!({ "uri": uri, "mimeType": "text/markdown", "text": text }))
}

fn files() -> impl Iterator<Item = (String, &'static str)> {
    let of_skill = |(name, _, files): &'static Skill| {
        files.iter().map(move |(path, text)| (format!("{ROOT}/{name}/{path}"), *text))
    };
    SKILLS.iter().flat_map(of_skill)
}

/// What lies in a directory, and not deeper.
///
/// # Errors
/// -32602 when it is no directory.
pub fn directory(uri: &str) -> Result<ListResourcesResult, ErrorData> {
    let inside = format!("{}/", uri.trim_end_matches('/'));
    let mut found: Vec<Value> = Vec::new();
    for (file, _) in files() {
        let Some(rest) = file.strip_prefix(&inside) else { continue };
        let (name, mime) = match rest.split_once('/') {
            Some((directory, _)) => (directory, DIRECTORY),
            None => (rest, "text/markdown"),
        };
        let child = json!({ "uri": format!("{inside}{name}"), "name": name, "mimeType": mime });
        if !found.contains(&child) {
            found.push(child);
        }
    }
    if found.is_empty() {
        return Err(ErrorData::invalid_params("no such directory", Some(json!({ "uri": uri }))));
    }
    kept(json!({ "resources": found }))
}

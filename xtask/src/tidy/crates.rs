//! The rules for crates as a whole: each says what it never does, and stands on the map.
//!
//! Never looks at who depends on whom: that is `floors`.

use super::Finding;
use crate::tree::TextFile;

const MAP: &str = "ARCHITECTURE.md";

/// Every finding about the crates of the tree.
pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let map = files.iter().find(|file| file.path == MAP);
    let mut findings = Vec::new();
    let mut tell = |path: &str, what: String| findings.push(Finding { path: path.to_owned(), line: 1, what });
    for manifest in files {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        let Some(name) = package_name(&manifest.text) else { continue };
        if !map.is_some_and(|map| map.text.contains(&format!("`{name}`"))) {
            tell(MAP, format!("crate `{name}` is not on the map: say what it is for and what it never does"));
        }
        let roots = [format!("{folder}/src/lib.rs"), format!("{folder}/src/main.rs")];
        for root in files.iter().filter(|file| roots.contains(&file.path)) {
            if !says_never(&root.text) {
                tell(&root.path, format!("the head of crate `{name}` says what it never does (with that word)"));
            }
        }
    }
    findings
}

/// The name in the `[package]` table; none in a manifest that only declares a workspace.
fn package_name(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines().skip_while(|line| line.trim() != "[package]").skip(1);
    let line = lines.by_ref().take_while(|line| !line.starts_with('[')).find(|line| line.starts_with("name"))?;
    line.split('"').nth(1)
}

fn says_never(text: &str) -> bool {
    let mut head = text.lines().take_while(|line| line.starts_with("//!"));
    head.any(|line| line.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "never"))
}

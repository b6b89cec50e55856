//! The rules for every text file: nothing in it may hold on one machine only.
//!
//! Never reads lock files of cargo, which name the registry by design.

use super::Finding;
use crate::tree::TextFile;

/// Where packages come from is the business of each machine's own settings. Written in two halves,
/// so that this file passes its own rule.
const REGISTRIES: [&str; 10] = [
    concat!("crates", ".io"),
    concat!("static.rust-lang", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("registry.yarnpkg", ".com"),
    concat!("pypi", ".org"),
    concat!("files.pythonhosted", ".org"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
    concat!("archive.ubuntu", ".com"),
    concat!("proxy.golang", ".org"),
];

/// Folders that only one machine has. The last one counts with a name behind it.
const MACHINE_FOLDERS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Every finding in a text file.
pub fn check(file: &TextFile) -> Vec<Finding> {
    if file.path.split('/').next_back() == Some("Cargo.lock") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let mut tell = |what: String| findings.push(Finding { path: file.path.clone(), line: index + 1, what });
        for registry in REGISTRIES {
            if line.contains(registry) {
                tell(format!("`{registry}` is a registry's host: leave it to the machine's settings"));
            }
        }
        for folder in MACHINE_FOLDERS {
            if line.match_indices(folder).any(|(at, _)| is_machine_path(line, at, folder)) {
                tell(format!("`{folder}` is a path of one machine"));
            }
        }
    }
    findings
}

/// True when the folder stands at the beginning of a path, and is followed by a name.
fn is_machine_path(line: &str, at: usize, folder: &str) -> bool {
    let begins = !line[..at].ends_with(|before: char| before.is_alphanumeric() || "_-.})>/~*".contains(before));
    let named = line[at + folder.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '.');
    begins && (named || !folder.ends_with(concat!("me", "/")))
}

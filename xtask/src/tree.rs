//! The tree: where it begins, and the text files that git knows or would take.
//!
//! Never follows ignored files, so `target/` and `node_modules` are never read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// A text file of the tree.
pub struct TextFile {
    /// Relative to the root, with forward slashes.
    pub path: String,
    pub text: String,
}

/// The workspace's root: the nearest folder upwards whose manifest declares a workspace.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    for folder in here.ancestors() {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        if manifest.lines().any(|line| line.trim() == "[workspace]") {
            return Ok(folder.to_path_buf());
        }
    }
    bail!("no workspace in {} or above it", here.display())
}

/// Every tracked file and every untracked one that is not ignored, in the order of their paths.
///
/// Files that are not UTF-8 text, or hold a NUL byte, are left out.
pub fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let listing = shell::output(shell::command("git", root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))
    .context("the tidy rules read the tree through git")?;
    let mut paths: Vec<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue }; // deleted, or a link to nowhere
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => files.push(TextFile { path: path.to_owned(), text }),
            _ => {}
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn tracked_and_new_files_are_read_and_ignored_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str, bytes: &[u8]| std::fs::write(root.join(path), bytes).unwrap();
        shell::output(shell::command("git", root).args(["init", "--quiet"])).unwrap();
        write(".gitignore", b"ignored.rs\n");
        write("tracked.rs", b"//! Here.\n");
        write("new.rs", b"//! Here too.\n");
        write("ignored.rs", b"//! Not.\n");
        write("picture.png", b"\x89PNG\0");
        write("gone.rs", b"");
        shell::output(shell::command("git", root).args(["add", "tracked.rs", "gone.rs"])).unwrap();
        std::fs::remove_file(root.join("gone.rs")).unwrap();

        let paths: Vec<String> = text_files(root).unwrap().into_iter().map(|file| file.path).collect();

        assert_eq!(paths, [".gitignore", "new.rs", "tracked.rs"]);
    }
}

//! What the machine contributes to a configuration: variables, the home folder, the working directory.
//!
//! A value of its own, so that tests need no real environment. Never changes anything, and shows no variable's value.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// Variables and folders, as they were when this was made.
#[derive(Clone, Default)]
pub struct Surroundings {
    variables: BTreeMap<String, String>,
    working_directory: PathBuf,
}

impl fmt::Debug for Surroundings {
    /// Variables may be secrets, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("variables", &self.variables.len())
            .field("working_directory", &self.working_directory)
            .finish()
    }
}

impl Surroundings {
    /// Those of this process. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// Made up ones.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>, working_directory: PathBuf) -> Self {
        Self { variables, working_directory }
    }

    /// A variable's value.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The names of all variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Where relative paths begin that no file stands behind.
    #[must_use]
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.folder("HOME")
    }

    /// Where users keep configuration: `$XDG_CONFIG_HOME`, else `~/.config`.
    #[must_use]
    pub fn config_home(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME").or_else(|| Some(self.home()?.join(".config")))
    }

    /// Where programs keep state: `$XDG_STATE_HOME`, else `~/.local/state`.
    #[must_use]
    pub fn state_home(&self) -> Option<PathBuf> {
        self.folder("XDG_STATE_HOME").or_else(|| Some(self.home()?.join(".local/state")))
    }

    /// A path as a file spells it: `~` is the home folder, relative ones begin at `base`.
    #[must_use]
    pub fn path(&self, text: &str, base: &Path) -> PathBuf {
        let path = match (text.strip_prefix('~'), self.home()) {
            (Some(""), Some(home)) => home,
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        };
        self.working_directory.join(base).join(path)
    }

    /// A folder that a variable names. The base directory specification ignores relative ones.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_where_they_should() {
        let here = Surroundings::new([("HOME".to_owned(), "/h".to_owned())].into(), "/w".into());
        for (text, path) in [("~", "/h"), ("~/x", "/h/x"), ("/a", "/a"), ("b", "/w/conf/b"), ("~x", "/w/conf/~x")] {
            assert_eq!(here.path(text, Path::new("conf")), Path::new(path), "{text}");
        }
        assert_eq!(here.state_home().as_deref(), Some(Path::new("/h/.local/state")));
        assert_eq!(here.config_home().as_deref(), Some(Path::new("/h/.config")));
        assert!(!format!("{here:?}").contains("HOME"));
    }
}

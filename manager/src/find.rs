//! Where the configuration file lies.
//!
//! Never reads it.

use std::path::{Path, PathBuf};

use crate::{Problem, Surroundings};

/// The names that a configuration file may have.
const NAMES: [&str; 2] = ["hostler.yaml", "hostler.yml"];

/// The configuration file: the one asked for, else `./hostler.yaml`, else `$XDG_CONFIG_HOME/hostler/hostler.yaml`
/// (`~/.config` without that variable), each also as `.yml`. None of them is no error: there are defaults.
///
/// # Errors
/// The file that was asked for does not exist, or a folder has both spellings.
pub fn find(explicit: Option<&Path>) -> Result<Option<PathBuf>, Problem> {
    find_in(&Surroundings::of_process(), explicit)
}

/// As [`find`], in given surroundings.
///
/// # Errors
/// As [`find`].
pub fn find_in(surroundings: &Surroundings, explicit: Option<&Path>) -> Result<Option<PathBuf>, Problem> {
    if let Some(file) = explicit {
        if surroundings.working_directory().join(file).exists() {
            return Ok(Some(file.to_owned()));
        }
        let problem = Problem::error(Some(file.to_owned()), "there is no such file");
        return Err(problem.with_remedy("check `--config`, or leave it out to start with defaults"));
    }
    let user = surroundings.config_home().map(|folder| folder.join(ground::PRODUCT));
    for folder in [Some(PathBuf::new()), user].into_iter().flatten() {
        let files = NAMES.map(|name| folder.join(name));
        let mut there = files.iter().filter(|file| surroundings.working_directory().join(file).is_file());
        match (there.next(), there.next()) {
            (Some(_), Some(other)) => {
                let message = format!("`{}` lies beside it, and only one can be meant", NAMES[0]);
                return Err(
                    Problem::error(Some(other.clone()), message).with_remedy("remove one, or name it by `--config`")
                );
            }
            (Some(file), None) => return Ok(Some(file.clone())),
            (None, _) => {}
        }
    }
    Ok(None)
}

/// Where a new configuration file is put: the working directory.
#[must_use]
pub fn fresh_file() -> PathBuf {
    PathBuf::from(NAMES[0])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_nearest_file_wins_and_doubles_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let user = root.join("conf/hostler");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::create_dir(root.join("here")).unwrap();
        let variables = [("XDG_CONFIG_HOME".to_owned(), root.join("conf").to_str().unwrap().to_owned())];
        let surroundings = Surroundings::new(variables.into(), root.join("here"));
        let find = |explicit: Option<&str>| find_in(&surroundings, explicit.map(Path::new));

        assert_eq!(find(None).unwrap(), None);
        std::fs::write(user.join("hostler.yml"), "").unwrap();
        assert_eq!(find(None).unwrap(), Some(user.join("hostler.yml")));
        std::fs::write(root.join("here/hostler.yaml"), "").unwrap();
        assert_eq!(find(None).unwrap(), Some("hostler.yaml".into()));
        std::fs::write(root.join("here/hostler.yml"), "").unwrap();
        let problem = find(None).unwrap_err().to_string();
        assert!(problem.starts_with("hostler.yml: `hostler.yaml` lies beside it"), "{problem}");
        assert_eq!(find(Some("hostler.yml")).unwrap(), Some("hostler.yml".into()));
        let problem = find(Some("nope.yaml")).unwrap_err().to_string();
        assert!(problem.starts_with("nope.yaml: there is no such file; "), "{problem}");
    }
}

//! The node's own key: made once, kept in the state folder, readable by its owner only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Bytes of a key.
const LENGTH: usize = 32;

/// Reads the file `key` of the state folder, or makes it.
///
/// Written to a draft first and linked into place, so that of several programs that start at once all get the same one,
/// and a crash leaves a whole key or none.
///
/// # Errors
/// When the folder refuses, or the file holds something else.
pub fn of_node(state: &Path) -> io::Result<Vec<u8>> {
    let file = state.join("key");
    for _ in 0..2 {
        match fs::read(&file) {
            Ok(key) if key.len() == LENGTH => return Ok(key),
            Ok(_) => {
                let text = format!("{} is no key of {LENGTH} bytes; remove it to have one made", file.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(state, &file)?,
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("the key vanished as soon as it was made"))
}

fn make(state: &Path, file: &Path) -> io::Result<()> {
    let mut key = [0; LENGTH];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let draft = state.join(format!(".key.{}.tmp", std::process::id()));
    let written = write(&draft, &key).and_then(|()| match fs::hard_link(&draft, file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let _ = fs::remove_file(&draft);
    written
}

fn write(draft: &Path, key: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(draft)?;
    file.write_all(key)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let key = of_node(folder.path()).unwrap();
        assert_eq!(key.len(), LENGTH);
        assert_eq!(of_node(folder.path()).unwrap(), key);
        assert_ne!(of_node(tempfile::tempdir().unwrap().path()).unwrap(), key);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["key"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        of_node(folder.path()).unwrap();
        assert_eq!(fs::metadata(folder.path().join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn something_else_in_its_place_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "short").unwrap();
        assert!(of_node(folder.path()).unwrap_err().to_string().contains("no key"));
        assert_eq!(fs::read(folder.path().join("key")).unwrap(), b"short");
    }
}

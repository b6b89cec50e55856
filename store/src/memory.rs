//! What was learned about servers: one JSON file each.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ground::ServerName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What was learned about one server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Of which definition it was learned; another definition makes it worthless.
    pub fingerprint: String,
    /// Whether it speaks revision 2026-07-28 or later; absent when not known.
    pub modern: Option<bool>,
    /// Whether it speaks a revision with a handshake; absent when not known.
    pub legacy: Option<bool>,
    /// Whether it is reached over the deprecated HTTP+SSE transport.
    pub sse: bool,
    /// Whether it ever sent a request to a client.
    pub asks: bool,
    /// Its results of `initialize` and `server/discover`, by revision.
    pub greetings: BTreeMap<String, Box<RawValue>>,
    /// `tools/list`
    pub tools: Vec<Box<RawValue>>,
    /// `prompts/list`
    pub prompts: Vec<Box<RawValue>>,
    /// `resources/list`
    pub resources: Vec<Box<RawValue>>,
    /// `resources/templates/list`
    pub templates: Vec<Box<RawValue>>,
}

/// The files.
#[derive(Debug, Clone)]
pub struct Memories {
    folder: PathBuf,
}

impl Memories {
    /// Opens, or makes, the folder `servers` in the state folder, readable by its owner only.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join("servers");
        fs::create_dir_all(&folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(state, fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { folder })
    }

    fn file(&self, name: &ServerName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// What is remembered of a server under this definition. A file that cannot be read is as good as none.
    #[must_use]
    pub fn load(&self, name: &ServerName, fingerprint: &str) -> Memory {
        let fresh = || Memory { fingerprint: fingerprint.to_owned(), ..Memory::default() };
        let Ok(text) = fs::read(self.file(name)) else { return fresh() };
        match serde_json::from_slice::<Memory>(&text) {
            Ok(memory) if memory.fingerprint == fingerprint => memory,
            Ok(_) => fresh(),
            Err(error) => {
                tracing::warn!(server = %name, %error, "what was remembered of the server cannot be read; learning it anew");
                fresh()
            }
        }
    }

    /// Remembers. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk refuses; the old file stays as it was.
    pub fn save(&self, name: &ServerName, memory: &Memory) -> io::Result<()> {
        let target = self.file(name);
        // Two saves of one server may overlap when its definition changes; each has a draft of its own.
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = self.folder.join(format!(".{name}.{}.{number}.tmp", std::process::id()));
        let written = write(&draft, memory).and_then(|()| fs::rename(&draft, &target));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Forgets servers that nobody has written of for `age`, but for those named, and drafts that a kill left behind. A
    /// server that is taken out of the configuration and put back soon is still known.
    pub fn sweep(&self, named: &[&ServerName], age: Duration) {
        let kept: Vec<PathBuf> = named.iter().map(|name| self.file(name)).collect();
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let old = |file: &fs::DirEntry| {
            let written = file.metadata().ok().filter(fs::Metadata::is_file).and_then(|data| data.modified().ok());
            written.and_then(|at| at.elapsed().ok()).is_some_and(|since| since >= age)
        };
        for file in files.filter(|file| !kept.contains(&file.path()) && old(file)) {
            if let Err(error) = fs::remove_file(file.path()) {
                tracing::debug!(file = %file.path().display(), %error, "an old file of the state folder stays");
            }
        }
    }
}

fn write(draft: &Path, memory: &Memory) -> io::Result<()> {
    let text = serde_json::to_vec(memory)?;
    let mut file = File::create(draft)?;
    file.write_all(&text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_saved_is_loaded_unless_the_definition_changed() {
        let folder = tempfile::tempdir().unwrap();
        let memories = Memories::open(folder.path()).unwrap();
        let name = ServerName::new("a").unwrap();
        let mut memory = memories.load(&name, "one");
        memory.modern = Some(false);
        memory
            .tools
            .push(RawValue::from_string("{\"name\":\"x\",\"big\":123456789012345678901234567890}".into()).unwrap());
        memories.save(&name, &memory).unwrap();
        let loaded = memories.load(&name, "one");
        assert_eq!(loaded.modern, Some(false));
        assert_eq!(loaded.tools[0].get(), memory.tools[0].get());
        assert_eq!(memories.load(&name, "two").modern, None);
    }

    #[test]
    fn a_torn_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let memories = Memories::open(folder.path()).unwrap();
        let name = ServerName::new("a").unwrap();
        fs::write(memories.file(&name), b"{\"fingerprint\":\"one\",\"mod").unwrap();
        assert_eq!(memories.load(&name, "one").fingerprint, "one");
        assert_eq!(memories.load(&name, "one").modern, None);
    }

    #[test]
    fn servers_that_are_gone_for_long_are_forgotten_and_so_are_drafts() {
        let folder = tempfile::tempdir().unwrap();
        let memories = Memories::open(folder.path()).unwrap();
        let [kept, gone] = ["kept", "gone"].map(|name| ServerName::new(name).unwrap());
        for name in [&kept, &gone] {
            memories.save(name, &memories.load(name, "one")).unwrap();
        }
        let draft = memories.folder.join(".gone.1.0.tmp");
        fs::write(&draft, b"{").unwrap();
        memories.sweep(&[&kept], Duration::from_secs(3600));
        assert!(memories.file(&gone).exists() && draft.exists());
        memories.sweep(&[&kept], Duration::ZERO);
        assert!(memories.file(&kept).exists() && !memories.file(&gone).exists() && !draft.exists());
    }
}

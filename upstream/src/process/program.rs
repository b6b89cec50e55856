//! Finds the program of a server, and says in words that help why it cannot be started.
//!
//! Never starts anything. What names a place on the machine goes into the detail of a failure, not into its message.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf, absolute},
};

use ground::{Failure, Kind, Retry, ServerName};
use nix::{
    errno::Errno,
    unistd::{AccessFlags, access},
};

use super::control::Word;
use crate::spec::ProcessSpec;

/// Where programs are looked for when neither the server's configuration nor Hostler has a `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Finds the file that `spec.command` names: a name without `/` in `path`, anything else from the working directory on.
///
/// Blocks: looks into folders, which may be slow ones.
///
/// # Errors
/// [`Kind::Unavailable`] and not worth a retry: no such working directory, no such program, or no right to execute it;
/// the message says what to do about it.
pub fn find(spec: &ProcessSpec, name: &ServerName, path: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let texts = [&spec.command].into_iter().chain(&spec.args).chain(spec.env.keys()).chain(spec.env.values());
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(refuse(name, "its command, arguments or environment contain a NUL byte: remove it"));
    }
    let base = match &spec.cwd {
        Some(cwd) if cwd.is_dir() => cwd.as_path(),
        Some(cwd) => {
            let text = "its working directory does not exist: create it, or correct `cwd` in its configuration";
            return Err(refuse(name, text).with_detail(cwd.display()));
        }
        None => Path::new("."),
    };
    if spec.command.is_empty() {
        return Err(refuse(name, "`command` in its configuration is empty: name a program there"));
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let candidates: Vec<PathBuf> = if spec.command.contains('/') {
        vec![base.join(&spec.command)]
    } else {
        std::env::split_paths(path).map(|folder| base.join(folder).join(&spec.command)).collect()
    };
    let mut forbidden = None;
    for candidate in candidates.iter().filter(|candidate| candidate.is_file()) {
        if access(candidate, AccessFlags::X_OK).is_ok() {
            return absolute(candidate).map_err(|error| refuse(name, "its program has no path").with_detail(error));
        }
        forbidden.get_or_insert(candidate);
    }
    Err(match (forbidden, candidates.first()) {
        (Some(file), _) => not_executable(name, &spec.command).with_detail(file.display()),
        (None, Some(file)) if spec.command.contains('/') => not_found(name, &spec.command).with_detail(file.display()),
        (None, _) => not_found(name, &spec.command).with_detail(format_args!("PATH is {}", path.display())),
    })
}

/// The `PATH` by which a server's program is looked for: its own, or Hostler's.
pub(super) fn search_path(spec: &ProcessSpec) -> Option<OsString> {
    spec.env.get("PATH").map(Into::into).or_else(|| std::env::var_os("PATH"))
}

/// What a keeper's refusal means. `file` is what [`find`] found.
pub(super) fn refused(word: Word, spec: &ProcessSpec, name: &ServerName, file: &Path) -> Failure {
    let (errno, place) = match word {
        Word::NoDirectory(errno) => (Errno::from_raw(errno), spec.cwd.as_deref().unwrap_or(Path::new("."))),
        Word::NoProgram(errno) => (Errno::from_raw(errno), file),
        Word::Started(_) | Word::Ended(_) => (Errno::UnknownErrno, file),
    };
    let detail = format!("{}: {}", place.display(), errno.desc());
    if scarce(errno) {
        return scarcity(name).with_detail(detail);
    }
    let shown = shown(&spec.command);
    let failure = match (word, errno) {
        (Word::NoDirectory(_), _) => {
            let text =
                "its working directory cannot be entered: check its rights, or correct `cwd` in its configuration";
            refuse(name, text)
        }
        // The file was there a moment ago, so what is missing is the program it names in its first line.
        (_, Errno::ENOENT) => refuse(
            name,
            format!(
                "the interpreter named in the first line of `{shown}` was not found: install it, or correct the line"
            ),
        ),
        (_, Errno::EACCES | Errno::EPERM) => not_executable(name, &spec.command),
        (_, Errno::ENOEXEC) => refuse(
            name,
            format!(
                "`{shown}` is no program for this machine: install the right build, or give a script its `#!` line"
            ),
        ),
        (_, Errno::E2BIG) => refuse(name, "its arguments and environment are larger than the system allows"),
        _ => refuse(name, format!("`{shown}` cannot be executed: {}", errno.desc())),
    };
    failure.with_detail(detail)
}

/// Why not even a keeper could be started.
pub(super) fn no_keeper(name: &ServerName, error: &io::Error) -> Failure {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) if scarce(errno) => scarcity(name).with_detail(error),
        _ => refuse(name, "Hostler cannot start itself as its keeper: is its program file still executable?")
            .with_detail(error),
    }
}

fn scarce(errno: Errno) -> bool {
    matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM)
}

/// Passing shortage: the one case in which trying again may help.
fn scarcity(name: &ServerName) -> Failure {
    let text = format!(
        "server `{name}` cannot be started: the machine has no room for another process now; raise the limits on open \
         files and processes (`ulimit -n`, `ulimit -u`), or run fewer servers"
    );
    Failure::server(Kind::Unavailable, name, Retry::NeverSent, text)
}

pub(super) fn refuse(name: &ServerName, why: impl std::fmt::Display) -> Failure {
    Failure::server(Kind::Unavailable, name, Retry::No, format!("server `{name}` cannot be started: {why}"))
}

fn not_found(name: &ServerName, command: &str) -> Failure {
    let shown = shown(command);
    let remedy = match shown.as_str() {
        "npx" | "npm" | "node" => "install Node.js, which brings it",
        "uvx" | "uv" => "install uv, which brings it",
        "python" | "python3" | "pip" | "pipx" => "install Python 3, which brings it",
        "docker" => "install Docker, which brings it",
        "deno" | "bun" | "bunx" | "podman" | "go" | "cargo" | "java" | "dotnet" => "install it",
        _ => "install it",
    };
    refuse(name, format!("the program `{shown}` was not found: {remedy}, or correct `command` in its configuration"))
}

fn not_executable(name: &ServerName, command: &str) -> Failure {
    let shown = shown(command);
    let text = format!("`{shown}` may not be executed: make it executable (`chmod +x`), or correct `command`");
    refuse(name, text)
}

/// The command without its folder, which the caller of a tool has no business to know.
fn shown(command: &str) -> String {
    Path::new(OsStr::from_bytes(command.as_bytes()))
        .file_name()
        .map_or_else(|| command.to_owned(), |name| name.to_string_lossy().into_owned())
}

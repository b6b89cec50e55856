//! Starts a server: finds its program, starts a keeper, hands it the work and waits until the server runs.
//!
//! Never waits for the server to say anything. What is dropped half-way cleans up after itself: a keeper whose socket
//! closes kills what it has started, and the runtime reaps it.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::AsRawFd as _,
        unix::{net, process::CommandExt as _},
    },
    path::PathBuf,
    process::Stdio,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ground::{Failure, ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    process::{Child, Command},
    time::timeout,
};

use super::{
    KEEPER_ARG, Running,
    control::{START_MAX, Start, Word},
    environment, files, guard,
    handle::{Handle, Remains, Tree, Words, pid_of},
    program,
    stderr::StderrRing,
    sweep::sweep,
};
use crate::spec::ProcessSpec;

/// Longest wait for a keeper to have started its server. It takes milliseconds; a machine that needs longer is ill.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// The whole environment of a keeper. It keeps the allocator of the shipped program, mimalloc, from taking two huge pages
/// (4 MiB) for the few kilobytes that a keeper needs, and unlike other ways it changes nothing for the server.
const SMALL_HEAP: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

static KEEPER_PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The program that is started as a keeper: this one, as it was when it was started, even if its file has been
/// replaced since.
#[must_use]
pub fn keeper_program() -> PathBuf {
    if let Some(path) = KEEPER_PROGRAM.get() {
        return path.clone();
    }
    if cfg!(target_os = "linux") {
        return PathBuf::from("/proc/self/exe");
    }
    // Stand-in: after an upgrade in place this is the new program, whose keeper must then understand this one.
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from(ground::PRODUCT))
}

/// Names another program as keeper, once and before the first start; it has to call [`run_if_keeper`] first in `main`.
/// For test programs, which cannot be keepers themselves. Says whether it was the first to do so.
///
/// [`run_if_keeper`]: super::run_if_keeper
pub fn set_keeper_program(path: PathBuf) -> bool {
    KEEPER_PROGRAM.set(path).is_ok()
}

/// Starts a server and returns its streams once it runs; what it writes to stderr goes to `stderr`.
///
/// Its environment is what [`inherited`] lets through, and `spec.env`. It is the leader of a session without a
/// terminal and holds no descriptor but its standard streams. Must be called in a runtime with I/O and time; the
/// streams belong to that runtime. Dropping the future half-way leaves nothing behind.
///
/// # Errors
/// [`ground::Kind::Unavailable`]; the message says what to do. Worth a retry only when the machine was out of resources.
///
/// [`inherited`]: super::inherited
pub async fn spawn(spec: &ProcessSpec, name: &ServerName, stderr: Arc<StderrRing>) -> Result<Running, Failure> {
    let launch = Arc::new(Launch { spec: spec.clone(), name: name.clone(), mark: environment::fresh_mark() });
    // A task of its own, because a start that is given up half-way still has to be brought to its end: what it yields
    // is dropped then, and with the handle the tree.
    let started = tokio::spawn(launch.start(stderr));
    started.await.unwrap_or_else(|error| Err(program::refuse(name, "its start was broken off").with_detail(error)))
}

/// What a start needs, owned, because it crosses to a thread that may block.
struct Launch {
    spec: ProcessSpec,
    name: ServerName,
    mark: String,
}

/// A keeper that waits for its [`Start`].
struct Launched {
    keeper: Child,
    control: net::UnixStream,
    start: Vec<u8>,
    file: PathBuf,
}

impl Launch {
    async fn start(self: Arc<Self>, stderr: Arc<StderrRing>) -> Result<Running, Failure> {
        let launch = self.clone();
        // Looking for files and forking may each take milliseconds, which no other call on this core should wait for.
        let launched = tokio::task::spawn_blocking(move || launch.keeper()).await;
        let launched =
            launched.map_err(|error| program::refuse(&self.name, "its start was broken off").with_detail(error))?;
        let Launched { mut keeper, control, start, file } = launched?;
        let mut control = UnixStream::from_std(control).map_err(|error| program::no_keeper(&self.name, &error))?;
        let mut words = Words::default();
        let first = async {
            control.write_all(&start).await?;
            words.next(&control).await
        };
        let server = match timeout(START_PATIENCE, first).await {
            Ok(Ok(Some(Word::Started(pid)))) => pid,
            Ok(Ok(Some(word))) => {
                // It is about to end: its exit is taken here, or by the runtime if it lingers.
                let _ = timeout(START_PATIENCE, keeper.wait()).await;
                return Err(program::refused(word, &self.spec, &self.name, &file));
            }
            Ok(Ok(None)) => return Err(self.lost(keeper, "it ended at once").await),
            Ok(Err(error)) => return Err(self.lost(keeper, &error.to_string()).await),
            Err(_) => return Err(self.lost(keeper, "it did not answer").await),
        };
        let (Some(stdin), Some(stdout), Some(errors)) =
            (keeper.stdin.take(), keeper.stdout.take(), keeper.stderr.take())
        else {
            return Err(self.lost(keeper, "its streams are missing").await);
        };
        let drain = tokio::spawn(async move { stderr.drain(errors).await });
        let tree = Tree { name: self.name.clone(), keeper, control, words, server, mark: self.mark.clone(), drain };
        Ok(Running { stdin, stdout, pid: server.cast_unsigned(), handle: Handle::of(tree) })
    }

    fn keeper(&self) -> Result<Launched, Failure> {
        let Self { spec, name, mark } = self;
        let file = program::find(spec, name, program::search_path(spec).as_deref())?;
        let start = Start {
            program: file.clone().into(),
            arg0: (&spec.command).into(),
            cwd: spec.cwd.clone().unwrap_or_default().into(),
            args: spec.args.iter().map(Into::into).collect(),
            env: environment::of(spec, mark).into_iter().collect(),
        }
        .encode();
        if start.len() > START_MAX {
            return Err(program::refuse(name, "its arguments and environment are larger than the system allows"));
        }
        let (keeper, control) = start_keeper(name).map_err(|error| program::no_keeper(name, &error))?;
        Ok(Launched { keeper, control, start, file })
    }

    /// The keeper did not do its work: ends it, and whatever it may have started without saying so.
    async fn lost(&self, mut keeper: Child, how: &str) -> Failure {
        let pid = pid_of(&keeper);
        let _ = keeper.start_kill();
        let status = match timeout(START_PATIENCE, keeper.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it cannot be killed".to_owned(),
        };
        sweep(Remains { name: &self.name, keeper: pid, server: None, mark: &self.mark }).await;
        // A program that cannot even be loaded says so there.
        let mut said = Vec::new();
        if let Some(errors) = keeper.stderr.take() {
            let _ = timeout(Duration::from_secs(1), errors.take(1000).read_to_end(&mut said)).await;
        }
        let why = "its keeper process failed; the log says how";
        let said = String::from_utf8_lossy(&said);
        program::refuse(&self.name, why).with_detail(format_args!("{how}; {status}; {}", said.trim()))
    }
}

fn start_keeper(name: &ServerName) -> io::Result<(Child, net::UnixStream)> {
    let (ours, theirs) = net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = std::process::Command::new(keeper_program());
    command
        .arg0(ground::PRODUCT)
        .arg(KEEPER_ARG)
        .arg(theirs.as_raw_fd().to_string())
        // For whoever reads a list of processes.
        .arg(OsStr::new(name.as_str()))
        .env_clear()
        .env(SMALL_HEAP.0, SMALL_HEAP.1)
        .envs(files::for_keeper())
        // A Ctrl-C in Hostler's terminal is for Hostler. The session stays Hostler's: by that a sweep knows keepers.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    guard::hand_over(&mut command, theirs.as_raw_fd());
    let keeper = Command::from(command).spawn()?;
    // `theirs` lived until after the fork, as `hand_over` demands; now the keeper alone holds it.
    drop(theirs);
    Ok((keeper, ours))
}

//! The keeper: the parent of one server, alive exactly as long as anything of the server's tree.
//!
//! Synchronous and single-threaded on purpose: the server dies with the thread that started it, and a keeper should
//! cost next to nothing. Never relays a byte of the server's streams, never writes to a file or a log, never ends while
//! a descendant is left.

use std::{
    env,
    fs::File,
    io::{ErrorKind, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Command, ExitCode},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    time::{ClockId, clock_gettime},
    unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getpid},
};

use super::{
    Exit, KEEPER_ARG,
    control::{Order, START_MAX, Start, Word},
    files, guard, tree,
};

/// From the server's own end until what it left behind is killed.
pub(super) const TIDY_GRACE: Duration = Duration::from_secs(1);

/// Longest pause between two attempts to kill what does not die, in milliseconds.
const KILL_PAUSE: u16 = 500;

/// Longest wait for anything, in milliseconds: where no descriptor tells of ended children, they are asked for.
const TICK: Option<u16> = if cfg!(target_os = "linux") { None } else { Some(100) };

/// Does a keeper's whole work if this program was started as one, and returns what `main` has to return.
///
/// To be called first in `main`, before any thread is started or any file opened.
#[must_use]
pub fn run_if_keeper() -> Option<ExitCode> {
    let mut args = env::args_os().skip(1);
    if args.next()? != KEEPER_ARG {
        return None;
    }
    let socket = args.next().and_then(|number| guard::inherited_socket(number.to_str()?.parse().ok()?));
    Some(match socket.and_then(keep) {
        Some(()) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}

/// Success means that a server was started and that nothing of it is left.
fn keep(mut control: UnixStream) -> Option<()> {
    guard::close_all_but(control.as_raw_fd());
    files::as_before();
    guard::deafen().ok()?;
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_child_subreaper(true).ok()?;
        let _ = nix::sys::prctl::set_name(c"hostler-keeper");
    }
    let children = Children::new()?;
    let null = File::options().read(true).write(true).open("/dev/null").ok()?;
    let begun = read_start(&mut control).map(|start| launch(&start))?;
    let word = begun.map_or_else(|refusal| refusal, |pid| Word::Started(pid.as_raw()));
    control.write_all(&word.encode()).ok();
    let server = begun.ok()?;
    // From here on the server alone holds its streams, and no folder is kept busy.
    dup2_stdin(&null).and_then(|()| dup2_stdout(&null)).and_then(|()| dup2_stderr(&null)).ok();
    drop(null);
    let _ = env::set_current_dir("/");
    // Unread orders would otherwise block; a failure shows as a closed socket, which kills.
    let open = control.set_nonblocking(true).is_ok();
    Keeper { control, open, children, server, ended: false, warned: false }.watch();
    Some(())
}

/// Nothing when Hostler is gone before it said what to start.
fn read_start(control: &mut UnixStream) -> Option<Start> {
    let mut length = [0; 4];
    control.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok().filter(|n| *n <= START_MAX)?;
    let mut body = vec![0; length];
    control.read_exact(&mut body).ok()?;
    Start::decode(&body)
}

fn launch(start: &Start) -> Result<Pid, Word> {
    let errno = |error: std::io::Error| error.raw_os_error().unwrap_or(Errno::EINVAL as i32);
    if !start.cwd.is_empty() {
        env::set_current_dir(&start.cwd).map_err(|error| Word::NoDirectory(errno(error)))?;
    }
    let mut command = Command::new(&start.program);
    command.arg0(&start.arg0).args(&start.args).env_clear();
    command.envs(start.env.iter().map(|(name, value)| (name, value)));
    guard::set_apart(&mut command, getpid());
    let child = command.spawn().map_err(|error| Word::NoProgram(errno(error)))?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// How far the end of a tree has come.
enum Stage {
    Serving,
    /// The server has ended; at this time the rest is killed.
    Tidying(Duration),
    /// Killing until nobody is left, with this pause in milliseconds before the next attempt.
    Killing(u16),
}

struct Keeper {
    control: UnixStream,
    /// Whether Hostler still holds the other end.
    open: bool,
    children: Children,
    server: Pid,
    ended: bool,
    /// SIGTERM was sent: some programs take a second one as an order to drop everything.
    warned: bool,
}

impl Keeper {
    fn watch(mut self) {
        let mut stage = Stage::Serving;
        while self.reap() {
            stage = self.step(stage);
            let pause = match stage {
                Stage::Serving => None,
                Stage::Tidying(until) => {
                    Some(u16::try_from(until.saturating_sub(now()).as_millis()).unwrap_or(u16::MAX).saturating_add(1))
                }
                Stage::Killing(pause) => Some(pause),
            };
            self.wait(pause);
        }
    }

    /// Acts on what Hostler ordered and on what has ended.
    fn step(&mut self, stage: Stage) -> Stage {
        let order = self.order();
        if order == Order::Terminate {
            self.warn();
        }
        match stage {
            Stage::Killing(pause) => self.kill(pause),
            _ if order == Order::Kill => self.kill(0),
            Stage::Tidying(until) if now() >= until => self.kill(0),
            Stage::Serving if self.ended => {
                self.warn();
                Stage::Tidying(now() + TIDY_GRACE)
            }
            other => other,
        }
    }

    fn warn(&mut self) {
        if !std::mem::replace(&mut self.warned, true) {
            tree::signal_descendants(self.group(), Signal::SIGTERM);
        }
    }

    fn kill(&self, pause: u16) -> Stage {
        tree::signal_descendants(self.group(), Signal::SIGKILL);
        Stage::Killing((pause * 2).clamp(1, KILL_PAUSE))
    }

    /// The server's process group. On Linux it is forgotten once the server is reaped, because its number could go to
    /// somebody else; what is left of it is listed among the descendants.
    fn group(&self) -> Option<Pid> {
        (!self.ended || cfg!(not(target_os = "linux"))).then_some(self.server)
    }

    /// Takes the exits of all children that have ended, tells that of the server, says whether anybody is left.
    fn reap(&mut self) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return true,
                Ok(WaitStatus::Exited(pid, code)) => self.note(pid, Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => self.note(pid, Exit::Signal(signal as i32)),
                Err(Errno::ECHILD) if cfg!(target_os = "linux") => return false,
                // Stand-in where orphans do not come here: the server's group, as long as somebody is in it.
                Err(Errno::ECHILD) => return killpg(self.server, None).is_ok(),
                // A child ended by a real-time signal, which has no name here. Perhaps the server.
                Err(Errno::EINVAL) if !self.ended && kill(self.server, None).is_err() => {
                    self.note(self.server, Exit::Unknown);
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn note(&mut self, pid: Pid, exit: Exit) {
        if pid == self.server && !self.ended {
            self.ended = true;
            // Hostler may be gone, and then nobody needs to know.
            let _ = self.control.write_all(&Word::Ended(exit).encode());
        }
    }

    /// The gravest of the orders that have come in. Hostler's end is an order to kill.
    fn order(&mut self) -> Order {
        let mut gravest = Order::Run;
        let mut bytes = [0; 8];
        while self.open {
            match self.control.read(&mut bytes) {
                Ok(0) => self.open = false,
                Ok(n) => gravest = bytes[..n].iter().map(|b| Order::of(*b)).fold(gravest, Order::max),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return gravest,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.open = false,
            }
        }
        Order::Kill
    }

    /// Sleeps until Hostler speaks, a child ends, or `pause` milliseconds are over.
    fn wait(&mut self, pause: Option<u16>) {
        let timeout = match (pause, TICK) {
            (Some(pause), Some(tick)) => PollTimeout::from(pause.min(tick)),
            (Some(one), None) | (None, Some(one)) => PollTimeout::from(one),
            (None, None) => PollTimeout::NONE,
        };
        let control = self.open.then(|| PollFd::new(self.control.as_fd(), PollFlags::POLLIN));
        let mut waited: Vec<PollFd<'_>> = control.into_iter().chain(self.children.poll_fd()).collect();
        // An interruption is as good as an event: the caller looks at everything again.
        let _ = poll(&mut waited, timeout);
        drop(waited);
        self.children.drain();
    }
}

/// The monotonic clock. Plain, because a keeper has no runtime whose clock a test could pause.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// Tells that a child has ended, through a descriptor that can be waited for beside the socket.
#[cfg(target_os = "linux")]
struct Children(nix::sys::signalfd::SignalFd);

#[cfg(target_os = "linux")]
impl Children {
    fn new() -> Option<Self> {
        use nix::sys::{
            signal::SigSet,
            signalfd::{SfdFlags, SignalFd},
        };
        let mut ended = SigSet::empty();
        ended.add(Signal::SIGCHLD);
        SignalFd::with_flags(&ended, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).ok().map(Self)
    }

    fn poll_fd(&self) -> Option<PollFd<'_>> {
        Some(PollFd::new(self.0.as_fd(), PollFlags::POLLIN))
    }

    fn drain(&self) {
        while let Ok(Some(_)) = self.0.read_signal() {}
    }
}

/// Stand-in: there is no such descriptor, so the keeper looks every [`TICK`].
#[cfg(not(target_os = "linux"))]
struct Children;

#[cfg(not(target_os = "linux"))]
impl Children {
    fn new() -> Option<Self> {
        Some(Self)
    }

    fn poll_fd(&self) -> Option<PollFd<'_>> {
        None
    }

    fn drain(&self) {}
}

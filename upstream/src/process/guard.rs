//! What cannot be said in safe Rust: the moments between fork and exec, and file descriptors known by number.
//!
//! The only file of this module with `unsafe`. Never allocates, locks or logs in a forked child.

use std::{
    io,
    os::{
        fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::Command,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    sys::{
        signal::{SigHandler, SigSet, Signal, signal},
        stat::fstat,
    },
    unistd::{Pid, getppid, setsid},
};

/// Lets the program that `command` starts inherit `fd` under the same number. The caller keeps `fd` open until then.
pub(super) fn hand_over(command: &mut Command, fd: RawFd) {
    let inherit = move || {
        // SAFETY: the caller keeps the descriptor open over the fork, and the child has a copy under the same number.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(())
    };
    // SAFETY: the closure only calls fcntl, which is async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(inherit) };
}

/// Makes the program that `command` starts a session of its own, with the signals as a fresh login has them, and on
/// Linux dying with the thread that starts it, which must be the only one of the process `parent`.
pub(super) fn set_apart(command: &mut Command, parent: Pid) {
    let apart = move || {
        // Blocked and ignored signals are inherited through exec; a server that inherits a blocked SIGTERM never ends.
        for known in Signal::iterator() {
            // SAFETY: sets a default disposition, never a handler; signal(2) is async-signal-safe. Refused for SIGKILL
            // and SIGSTOP, which does no harm.
            let _ = unsafe { signal(known, SigHandler::SigDfl) };
        }
        SigSet::empty().thread_set_mask()?;
        setsid()?;
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the line above took hold.
        if getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // SAFETY: the closure makes only async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(apart) };
}

/// Takes possession of the socket that was inherited under this number; nothing if there is no socket.
pub(super) fn inherited_socket(number: RawFd) -> Option<UnixStream> {
    if number < 3 {
        return None;
    }
    // SAFETY: only looked at while this function runs, and fstat fails harmlessly on a closed descriptor.
    let status = fstat(unsafe { BorrowedFd::borrow_raw(number) }).ok()?;
    if status.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return None;
    }
    // SAFETY: it is open (fstat) and, since the program has just begun, nothing in it owns it yet.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    Some(socket)
}

/// Closes every descriptor from 3 on but `keep`: whatever Hostler itself inherited must not be held open by a keeper
/// or leak into a server. To be called before the program has opened anything of its own.
pub(super) fn close_all_but(keep: RawFd) {
    #[cfg(target_os = "linux")]
    {
        let (below, above) = (keep - 1, keep + 1);
        // SAFETY: closes numbers that nothing in this young program owns; `keep` is left out of both ranges. An empty
        // range (3 to 2) is refused, which does no harm. Called by number because old C libraries lack the wrapper.
        let closed = unsafe {
            libc::syscall(libc::SYS_close_range, 3, below, 0);
            libc::syscall(libc::SYS_close_range, above, libc::c_uint::MAX, 0)
        };
        if closed == 0 {
            return;
        }
    }
    // Stand-in for other systems and for kernels before 5.9.
    let Ok(listing) = std::fs::read_dir("/dev/fd") else { return };
    let open: Vec<RawFd> = listing.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for number in open.into_iter().filter(|n| *n > 2 && *n != keep) {
        // SAFETY: as above; the number that listed the directory is closed by now, and closing it again is refused.
        unsafe { libc::close(number) };
    }
}

/// Blocks every signal that can be blocked, for good: a keeper ends when its tree has ended, not when it is asked to
/// (a Ctrl-C in the terminal reaches Hostler, which decides). A disposition of SIGCHLD inherited as "ignored" would
/// take the exit codes away.
pub(super) fn deafen() -> nix::Result<()> {
    // SAFETY: sets a default disposition, never a handler.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    SigSet::all().thread_set_mask()
}

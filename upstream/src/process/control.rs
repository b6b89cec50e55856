//! What Hostler and a keeper say to each other over their socket.
//!
//! Hostler speaks first: one [`Start`], then single bytes, each an [`Order`]. The keeper answers in [`Word`]s of five
//! bytes. A closed socket is a message too: to the keeper it means that Hostler is gone, to Hostler that the keeper is.
//!
//! Never travels between machines or versions: both ends are the same program file.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

use super::Exit;

/// Largest [`Start`], in bytes. The kernel allows about 2 MiB of arguments and environment.
pub(super) const START_MAX: usize = 4 << 20;

/// Size of a [`Word`] on the socket, in bytes.
pub(super) const WORD: usize = 5;

/// What Hostler wants of a tree, in rising order: it never asks for less than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Let it run.
    Run,
    /// SIGTERM to all.
    Terminate,
    /// SIGKILL to all.
    Kill,
}

impl Order {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Run => b'R',
            Self::Terminate => b'T',
            Self::Kill => b'K',
        }
    }

    /// An unknown byte is the gravest order: nobody but Hostler writes here, so something is badly wrong.
    pub(super) fn of(byte: u8) -> Self {
        match byte {
            b'R' => Self::Run,
            b'T' => Self::Terminate,
            _ => Self::Kill,
        }
    }
}

/// Everything a keeper needs to start its server. It travels over the socket and not in the keeper's own arguments and
/// environment, so that a server's `LD_PRELOAD` does not change the keeper and secrets are not held twice.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Start {
    /// The file to execute.
    pub(super) program: OsString,
    /// What the server sees as its own name.
    pub(super) arg0: OsString,
    /// The working directory; empty for the keeper's own.
    pub(super) cwd: OsString,
    /// The arguments after the name.
    pub(super) args: Vec<OsString>,
    /// The whole environment.
    pub(super) env: Vec<(OsString, OsString)>,
}

impl Start {
    /// As it is sent: its length in four bytes, then each text with its length before it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        for text in [&self.program, &self.arg0, &self.cwd] {
            put(&mut out, text);
        }
        out.extend_from_slice(&length(self.args.len()));
        for arg in &self.args {
            put(&mut out, arg);
        }
        for (name, value) in &self.env {
            put(&mut out, name);
            put(&mut out, value);
        }
        let body = length(out.len() - 4);
        out[..4].copy_from_slice(&body);
        out
    }

    /// Reads what [`Self::encode`] wrote after the first four bytes.
    pub(super) fn decode(mut body: &[u8]) -> Option<Self> {
        let rest = &mut body;
        let (program, arg0, cwd) = (take(rest)?, take(rest)?, take(rest)?);
        let count = take_length(rest)?;
        let args = (0..count).map(|_| take(rest)).collect::<Option<Vec<_>>>()?;
        let mut env = Vec::new();
        while !rest.is_empty() {
            env.push((take(rest)?, take(rest)?));
        }
        Some(Self { program, arg0, cwd, args, env })
    }
}

/// Lengths fit four bytes: what is longer than [`START_MAX`] is refused before it is sent.
fn length(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes()
}

fn put(out: &mut Vec<u8>, text: &OsStr) {
    out.extend_from_slice(&length(text.len()));
    out.extend_from_slice(text.as_bytes());
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_le_bytes(*head)).ok()
}

fn take(rest: &mut &[u8]) -> Option<OsString> {
    let n = take_length(rest)?;
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(OsString::from_vec(head.to_vec()))
}

/// What a keeper tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The server runs under this process id.
    Started(i32),
    /// The working directory could not be entered, for this errno.
    NoDirectory(i32),
    /// The program could not be executed, for this errno.
    NoProgram(i32),
    /// The server ended; what it left behind is being cleared away.
    Ended(Exit),
}

impl Word {
    pub(super) fn encode(self) -> [u8; WORD] {
        let (tag, value) = match self {
            Self::Started(pid) => (b'S', pid),
            Self::NoDirectory(errno) => (b'D', errno),
            Self::NoProgram(errno) => (b'P', errno),
            Self::Ended(Exit::Code(code)) => (b'C', code),
            Self::Ended(Exit::Signal(signal)) => (b'G', signal),
            Self::Ended(Exit::Unknown) => (b'U', 0),
        };
        let [a, b, c, d] = value.to_le_bytes();
        [tag, a, b, c, d]
    }

    pub(super) fn decode([tag, a, b, c, d]: [u8; WORD]) -> Option<Self> {
        let value = i32::from_le_bytes([a, b, c, d]);
        Some(match tag {
            b'S' => Self::Started(value),
            b'D' => Self::NoDirectory(value),
            b'P' => Self::NoProgram(value),
            b'C' => Self::Ended(Exit::Code(value)),
            b'G' => Self::Ended(Exit::Signal(value)),
            b'U' => Self::Ended(Exit::Unknown),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_arrives_as_it_was_sent_and_never_in_part() {
        let start = Start {
            program: "/bin/sh".into(),
            arg0: "sh".into(),
            cwd: OsString::new(),
            args: vec!["-c".into(), OsString::new(), OsString::from_vec(vec![0xff, b'\n'])],
            env: vec![("A".into(), "1".into()), ("B".into(), OsString::new())],
        };
        let sent = start.encode();
        assert_eq!(u32::from_le_bytes([sent[0], sent[1], sent[2], sent[3]]) as usize, sent.len() - 4);
        assert_eq!(Start::decode(&sent[4..]).as_ref(), Some(&start));
        // Cut anywhere, it is either refused or (between two variables) lacks only variables; the length forbids both.
        for end in 4..sent.len() {
            assert_ne!(Start::decode(&sent[4..end]).as_ref(), Some(&start));
        }
    }

    #[test]
    fn every_word_and_order_survives_the_socket() {
        for word in [
            Word::Started(4711),
            Word::NoDirectory(2),
            Word::NoProgram(8),
            Word::Ended(Exit::Code(255)),
            Word::Ended(Exit::Signal(9)),
            Word::Ended(Exit::Unknown),
        ] {
            assert_eq!(Word::decode(word.encode()), Some(word));
        }
        assert_eq!(Word::decode([0; WORD]), None);
        for order in [Order::Run, Order::Terminate, Order::Kill] {
            assert_eq!(Order::of(order.byte()), order);
        }
    }
}

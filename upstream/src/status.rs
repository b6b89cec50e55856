//! What can be told of a server from outside: its state in one word, its instances, its last failure.

use std::{sync::atomic::Ordering, time::Duration};

use wire::era::Era;

use crate::{
    door::Stand,
    server::Server,
    spec::Origin,
    want::{Eras, Share},
};

/// A server's state in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being started, or about to be.
    Starting,
    /// At least one instance is open.
    Ready,
    /// Failed, and given time before it is started again.
    Failed,
    /// Being stopped, or stopped.
    Stopped,
}

impl State {
    /// The state as a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// One open instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Identifies it while the program runs.
    pub id: u64,
    /// The process, where there is one.
    pub pid: Option<u32>,
    /// The era it speaks.
    pub era: Era,
    /// The revision settled.
    pub version: Option<&'static str>,
    /// Who shares it: `modern`, `profile` or `session`.
    pub share: &'static str,
    /// Since its start.
    pub age: Duration,
    /// Calls made over it.
    pub calls: u64,
    /// Calls in flight.
    pub in_flight: usize,
}

/// What can be told of a server.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// `process`, `http`, `sse` or `builtin`.
    pub kind: &'static str,
    /// The program or URL, without arguments, values and queries that may be secret.
    pub target: String,
    /// Its state.
    pub state: State,
    /// What is known of its eras.
    pub eras: Eras,
    /// Its open instances.
    pub instances: Vec<Instance>,
    /// How often its kept instance had to be started again.
    pub restarts: u64,
    /// Why it last failed, while that matters.
    pub failure: Option<String>,
    /// Entries known: tools, prompts, resources, templates.
    pub counts: [usize; 4],
}

impl Server {
    /// What can be told of it now.
    #[must_use]
    pub fn status(&self) -> Status {
        let catalog = self.catalog(None);
        let instances = self.instances();
        let eras = self.eras();
        let (kind, target) = match &self.spec.origin {
            Origin::Process(spec) => ("process", spec.command.clone()),
            Origin::Builtin(builtin) => ("builtin", builtin.name.to_owned()),
            Origin::Remote(remote) => {
                let authority = remote.url.authority().map_or("", |a| a.as_str());
                let host = authority.rsplit('@').next().unwrap_or_default();
                let target = format!("{}://{host}{}", remote.url.scheme_str().unwrap_or("http"), remote.url.path());
                (if eras.sse { "sse" } else { "http" }, target)
            }
        };
        let failure = self.trouble.lock().last().map(ToString::to_string);
        let state = self.state(!instances.is_empty());
        Status {
            name: self.name().to_string(),
            kind,
            target,
            state,
            eras,
            failure: failure.filter(|_| state != State::Ready),
            instances,
            restarts: self.restarts.load(Ordering::Relaxed),
            counts: crate::catalog::ListKind::ALL.map(|kind| catalog.list(kind).len()),
        }
    }

    fn state(&self, open: bool) -> State {
        if self.stopping.is_cancelled() {
            State::Stopped
        } else if open {
            State::Ready
        } else if self.trouble.lock().backing_off(self.name()).is_some() {
            State::Failed
        } else {
            State::Starting
        }
    }

    /// Whether something is known for certain about its being usable: open, or failed and backing off.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let opening = self.doors.lock().values().any(|door| matches!(door.stand(), Stand::Opening));
        !opening && (!self.open_links().is_empty() || self.trouble.lock().last().is_some())
    }

    fn instances(&self) -> Vec<Instance> {
        let processes = self.processes.lock().clone();
        let mut instances: Vec<_> = self
            .open_links()
            .into_iter()
            .map(|(share, link)| Instance {
                id: link.id(),
                pid: processes.get(&link.id()).copied(),
                era: link.era(),
                version: link.version().map(wire::era::Version::as_str),
                share: match share {
                    Share::Modern => "modern",
                    Share::Profile(_) => "profile",
                    Share::Session(_) => "session",
                },
                age: link.born().elapsed(),
                calls: link.calls(),
                in_flight: link.in_flight(),
            })
            .collect();
        instances.sort_by_key(|instance| instance.id);
        instances
    }
}

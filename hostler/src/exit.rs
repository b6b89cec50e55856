//! Exit codes, in one place: what a script can tell from how `hostler` ended.
//!
//! Never printed from here: messages go to standard error by whoever ends.

use std::process::ExitCode;

use crate::reach::Trouble;

/// How a command ended. A command that is ended by a signal has the shell's code for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: it failed.
    Failed,
    /// 2: wrong usage, or a configuration that is not accepted.
    Usage,
    /// 3: the gateway cannot be reached.
    Unreachable,
    /// 4: the tool was called and answered with an error of its own.
    ToolError,
}

impl Exit {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::ToolError => 4,
        }
    }

    /// The code for a command that could not be carried out.
    pub fn of(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Trouble>() {
            Some(Trouble::Address(_)) => Self::Usage,
            Some(Trouble::Unreachable { .. }) => Self::Unreachable,
            Some(_) => Self::Failed,
            None if error.is::<Usage>() => Self::Usage,
            None => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Something that the caller typed is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Whether an error only says that nobody reads the output any more, as in `hostler tools | head`.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stay_what_scripts_know_them_as() {
        let all = [Exit::Ok, Exit::Failed, Exit::Usage, Exit::Unreachable, Exit::ToolError];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4]);
        let unreachable = Trouble::Unreachable { url: "u".into(), why: "w".into() };
        assert_eq!(Exit::of(&unreachable.into()), Exit::Unreachable);
        assert_eq!(Exit::of(&Usage("x".into()).into()), Exit::Usage);
        assert_eq!(Exit::of(&Trouble::Address("x".into()).into()), Exit::Usage);
        assert_eq!(Exit::of(&anyhow::anyhow!("x")), Exit::Failed);
    }
}

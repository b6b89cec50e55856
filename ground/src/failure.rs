//! The one failure type that crosses crate borders: what kind, where it arose, and whether trying again may help.
//!
//! A failure carries two texts: `message` for the caller (never a secret, never a path of the machine) and `detail`
//! for the log. Nobody reads either to decide anything; decisions read `kind`, `source` and `retry`. Turning a failure
//! into an answer is the business of one file in `gateway`, not of this one.

use std::fmt;

use crate::ServerName;

/// What went wrong: a closed set, because every kind has its own answer in every protocol revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The body is not JSON.
    Parse,
    /// The body is JSON but not an acceptable JSON-RPC message.
    InvalidRequest,
    /// HTTP headers and body disagree, or a required header is missing (-32020 in the modern era).
    HeaderMismatch,
    /// The protocol version asked for is not served here (-32022 in the modern era).
    UnsupportedVersion,
    /// The call needs a capability the client did not declare (-32021 in the modern era).
    MissingCapability,
    /// No such method.
    MethodNotFound,
    /// Parameters are wrong, or name something that does not exist.
    InvalidParams,
    /// The resource does not exist.
    ResourceNotFound,
    /// The session is unknown or ended.
    SessionNotFound,
    /// Refused by a guard: Origin, Host, rights.
    Forbidden,
    /// No such endpoint.
    NoSuchEndpoint,
    /// The HTTP method is not offered here.
    MethodNotAllowed,
    /// The client accepts none of the media types offered.
    NotAcceptable,
    /// The request's media type is not JSON.
    UnsupportedMedia,
    /// A bound on size, depth or number was exceeded.
    TooLarge,
    /// No room for more work now.
    Overloaded,
    /// The server is not running, or cannot be reached.
    Unavailable,
    /// The server went away in the middle of the call.
    Broken,
    /// The server did not answer in time.
    Timeout,
    /// The server sent something that is not MCP.
    Protocol,
    /// The call was cancelled by its caller.
    Cancelled,
    /// Hostler is stopping.
    Stopping,
    /// A fault of Hostler itself.
    Internal,
}

impl Kind {
    /// The kind as a word for logs, metrics and machine-readable answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::InvalidRequest => "invalid_request",
            Self::HeaderMismatch => "header_mismatch",
            Self::UnsupportedVersion => "unsupported_version",
            Self::MissingCapability => "missing_capability",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::ResourceNotFound => "resource_not_found",
            Self::SessionNotFound => "session_not_found",
            Self::Forbidden => "forbidden",
            Self::NoSuchEndpoint => "no_such_endpoint",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::UnsupportedMedia => "unsupported_media",
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Broken => "broken",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
            Self::Stopping => "stopping",
            Self::Internal => "internal",
        }
    }
}

/// Where a failure arose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The caller sent something wrong.
    Client,
    /// Hostler itself.
    Gateway,
    /// The named server, or the way to it.
    Server(ServerName),
}

/// Whether the same call may succeed when it is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again.
    No,
    /// It was certainly never acted on: repeating is safe for every call.
    NeverSent,
    /// It may have been acted on: repeat only calls that may be repeated.
    MaybeSent,
}

/// A failure on its way to the one place that answers it.
///
/// Boxed inside, so that a `Result` on the request path stays as small as a pointer.
#[derive(Clone)]
pub struct Failure(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    source: Source,
    retry: Retry,
    message: String,
    detail: Option<String>,
}

impl Failure {
    /// A failure with its message for the caller: what is wrong, where, and how to mend it.
    #[must_use]
    pub fn new(kind: Kind, source: Source, retry: Retry, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, source, retry, message: message.into(), detail: None }))
    }

    /// The caller's own mistake.
    #[must_use]
    pub fn client(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, Source::Client, Retry::No, message)
    }

    /// Hostler's own limit or fault.
    #[must_use]
    pub fn gateway(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, Source::Gateway, Retry::No, message)
    }

    /// A server's fault.
    #[must_use]
    pub fn server(kind: Kind, name: &ServerName, retry: Retry, message: impl Into<String>) -> Self {
        Self::new(kind, Source::Server(name.clone()), retry, message)
    }

    /// The same for a call that had been handed over when it arose: it may have been acted on.
    #[must_use]
    pub fn in_flight(mut self) -> Self {
        if self.0.retry == Retry::NeverSent {
            self.0.retry = Retry::MaybeSent;
        }
        self
    }

    /// Adds what only the log may see.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Where it arose.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The text for the caller.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The text for the log, where there is more to say than the caller may see.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({:?}, {:?}, {:?}: {self})", self.0.kind, self.0.source, self.0.retry)
    }
}

impl std::error::Error for Failure {}

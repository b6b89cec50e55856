//! What can be wrong with a body. Never carries a part of the body: faults are logged and told to strangers.

/// Why a body was refused. Offsets are in bytes from the start of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not JSON (RFC 8259) or not UTF-8. JSON-RPC calls it a parse error.
    #[error("not valid JSON at byte {at}: {what}")]
    Syntax {
        /// Where it was noticed.
        at: usize,
        /// What was expected or found.
        what: &'static str,
    },
    /// Arrays and objects lie deeper in each other than allowed.
    #[error("nested deeper than {limit} levels at byte {at}")]
    TooDeep {
        /// Where the first level too many opens.
        at: usize,
        /// The levels allowed.
        limit: usize,
    },
    /// A key stands twice in an object of which the envelope is made, so that two readers could see different messages.
    #[error("the key at byte {at} stands twice in its object")]
    DuplicateKey {
        /// Where the second one begins.
        at: usize,
    },
    /// Valid JSON, but no JSON-RPC 2.0 message as MCP has them. JSON-RPC calls it an invalid request.
    #[error("not a JSON-RPC message: {0}")]
    NotAMessage(&'static str),
    /// A body of 4 GiB or more, a batch of more messages than allowed, or an object of more than 65536 keys.
    #[error("larger than allowed")]
    TooLarge,
}

//! What can be wrong with a message that is to cross eras. Never carries a part of the message: it is logged and told to
//! strangers.

/// Why a message cannot cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A part that must be an object is none.
    #[error("{0} must be an object")]
    NotAnObject(&'static str),
    /// A member that is required is missing or of another type.
    #[error("`{0}` is missing or of the wrong type")]
    Lacks(&'static str),
    /// Not one of the requests that a server may make of a client.
    #[error("not a request that a client can be asked: elicitation, sampling or roots")]
    NotAnAsk,
    /// More entries than are taken.
    #[error("more than {0} entries")]
    TooMany(usize),
    /// The client could not or would not answer a request for which no answer says so (sampling, roots).
    #[error("the client did not fulfil `{0}`")]
    Refused(&'static str),
}

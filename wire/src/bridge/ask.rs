//! What a server may ask of a client in mid-call, the same in both eras: elicitation, sampling, roots. Says which of them
//! a request is, and whether declared capabilities allow it. Never looks at what is asked beyond that.
//!
//! Client features of both revisions (elicitation, sampling, roots) and `ClientCapabilities` of both schemas.

use super::{capability, unfit::Unfit};
use crate::{era::code, field, text};

/// One kind of request from a server to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// `elicitation/create` in form mode, which is meant where no mode is told.
    Form,
    /// `elicitation/create` in URL mode.
    Url,
    /// `sampling/createMessage`
    Sampling {
        /// The model may use tools: `tools` or `toolChoice` is given.
        tools: bool,
    },
    /// `roots/list`
    Roots,
}

/// The error that a server's request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The JSON-RPC code.
    pub code: i64,
    /// A sentence for the server's author.
    pub message: &'static str,
}

impl Refusal {
    /// The answer to the request with this raw id. Servers that ask are of the legacy era.
    #[must_use]
    pub fn answer(self, id: &[u8]) -> Vec<u8> {
        crate::build::error(Some(id), self.code, self.message, None, true)
    }
}

impl Ask {
    /// What a request with this method and these raw `params` asks.
    ///
    /// # Errors
    /// `NotAnAsk` for a method or an elicitation mode that no revision knows.
    pub fn read(method: &str, params: Option<&[u8]>) -> Result<Self, Unfit> {
        let param = |key| params.and_then(|params| field(params, key));
        match method {
            "elicitation/create" => match param("mode").map(text) {
                None => Ok(Self::Form),
                Some(Some(mode)) if mode == "form" => Ok(Self::Form),
                Some(Some(mode)) if mode == "url" => Ok(Self::Url),
                Some(_) => Err(Unfit::NotAnAsk),
            },
            "sampling/createMessage" => {
                Ok(Self::Sampling { tools: param("tools").is_some() || param("toolChoice").is_some() })
            }
            "roots/list" => Ok(Self::Roots),
            _ => Err(Unfit::NotAnAsk),
        }
    }

    /// The method that asks.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Form | Self::Url => "elicitation/create",
            Self::Sampling { .. } => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }

    /// Whether a client that declared these raw capabilities may be asked. `elicitation` without a mode means form mode.
    /// Whether `includeContext` suits `sampling.context` is not looked at: clients may leave it out of account.
    #[must_use]
    pub fn is_allowed(self, capabilities: &[u8]) -> bool {
        let declared = |key| capability::declared(capabilities, key);
        match self {
            Self::Form => declared("elicitation").is_some_and(capability::elicits_forms),
            Self::Url => declared("elicitation").is_some_and(|modes| capability::declared(modes, "url").is_some()),
            Self::Sampling { tools: false } => declared("sampling").is_some(),
            Self::Sampling { tools: true } => {
                declared("sampling").is_some_and(|kinds| capability::declared(kinds, "tools").is_some())
            }
            Self::Roots => declared("roots").is_some(),
        }
    }

    /// Raw `ClientCapabilities` with what the request needs, for `data.requiredCapabilities` of a -32021.
    #[must_use]
    pub fn required(self) -> &'static str {
        match self {
            Self::Form => r#"{"elicitation":{"form":{}}}"#,
            Self::Url => r#"{"elicitation":{"url":{}}}"#,
            Self::Sampling { tools: false } => r#"{"sampling":{}}"#,
            Self::Sampling { tools: true } => r#"{"sampling":{"tools":{}}}"#,
            Self::Roots => r#"{"roots":{}}"#,
        }
    }

    /// What a legacy server is told whose request the client did not declare itself able to answer ("Error Handling" of
    /// elicitation, sampling and roots, revision 2025-11-25).
    #[must_use]
    pub fn refusal(self) -> Refusal {
        let (code, message) = match self {
            Self::Form => (code::INVALID_PARAMS, "the client did not declare elicitation in form mode"),
            Self::Url => (code::INVALID_PARAMS, "the client did not declare elicitation in URL mode"),
            Self::Sampling { tools: false } => (code::METHOD_NOT_FOUND, "the client did not declare sampling"),
            Self::Sampling { tools: true } => (code::INVALID_PARAMS, "the client did not declare sampling with tools"),
            Self::Roots => (code::METHOD_NOT_FOUND, "the client did not declare roots"),
        };
        Refusal { code, message }
    }

    /// What a legacy server is told that asks outside any call: a modern client is only ever asked in the answer to its
    /// own request.
    #[must_use]
    pub fn refusal_outside_a_call(self) -> Refusal {
        let message = match self {
            Self::Form | Self::Url => "elicitation is possible only while a request of the client is answered",
            Self::Sampling { .. } => "sampling is possible only while a request of the client is answered",
            Self::Roots => "roots can be listed only while a request of the client is answered",
        };
        Refusal { code: code::INVALID_REQUEST, message }
    }

    /// Whether a raw value looks like the client's result for this request: `ElicitResult`, `CreateMessageResult` or
    /// `ListRootsResult`, as far as their required members go.
    ///
    /// # Errors
    /// `NotAnObject` or `Lacks`, with the name of the member.
    pub fn check(self, result: &[u8]) -> Result<(), Unfit> {
        if result.first() != Some(&b'{') {
            return Err(Unfit::NotAnObject("an input response"));
        }
        let has = |key: &'static str, first: u8| {
            field(result, key).filter(|value| value.first() == Some(&first)).map(drop).ok_or(Unfit::Lacks(key))
        };
        match self {
            Self::Form | Self::Url => match field(result, "action").and_then(text).as_deref() {
                Some("accept" | "decline" | "cancel") => Ok(()),
                _ => Err(Unfit::Lacks("action")),
            },
            Self::Sampling { .. } => {
                has("role", b'"')?;
                has("model", b'"')?;
                has("content", b'{').or_else(|_| has("content", b'['))
            }
            Self::Roots => has("roots", b'['),
        }
    }
}

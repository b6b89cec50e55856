//! A JSON-RPC message as MCP has them, as ranges into its body. Never copies a part of it, never looks into arguments.

use std::borrow::Cow;

use crate::{Fault, Span, reader::Reader, text};

/// Which of the four kinds of JSON-RPC message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Has a method and an id.
    Request,
    /// Has a method and no id.
    Notification,
    /// Has a result.
    Response,
    /// Has an error.
    Error,
}

/// One JSON-RPC message, as ranges into its body.
///
/// "Raw" means the bytes as written: strings with their quotes, escapes untouched. A part that is missing, or of another
/// type than told here, is `None`; so are `params` and `_meta` that are `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Request, notification, response or error.
    pub kind: Shape,
    /// The raw id: a string or an integer. `None` for notifications, and for errors whose id is `null` or missing.
    pub id: Option<Span>,
    /// The contents of the method string, without quotes, escapes untouched.
    pub method: Option<Span>,
    /// The method has no escapes.
    pub method_plain: bool,
    /// The raw object `params`.
    pub params: Option<Span>,
    /// The raw value `result`.
    pub result: Option<Span>,
    /// The raw object `error`.
    pub error: Option<Span>,
    /// The raw string `params.name`.
    pub name: Option<Span>,
    /// The raw string `params.uri`.
    pub uri: Option<Span>,
    /// The raw value `params.arguments`.
    pub arguments: Option<Span>,
    /// The raw string `params.cursor`.
    pub cursor: Option<Span>,
    /// The raw string `params.level`.
    pub level: Option<Span>,
    /// The raw value `params.requestId` (of `notifications/cancelled`).
    pub request_id: Option<Span>,
    /// The raw value `params.progressToken` (of `notifications/progress`).
    pub progress_token_param: Option<Span>,
    /// The raw string `params.ref.name` (of `completion/complete`).
    pub ref_name: Option<Span>,
    /// The raw string `params.ref.uri` (of `completion/complete`).
    pub ref_uri: Option<Span>,
    /// The raw object `params._meta`; in a response `result._meta`.
    pub meta: Option<Span>,
    /// The raw value `progressToken` of `_meta`.
    pub progress_token: Option<Span>,
    /// The raw value `io.modelcontextprotocol/protocolVersion` of `_meta`.
    pub protocol_version: Option<Span>,
    /// The raw value `io.modelcontextprotocol/clientInfo` of `_meta`.
    pub client_info: Option<Span>,
    /// The raw value `io.modelcontextprotocol/clientCapabilities` of `_meta`.
    pub client_capabilities: Option<Span>,
    /// The raw value `io.modelcontextprotocol/logLevel` of `_meta`.
    pub log_level: Option<Span>,
    /// The raw value `io.modelcontextprotocol/subscriptionId` of `_meta`.
    pub subscription_id: Option<Span>,
    /// `error.code`, when it is an integer of 64 bits.
    pub error_code: Option<i64>,
    /// The raw string `result.resultType`.
    pub result_type: Option<Span>,
}

impl Envelope {
    /// Validates the whole body as JSON (RFC 8259, UTF-8) and as a JSON-RPC 2.0 message, in one pass.
    ///
    /// `depth` is the number of arrays and objects that may lie in each other, the message itself included; at most
    /// `MAX_DEPTH`. Keys are compared as decoded, in every object that the envelope reads: the message, `params`,
    /// `result`, `error`, `_meta`, `params.ref`. Deeper objects are not looked at.
    ///
    /// # Errors
    /// `Syntax`, `TooDeep` and `TooLarge` at the first offence; otherwise the first `DuplicateKey` or `NotAMessage`. The
    /// body is therefore known to be valid JSON when one of the last two is returned.
    pub fn parse(body: &[u8], depth: usize) -> Result<Self, Fault> {
        Reader::new(body, depth)?.read()
    }

    /// The method, decoded; empty for responses and errors.
    #[must_use]
    pub fn method<'a>(&self, body: &'a [u8]) -> Cow<'a, str> {
        let Some(span) = self.method else { return Cow::Borrowed("") };
        let Ok(inner) = std::str::from_utf8(span.of(body)) else { return Cow::Borrowed("") };
        if self.method_plain {
            return Cow::Borrowed(inner);
        }
        text::contents(inner).unwrap_or_default()
    }

    /// Nothing found yet.
    pub(crate) fn blank() -> Self {
        Self {
            kind: Shape::Notification,
            id: None,
            method: None,
            method_plain: false,
            params: None,
            result: None,
            error: None,
            name: None,
            uri: None,
            arguments: None,
            cursor: None,
            level: None,
            request_id: None,
            progress_token_param: None,
            ref_name: None,
            ref_uri: None,
            meta: None,
            progress_token: None,
            protocol_version: None,
            client_info: None,
            client_capabilities: None,
            log_level: None,
            subscription_id: None,
            error_code: None,
            result_type: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! The one place where a failure becomes an answer: status and message in the words of the caller's era.
//!
//! The tables are those of revision 2026-07-28 (error codes; Streamable HTTP server validation) and of the revisions
//! with sessions. Failures that arise here are also told apart for clients by `data.kind`.

use bytes::Bytes;
use ground::{Failure, Kind, Retry, Source};
use http::StatusCode;
use wire::era::{Era, LEGACY, MODERN, code};

/// What the answer to a failure depends on.
#[derive(Debug, Clone, Copy)]
pub struct Tone<'a> {
    /// The caller's era.
    pub era: Era,
    /// The id of the request, raw; `None` when there is none, or it could not be read.
    pub id: Option<&'a [u8]>,
    /// The revision the caller asked for, where that is what is wrong.
    pub requested: Option<&'a str>,
}

impl Tone<'_> {
    /// The tone towards a caller of whom nothing is known yet.
    #[must_use]
    pub fn unknown() -> Self {
        Tone { era: Era::Legacy, id: None, requested: None }
    }
}

/// The answer to a failure.
#[must_use]
pub fn answer(failure: &Failure, tone: Tone<'_>) -> (StatusCode, Bytes) {
    let code = code_of(failure.kind(), tone.era);
    let data = data(failure, tone);
    // Legacy peers expect `null` where no id could be read; the modern schema leaves it out.
    let null_id = tone.era == Era::Legacy;
    let body = wire::build::error(tone.id, code, failure.message(), Some(data.as_bytes()), null_id);
    (status(failure.kind(), tone), body.into())
}

fn code_of(kind: Kind, era: Era) -> i64 {
    match (kind, era) {
        (Kind::Parse, _) => code::PARSE,
        (Kind::HeaderMismatch, Era::Modern) => code::HEADER_MISMATCH,
        (Kind::UnsupportedVersion, _) => code::UNSUPPORTED_VERSION,
        (Kind::MissingCapability, Era::Modern) => code::MISSING_CAPABILITY,
        (Kind::MethodNotFound, _) => code::METHOD_NOT_FOUND,
        (Kind::ResourceNotFound, Era::Legacy) => code::RESOURCE_NOT_FOUND,
        (Kind::InvalidParams | Kind::ResourceNotFound, _) => code::INVALID_PARAMS,
        (
            Kind::InvalidRequest
            | Kind::HeaderMismatch
            | Kind::MissingCapability
            | Kind::SessionNotFound
            | Kind::Forbidden
            | Kind::NoSuchEndpoint
            | Kind::MethodNotAllowed
            | Kind::NotAcceptable
            | Kind::UnsupportedMedia
            | Kind::TooLarge,
            _,
        ) => code::INVALID_REQUEST,
        (
            Kind::Overloaded
            | Kind::Unavailable
            | Kind::Broken
            | Kind::Timeout
            | Kind::Protocol
            | Kind::Cancelled
            | Kind::Stopping
            | Kind::Internal,
            _,
        ) => code::INTERNAL,
    }
}

fn status(kind: Kind, tone: Tone<'_>) -> StatusCode {
    let modern = tone.era == Era::Modern;
    match kind {
        Kind::SessionNotFound | Kind::NoSuchEndpoint => StatusCode::NOT_FOUND,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Parse
        | Kind::InvalidRequest
        | Kind::HeaderMismatch
        | Kind::UnsupportedVersion
        | Kind::MissingCapability => StatusCode::BAD_REQUEST,
        Kind::MethodNotFound if modern => StatusCode::NOT_FOUND,
        Kind::InvalidParams | Kind::ResourceNotFound if modern => StatusCode::BAD_REQUEST,
        Kind::Overloaded | Kind::Stopping if tone.id.is_none() => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal if tone.id.is_none() => StatusCode::INTERNAL_SERVER_ERROR,
        // A call that was understood is answered as a message: clients do not read the bodies of other statuses.
        Kind::MethodNotFound
        | Kind::InvalidParams
        | Kind::ResourceNotFound
        | Kind::Overloaded
        | Kind::Unavailable
        | Kind::Broken
        | Kind::Timeout
        | Kind::Protocol
        | Kind::Cancelled
        | Kind::Stopping
        | Kind::Internal => StatusCode::OK,
    }
}

fn data(failure: &Failure, tone: Tone<'_>) -> String {
    if failure.kind() == Kind::UnsupportedVersion {
        return versions(tone);
    }
    let mut data = format!("{{\"kind\":\"{}\"", failure.kind().word());
    if let Source::Server(name) = failure.source() {
        data.push_str(&format!(",\"server\":\"{name}\""));
    }
    if failure.retry() == Retry::NeverSent {
        data.push_str(",\"retryable\":true");
    }
    data.push('}');
    data
}

fn versions(tone: Tone<'_>) -> String {
    let supported: Vec<_> = std::iter::once(MODERN).chain(LEGACY).map(wire::quote).collect();
    let requested = wire::quote(tone.requested.unwrap_or_default());
    format!("{{\"supported\":[{}],\"requested\":{requested}}}", supported.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_code_and_status_in_each_era() {
        let cases = [
            (Kind::Parse, -32700, 400, -32700, 400),
            (Kind::HeaderMismatch, -32600, 400, -32020, 400),
            (Kind::MethodNotFound, -32601, 200, -32601, 404),
            (Kind::InvalidParams, -32602, 200, -32602, 400),
            (Kind::ResourceNotFound, -32002, 200, -32602, 400),
            (Kind::SessionNotFound, -32600, 404, -32600, 404),
            (Kind::Timeout, -32603, 200, -32603, 200),
            (Kind::UnsupportedVersion, -32022, 400, -32022, 400),
        ];
        for (kind, legacy_code, legacy_status, modern_code, modern_status) in cases {
            for (era, code, status) in
                [(Era::Legacy, legacy_code, legacy_status), (Era::Modern, modern_code, modern_status)]
            {
                let tone = Tone { era, id: Some(b"1"), requested: None };
                let (got, body) = answer(&Failure::client(kind, "x"), tone);
                assert_eq!(got.as_u16(), status, "{kind:?} {era:?}");
                let body = String::from_utf8_lossy(&body).into_owned();
                assert!(body.contains(&format!("\"code\":{code}")), "{kind:?} {era:?}: {body}");
            }
        }
    }

    #[test]
    fn a_refused_version_names_those_that_are_served() {
        let tone = Tone { era: Era::Modern, id: Some(b"\"a\""), requested: Some("1900-01-01") };
        let (_, body) = answer(&Failure::client(Kind::UnsupportedVersion, "x"), tone);
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(
            body.contains("\"requested\":\"1900-01-01\"") && body.contains("2025-11-25") && body.contains("2026-07-28"),
            "{body}"
        );
    }
}

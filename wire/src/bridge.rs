//! The bridge between the eras: a modern client at a legacy server, and a legacy client at a modern server.
//!
//! Pure functions over message bytes and the envelope: each returns a small new message, or makes edits to a splice that
//! leave every other byte as it came. Never decodes a body, never keeps a session, never does I/O.
//!
//! | modern client, legacy server | |
//! | --- | --- |
//! | `server/discover` | [`discover_result`] of the remembered `initialize` |
//! | `_meta` of a request | [`legacy_request`]; the session's `initialize` by [`initialize_params`], shared by callers whose [`legacy_capabilities`] are [`canonical`]ly the same |
//! | `progressToken` | [`progress_token`] |
//! | log level | [`is_for_caller`]; the session's level is the lowest [`Level`](crate::Level) wanted |
//! | requests in mid-call | [`asked`], [`Ask::is_allowed`], [`input_request`], [`input_required`]; the retry's [`request_state`] and [`answers`] |
//! | requests outside any call | [`Ask::refusal_outside_a_call`] |
//! | results | [`modern_result`] |
//! | errors | [`modern_error`], [`url_elicitations`], [`error_status`] |
//! | `subscriptions/listen` | [`Filter`], [`Wanted`], [`modern_notification`], [`listening_ended`] |
//!
//! | legacy client, modern server | |
//! | --- | --- |
//! | `initialize` | [`initialize_result`] of the remembered `server/discover` |
//! | each request | [`modern_request`] with [`modern_capabilities`]; headers by [`param_header`](crate::param_header) |
//! | `input_required` | [`is_input_required`], [`InputRequired::read`], [`InputRequest::to_client`], [`response`], [`unanswered`], [`Round`] |
//! | results | [`legacy_result`] |
//! | errors | [`legacy_error`], [`error_status`] |
//! | GET stream, `resources/subscribe` | [`Wanted`], [`Filter::listen_params`], [`legacy_notification`] |
//!
//! The Tasks extension needs no mapping: `tasks/get`, `tasks/update`, `tasks/cancel`, results of type `task` and
//! `notifications/tasks` belong to those who declared it in `extensions`, which both eras carry. Task ids stay with their
//! server; a task's own `ttlMs` and `inputResponses` are left alone. The `tasks` of revision 2025-11-25 are another thing,
//! and are declared to nobody across eras.

mod ask;
mod capability;
mod compose;
mod error;
mod filter;
mod greeting;
mod notice;
mod object;
mod request;
mod result;
mod round;
mod suspended;
mod unfit;
mod words;

pub use ask::{Ask, Refusal};
pub use capability::{canonical, initialize_params, legacy_capabilities, modern_capabilities};
pub use error::{error_status, legacy_error, modern_error};
pub use filter::{Filter, List, MOST_URIS, Wanted, covering, listening_ended};
pub use greeting::{discover_result, initialize_result, server_info};
pub use notice::{is_for_caller, legacy_notification, modern_notification, progress_token};
pub use request::{Caller, legacy_request, modern_request};
pub use result::{Hints, Scope, legacy_result, modern_result};
pub use round::{InputRequest, InputRequired, Round, is_input_required, response, unanswered};
pub use suspended::{
    Answers, MOST, Waiting, answers, asked, input_request, input_required, request_state, url_elicitations,
};
pub use unfit::Unfit;
pub use words::{is_cacheable, may_require_input};

#[cfg(test)]
mod tests;

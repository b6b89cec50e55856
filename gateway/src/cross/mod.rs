//! Calls whose caller and server speak different eras. Each direction is a file: `up` brings modern callers to legacy
//! servers, `down` legacy sessions to modern servers.
//!
//! How a message is spelled in the other era is `wire::bridge`'s business; here is what has a lifetime: the call at the
//! server, the questions asked meanwhile, the sessions that modern callers share.

mod down;
mod errand;
mod guest;
pub mod guests;
mod hearing;
pub mod listen;
mod peer_node;
mod resume;
mod run;
pub mod seal;
mod shares;
mod subscribing;
mod subscription;
pub mod suspended;
mod up;

pub use peer_node::PASSED_ON;

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use ground::Failure;
use http::StatusCode;
use tokio::{runtime::Handle, time::timeout};
use upstream::{Server, Want};
use wire::era::Era;

use crate::{
    body::Body,
    call::{self, Call},
    finish::Ticket,
    forward::{self, HEARD, Outcome},
    gateway::Lane,
    route::Trip,
    session::Session,
};

/// What a crossing call says to its caller, in order.
pub enum Said {
    /// A message before the answer.
    More(Bytes),
    /// The answer.
    Last {
        /// Its status, where the caller's transport has one.
        status: StatusCode,
        /// The message.
        body: Bytes,
        /// The call's account, to be closed with it.
        ticket: Ticket,
    },
    /// There is no answer.
    Failed(Failure, Ticket),
}

/// All that a crossing call says; ends after the answer or failure.
pub type Saying = Pin<Box<dyn Stream<Item = Said> + Send>>;

/// Whether a server must be spoken to in the other era, as far as is known.
#[must_use]
pub fn is_needed(era: Era, server: &Server) -> bool {
    let other = if era == Era::Modern { Era::Legacy } else { Era::Modern };
    !server.eras().may(era) && server.eras().may(other)
}

/// What a caller asks of a server's doors, in the era that the server speaks.
#[must_use]
pub fn want(session: &Session, server: &Server) -> Want {
    if is_needed(Era::Legacy, server) { call::modern() } else { session.want() }
}

/// Takes a request to a server of the other era.
///
/// # Errors
/// Why there is no answer.
pub async fn forward(lane: &Lane, call: Call, trip: Trip, ticket: Ticket) -> Result<Outcome, (Failure, Ticket)> {
    match call.era {
        Era::Modern => Box::pin(up::forward(lane, call, trip, ticket)).await,
        Era::Legacy => Box::pin(down::forward(lane, call, trip, ticket)).await,
    }
}

/// Waits for the beginning of what is said: an answer at once, or a stream.
async fn settle(call: Answered, saying: Saying) -> Result<Outcome, (Failure, Ticket)> {
    let session = call.session.clone().filter(|_| call.era == Era::Legacy);
    let mut lasting = Lasting { saying: Some(saying), session };
    let first = lasting.first(call.streams).await;
    let rest = lasting.saying.take();
    match first {
        Some(Said::Last { status, body, ticket }) => {
            Ok(Outcome::Whole { status, body: Body::whole(body).with_ticket(ticket) })
        }
        Some(Said::Failed(failure, ticket)) => Err((failure, ticket)),
        first @ (Some(Said::More(_)) | None) => Ok(stream(call, first, rest)),
    }
}

/// What is said while nothing has reached the client yet. A legacy client that loses its connection meanwhile has not
/// cancelled its call, which goes on to its end.
struct Lasting {
    saying: Option<Saying>,
    /// A legacy client's.
    session: Option<Arc<Session>>,
}

impl Lasting {
    async fn first(&mut self, streams: bool) -> Option<Said> {
        let saying = self.saying.as_mut()?;
        match streams {
            true => timeout(HEARD, saying.next()).await.ok().flatten(),
            false => answer_alone(self.session.as_ref(), saying).await,
        }
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        if let (Some(mut saying), Some(session), Ok(runtime)) =
            (self.saying.take(), self.session.take(), Handle::try_current())
        {
            runtime.spawn(async move { answer_alone(Some(&session), &mut saying).await });
        }
    }
}

/// What the answer to a call depends on, once the call itself is on its way.
struct Answered {
    era: Era,
    id: Bytes,
    streams: bool,
    session: Option<Arc<Session>>,
}

impl Answered {
    fn of(call: &Call) -> Self {
        let id = call.envelope.id.map(|span| call.share(span)).unwrap_or_default();
        Self { era: call.era, id, streams: call.streams, session: call.session.clone() }
    }
}

/// For a caller that takes only the answer: what comes before it is handed to its session, or lost.
async fn answer_alone(session: Option<&Arc<Session>>, saying: &mut Saying) -> Option<Said> {
    loop {
        match saying.next().await? {
            Said::More(message) => {
                if let Some(session) = session {
                    session.outlet.push(message);
                }
            }
            last => return Some(last),
        }
    }
}

fn stream(call: Answered, first: Option<Said>, rest: Option<Saying>) -> Outcome {
    let Answered { era, id, session, .. } = call;
    let messages = stream::iter(first).chain(stream::iter(rest).flatten()).map(move |said| match said {
        Said::More(message) => message,
        Said::Last { body, mut ticket, .. } => {
            ticket.answered();
            ticket.sent(body.len());
            body
        }
        Said::Failed(failure, _ticket) => forward::failure_message(era, &id, &failure),
    });
    match session {
        Some(session) if era == Era::Legacy => Outcome::Kept(session, Box::pin(messages)),
        _ => Outcome::Listen(Box::pin(messages)),
    }
}

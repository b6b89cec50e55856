//! A modern caller's request at a legacy server: run in a guest's session there, its questions handed to the caller as
//! `input_required`, and taken up again when the caller comes back with the answers.
//!
//! Follows "Multi Round-Trip Requests" of revision 2026-07-28.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use ground::{Failure, Kind};
use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use upstream::Message;
use wire::{
    Shape, Splice,
    bridge::{self, Ask, Hints},
};

use super::{
    Answered, Said, errand::wanted_level, guests::Visitor, listen, resume, run::Run, settle, suspended::Question,
};
use crate::{
    call::Call,
    finish::Ticket,
    forward::{Outcome, carries_uris, modern_status, prefixed},
    gateway::Lane,
    in_flight::{Begun, Calls},
    own, respond, rewrite,
    route::Trip,
};

/// Questions that a server asks at the same time are handed to the caller together, if they arrive within this time.
const TOGETHER: Duration = Duration::from_millis(20);

/// Takes a request to its server.
///
/// # Errors
/// Why there is no answer.
pub async fn forward(lane: &Lane, call: Call, trip: Trip, ticket: Ticket) -> Result<Outcome, (Failure, Ticket)> {
    let own = match &*call.method {
        "server/discover" => Some(own::discover_of(lane, &call, &trip.server).await),
        "subscriptions/listen" => Some(listen::listen(lane, &call, &trip.server).await),
        "initialize" | "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
            Some(Err(Failure::client(Kind::MethodNotFound, format!("Method not found: {}", call.method))))
        }
        _ => None,
    };
    match own {
        Some(Ok(outcome)) => return Ok(respond::accounted(outcome, ticket)),
        Some(Err(failure)) => return Err((failure, ticket)),
        None => {}
    }
    let answered = Answered::of(&call);
    let begun = match begin(lane, &call) {
        Ok(begun) => begun,
        Err(failure) => return Err((failure, ticket)),
    };
    let run = match resume::of(lane, &call, &trip).await {
        Ok(resume::Resumed::No) => start(lane, &call, &trip, begun.as_ref()).await,
        Ok(resume::Resumed::Run(run)) => Ok(*run),
        Ok(resume::Resumed::Elsewhere(outcome)) => return Ok(respond::accounted(outcome, ticket)),
        Err(failure) => Err(failure),
    };
    let run = match run {
        Ok(run) => run,
        Err(failure) => return Err((failure, ticket)),
    };
    let prefixed = prefixed(lane, &call);
    let ascent = Ascent { lane: lane.clone(), call, trip, prefixed, begun, ready: VecDeque::new(), together: None };
    let saying = stream::unfold(Some((ascent, run, ticket)), |state| async move {
        let (mut ascent, run, ticket) = state?;
        let (said, next) = ascent.say(run, ticket).await;
        Some((said, next.map(|(run, ticket)| (ascent, run, ticket))))
    });
    settle(answered, Box::pin(saying)).await
}

/// On a connection that carries several calls, each can be cancelled by its id.
fn begin(lane: &Lane, call: &Call) -> Result<Option<Begun>, Failure> {
    let Some((session, id)) = call.session.as_ref().zip(call.envelope.id) else { return Ok(None) };
    Calls::begin(session, &call.share(id), lane.gateway.plan.load().limits.session_calls).map(Some)
}

async fn start(lane: &Lane, call: &Call, trip: &Trip, begun: Option<&Begun>) -> Result<Run, Failure> {
    let visitor = Visitor::of(call);
    let can_answer = visitor.introduction.profile != 0;
    let bound = lane.gateway.plan.load().limits.sessions;
    let seat = lane.gateway.guests.seat(&trip.server, &visitor, can_answer, bound)?;
    Run::start(lane, call, trip, seat, begun).await
}

/// A call on its way.
struct Ascent {
    lane: Lane,
    call: Call,
    trip: Trip,
    prefixed: bool,
    begun: Option<Begun>,
    /// Messages that the caller is to get before anything else.
    ready: VecDeque<Bytes>,
    /// Until when questions are gathered that the caller is to get together.
    together: Option<Instant>,
}

/// What came of a server's message.
enum Step {
    Goes,
    Ends(StatusCode, Bytes, bool),
}

impl Ascent {
    /// The next thing to be said, and what goes on after it.
    async fn say(&mut self, mut run: Run, mut ticket: Ticket) -> (Said, Option<(Run, Ticket)>) {
        loop {
            if let Some(message) = self.ready.pop_front() {
                ticket.sent(message.len());
                return (Said::More(message), Some((run, ticket)));
            }
            let step = match self.hear(&mut run).await {
                Some(Ok(message)) => self.take(&mut run, &message),
                Some(Err(failure)) => {
                    ticket.failed(&failure);
                    return (Said::Failed(failure, ticket), None);
                }
                None => return (self.suspend(run, ticket), None),
            };
            if let Step::Ends(status, body, error) = step {
                if error {
                    ticket.answered_error();
                }
                return (Said::Last { status, body, ticket }, None);
            }
        }
    }

    /// The server's next message. `None` once it has asked, and has had its moment to ask more.
    async fn hear(&mut self, run: &mut Run) -> Option<Result<Message, Failure>> {
        let asked = run.questions().len();
        let next = run.next(&self.trip, self.begun.as_ref());
        match asked {
            0 => Some(next.await),
            bridge::MOST.. => None,
            _ => timeout_at(*self.together.get_or_insert_with(|| Instant::now() + TOGETHER), next).await.ok(),
        }
    }

    fn take(&mut self, run: &mut Run, message: &Message) -> Step {
        match message.envelope.kind {
            Shape::Response => return Step::Ends(StatusCode::OK, self.result(run, message), false),
            Shape::Error => return self.error(run, message),
            Shape::Notification => self.ready.extend(self.notification(run, message)),
            Shape::Request => {
                if let Some(question) = self.question(run, message) {
                    run.ask(question);
                }
            }
        }
        Step::Goes
    }

    /// Hands the questions to the caller; the call waits for its return.
    fn suspend(&self, run: Run, mut ticket: Ticket) -> Said {
        let questions = run.questions().to_vec();
        let info = self.server_info(&run);
        match resume::suspend(&self.lane, &self.call, run) {
            Ok(state) => {
                let entries: Vec<(&str, &[u8])> = questions.iter().map(|asked| (&*asked.key, &*asked.entry)).collect();
                let result = bridge::input_required(&entries, Some(&state), info.as_deref());
                let body = wire::build::result(self.call.id().unwrap_or(b"null"), &result).into();
                Said::Last { status: StatusCode::OK, body, ticket }
            }
            Err(failure) => {
                ticket.failed(&failure);
                Said::Failed(failure, ticket)
            }
        }
    }

    /// A server's request as a question for the caller; one that the caller cannot be asked is refused.
    fn question(&self, run: &Run, message: &Message) -> Option<Question> {
        let refuse = |code, why: &str| run.link().answer_own(message, Err((code, why)));
        if message.method() == "ping" {
            run.link().answer_own(message, Ok(b"{}"));
            return None;
        }
        self.trip.server.note_asks();
        let Ok(ask) = bridge::asked(&message.body, &message.envelope) else {
            refuse(wire::era::code::METHOD_NOT_FOUND, "clients of revision 2026-07-28 cannot be asked this");
            return None;
        };
        if !self.may_ask(ask) {
            let refusal = ask.refusal();
            refuse(refusal.code, refusal.message);
            return None;
        }
        let entry = bridge::input_request(&message.body, &message.envelope).ok()?;
        let id = message.share(message.envelope.id?);
        Some(Question { key: format!("ask-{}", ground::fresh::ordered_id()), ask, id, entry })
    }

    fn may_ask(&self, ask: Ask) -> bool {
        let declared = self.call.envelope.client_capabilities;
        ask.is_allowed(declared.map_or(&b"{}"[..], |span| self.call.part(span)))
    }

    /// A server's notification in the caller's words, if it is for it.
    fn notification(&self, run: &Run, message: &Message) -> Option<Bytes> {
        if !bridge::is_for_caller(&message.body, &message.envelope, wanted_level(&self.call)) {
            return None;
        }
        let mut splice = Splice::new(message.body.clone());
        if message.envelope.progress_token_param.is_some() {
            let token = self.call.share(self.call.envelope.progress_token?);
            bridge::progress_token(&mut splice, &message.envelope, token);
        }
        if self.prefixed {
            rewrite::message(&mut splice, message, run.server());
        }
        Some(splice.into_bytes())
    }

    fn result(&self, run: &Run, message: &Message) -> Bytes {
        let mut splice = self.under_own_id(message);
        let info = self.server_info(run);
        bridge::modern_result(&mut splice, &message.envelope, &self.call.method, info.as_deref(), Hints::default());
        if self.prefixed && carries_uris(&self.call.method) {
            rewrite::result(&mut splice, message, &self.call.method, run.server());
        }
        splice.into_bytes()
    }

    fn error(&self, run: &Run, message: &Message) -> Step {
        // A server that wants URLs visited first says so in an error, and is asked anew afterwards.
        let visits = bridge::url_elicitations(&message.body, &message.envelope).filter(|_| self.may_ask(Ask::Url));
        if let Some(visits) = visits {
            let keys: Vec<String> = (1..=visits.len()).map(|number| format!("visit-{number}")).collect();
            let entries: Vec<(&str, &[u8])> = keys.iter().zip(&visits).map(|(key, entry)| (&**key, &**entry)).collect();
            let result = bridge::input_required(&entries, None, self.server_info(run).as_deref());
            let body = wire::build::result(self.call.id().unwrap_or(b"null"), &result).into();
            return Step::Ends(StatusCode::OK, body, false);
        }
        let mut splice = self.under_own_id(message);
        // The URI as the caller knows it.
        let uri = self.call.envelope.uri.and_then(|span| wire::text(self.call.part(span)));
        bridge::modern_error(&mut splice, &message.envelope, uri.as_deref());
        let body = splice.into_bytes();
        let code = wire::Envelope::parse(&body, upstream::mux::DEPTH).ok().and_then(|envelope| envelope.error_code);
        Step::Ends(modern_status(code), body, true)
    }

    fn under_own_id(&self, message: &Message) -> Splice {
        let mut splice = Splice::new(message.body.clone());
        if let (Some(at), Some(id)) = (message.envelope.id, self.call.envelope.id) {
            splice.replace(at, self.call.share(id));
        }
        splice
    }

    fn server_info(&self, run: &Run) -> Option<Bytes> {
        let hello = run.link().hello()?;
        bridge::server_info(&hello.result).map(|info| hello.result.slice_ref(info))
    }
}

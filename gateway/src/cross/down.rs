//! A legacy session's call at a modern server: said in that era, its questions asked on the call's own stream and
//! answered in a repeated request, its answer said back.
//!
//! Follows "Multi Round-Trip Requests" of revision 2026-07-28.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use ground::{Failure, Kind, Retry};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::{sync::mpsc, time::Instant};
use upstream::{Link, Message, OnDrop, Outgoing, Replies};
use wire::{
    Shape, Splice,
    bridge::{self, Ask, InputRequired, Round, Unfit},
    era::Version,
};

use super::{Answered, Said, settle, subscription};
use crate::{
    asked::Asker,
    call::{self, Call},
    finish::Ticket,
    follow,
    forward::{self, Outcome, carries_uris},
    gateway::Lane,
    in_flight::{Begun, Calls},
    level, restore, rewrite,
    route::Trip,
    session::Session,
};

/// Times that a server may ask in one call.
const ROUNDS: u32 = 32;
/// A call that is to be repeated without being told anything new waits this long.
const LATER: Duration = Duration::from_secs(1);

/// Takes a request to its server.
///
/// # Errors
/// Why there is no answer.
pub async fn forward(lane: &Lane, call: Call, trip: Trip, ticket: Ticket) -> Result<Outcome, (Failure, Ticket)> {
    let Some(session) = call.session.clone() else {
        let text = "a session is needed: send `initialize` first";
        return Err((Failure::client(Kind::InvalidRequest, text), ticket));
    };
    let begun = match begin(lane, &call, &session) {
        Ok(begun) => begun,
        Err(failure) => return Err((failure, ticket)),
    };
    let link = match lease(lane, &session, &trip).await {
        Ok(link) => link,
        Err(failure) => return Err((failure, ticket)),
    };
    match &*call.method {
        "resources/subscribe" | "resources/unsubscribe" => {
            match subscription::change(lane, &call, &trip, &session, &link).await {
                Ok(outcome) => return Ok(crate::respond::accounted(outcome, ticket)),
                Err(failure) => return Err((failure, ticket)),
            }
        }
        "server/discover" | "subscriptions/listen" => {
            let text = format!("Method not found: {}", call.method);
            return Err((Failure::client(Kind::MethodNotFound, text), ticket));
        }
        _ => {}
    }
    let answered = Answered::of(&call);
    let descent = Descent { lane: lane.clone(), call, trip, session, link, begun, rounds: 0, ready: VecDeque::new() };
    let deadline = Instant::now() + descent.trip.server.spec().bounds.call_deadline;
    let state = Some((descent, State::Starting, ticket));
    let saying = stream::unfold(state, move |state| async move {
        let (mut descent, state, ticket) = state?;
        let (said, next) = descent.say(state, deadline, ticket).await;
        Some((said, next.map(|(state, ticket)| (descent, state, ticket))))
    });
    settle(answered, Box::pin(saying)).await
}

fn begin(lane: &Lane, call: &Call, session: &Arc<Session>) -> Result<Option<Begun>, Failure> {
    let bound = lane.gateway.plan.load().limits.session_calls;
    call.envelope.id.map(|id| Calls::begin(session, &call.share(id), bound)).transpose()
}

/// The server's modern link, on which the session hears what was subscribed to.
///
/// # Errors
/// Why there is none.
pub async fn lease(lane: &Lane, session: &Arc<Session>, trip: &Trip) -> Result<Arc<Link>, Failure> {
    let want = call::modern();
    let link = match trip.server.open_link(&want) {
        Some(link) => link,
        None => trip.server.link(&lane.pool, &want).await?,
    };
    if session.hold(&trip.server, &link) {
        restore::restore(lane, session, &link).await;
    }
    Ok(link)
}

/// A call on its way.
struct Descent {
    lane: Lane,
    call: Call,
    trip: Trip,
    session: Arc<Session>,
    link: Arc<Link>,
    begun: Option<Begun>,
    rounds: u32,
    /// Messages that the client is to get before anything else.
    ready: VecDeque<Bytes>,
}

/// Where it stands.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly every call has, once")]
enum State {
    /// Nothing has been sent.
    Starting,
    /// The server is answering.
    Following(Replies),
    /// The client is answering.
    Asking(Asking),
}

/// Questions of a server, under the client's numbers.
struct Asking {
    questions: Vec<Question>,
    state: Option<Bytes>,
    answers: mpsc::Receiver<(u64, Message)>,
}

struct Question {
    number: u64,
    key: String,
    ask: Ask,
    answer: Option<Bytes>,
}

type Next = Option<(State, Ticket)>;

impl Descent {
    /// The next thing to be said, and how it goes on.
    async fn say(&mut self, mut state: State, deadline: Instant, mut ticket: Ticket) -> (Said, Next) {
        loop {
            if let Some(message) = self.ready.pop_front() {
                ticket.sent(message.len());
                return (Said::More(message), Some((state, ticket)));
            }
            let step = match state {
                State::Starting => {
                    self.send(&Round::default()).await.map(|replies| Step::Goes(State::Following(replies)))
                }
                State::Following(replies) => self.follow(replies, deadline).await,
                State::Asking(asking) => self.listen(asking, deadline).await,
            };
            match step {
                Ok(Step::Goes(next)) => state = next,
                Ok(Step::Ends(body, error)) => {
                    if error {
                        ticket.answered_error();
                    }
                    return (Said::Last { status: StatusCode::OK, body, ticket }, None);
                }
                Err(failure) => {
                    ticket.failed(&failure);
                    return (Said::Failed(failure, ticket), None);
                }
            }
        }
    }

    async fn follow(&mut self, mut replies: Replies, deadline: Instant) -> Result<Step, Failure> {
        let bell = self.begun.as_ref().map(|begun| begun.cancelled.clone());
        let message = follow::next(&mut replies, &self.link, &self.trip, deadline, bell).await?;
        match message.envelope.kind {
            Shape::Notification => {
                self.ready.extend(self.session.outward(&self.link, &message));
                Ok(Step::Goes(State::Following(replies)))
            }
            Shape::Request => {
                let why = "requests to clients do not exist in revision 2026-07-28";
                self.link.answer_own(&message, Err((wire::era::code::METHOD_NOT_FOUND, why)));
                Ok(Step::Goes(State::Following(replies)))
            }
            Shape::Response if bridge::is_input_required(&message.body, &message.envelope) => self.ask(&message).await,
            Shape::Response | Shape::Error => {
                Ok(Step::Ends(self.answer(&message), message.envelope.kind == Shape::Error))
            }
        }
    }

    /// The server's answer in the client's words.
    fn answer(&self, message: &Message) -> Bytes {
        let mut splice = Splice::new(message.body.clone());
        if let (Some(at), Some(id)) = (message.envelope.id, self.call.envelope.id) {
            splice.replace(at, self.call.share(id));
        }
        if message.envelope.kind == Shape::Error {
            bridge::legacy_error(&mut splice, &message.envelope, &self.call.method);
        } else {
            bridge::legacy_result(&mut splice, &message.envelope, &self.call.method);
            if self.session.prefixed && carries_uris(&self.call.method) {
                rewrite::result(&mut splice, message, &self.call.method, self.link.server());
            }
        }
        splice.into_bytes()
    }

    /// Puts a server's questions to the client; the call goes on with its answers.
    async fn ask(&mut self, message: &Message) -> Result<Step, Failure> {
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(self.odd(&format!("asked more than {ROUNDS} times in one call")));
        }
        let result = message.envelope.result.map(|span| message.part(span)).unwrap_or_default();
        let required = InputRequired::read(result)
            .map_err(|unfit| self.odd(&format!("asked for input that cannot be: {unfit}")))?;
        let state = required.state.map(Bytes::copy_from_slice);
        if required.requests.is_empty() {
            tokio::time::sleep(LATER).await;
            return self.send(&Round::new(&[], state.as_deref())).await.map(|r| Step::Goes(State::Following(r)));
        }
        let capabilities = self.session.capabilities();
        if let Some(request) = required.requests.iter().find(|request| !request.ask.is_allowed(&capabilities)) {
            let text = format!("the server asks for {}, which the client did not declare", request.ask.method());
            return Err(Failure::client(Kind::MissingCapability, text));
        }
        if !(self.call.streams || self.session.outlet.is_read()) {
            return self.answer_for_client(&required, state.as_deref()).await;
        }
        let (to, answers) = mpsc::channel(required.requests.len());
        let mut questions = Vec::with_capacity(required.requests.len());
        for request in &required.requests {
            let number = self.session.asked.note(Asker::Call(to.clone()));
            let digits = number.to_string();
            self.ready.push_back(request.to_client(digits.as_bytes(), &digits).into());
            questions.push(Question { number, key: request.key.to_string(), ask: request.ask, answer: None });
        }
        Ok(Step::Goes(State::Asking(Asking { questions, state, answers })))
    }

    /// No stream leads to the client, so that it would be waited for in vain: its questions count as refused.
    async fn answer_for_client(&self, required: &InputRequired<'_>, state: Option<&[u8]>) -> Result<Step, Failure> {
        let refusals = required.requests.iter().map(|request| Ok((&*request.key, bridge::unanswered(request.ask)?)));
        let refusals: Vec<_> = refusals.collect::<Result<_, Unfit>>().map_err(|unfit| {
            let text = format!("{unfit}: it has no stream on which it could be asked");
            Failure::client(Kind::InvalidRequest, text)
        })?;
        let responses: Vec<(&str, &[u8])> = refusals.iter().map(|(key, refusal)| (*key, &**refusal)).collect();
        self.send(&Round::new(&responses, state)).await.map(|replies| Step::Goes(State::Following(replies)))
    }

    /// Waits for the client's answers, and repeats the call with them.
    async fn listen(&mut self, mut asking: Asking, deadline: Instant) -> Result<Step, Failure> {
        let bell = self.begun.as_ref().map(|begun| begun.cancelled.clone());
        let collecting = asking.collect();
        let cancelled = follow::given_up(bell);
        let collected = tokio::select! {
            collected = tokio::time::timeout_at(deadline, collecting) => collected,
            () = cancelled => Ok(Err(follow::cancelled_by_caller())),
            () = self.session.closing.cancelled() => Ok(Err(follow::cancelled_by_caller())),
        };
        let late = || {
            let bound = self.trip.server.spec().bounds.call_deadline;
            Failure::client(Kind::Timeout, format!("the client did not answer within {bound:?} (`call_deadline`)"))
        };
        let outcome = collected.map_err(|_| late()).and_then(|collected| collected);
        if let Err(failure) = outcome {
            asking.questions.iter().for_each(|question| self.session.asked.forget(question.number));
            return Err(failure);
        }
        let responses: Vec<(&str, &[u8])> =
            asking.questions.iter().filter_map(|q| Some((q.key.as_str(), q.answer.as_deref()?))).collect();
        let round = Round::new(&responses, asking.state.as_deref());
        self.send(&round).await.map(|replies| Step::Goes(State::Following(replies)))
    }

    /// Sends the call, or sends it again with what the server wanted to know.
    async fn send(&self, round: &Round) -> Result<Replies, Failure> {
        let out = self.outgoing(round);
        let patience = self.trip.server.spec().bounds.call_timeout;
        let sending = self.link.call(&self.lane.pool, out, Some(self.session.peer()));
        let bell = self.begun.as_ref().map(|begun| begun.cancelled.clone());
        let cancelled = follow::given_up(bell);
        let answer = tokio::select! {
            sent = tokio::time::timeout(patience, sending) => sent.map_err(|_| forward::late(&self.trip, patience))??,
            () = cancelled => return Err(follow::cancelled_by_caller()),
        };
        let replies = Replies::new(self.link.clone(), self.lane.pool.clone(), answer);
        if let (Some(begun), Some(number)) = (&self.begun, replies.number()) {
            begun.went(&self.link, Bytes::from(number.to_string()));
        }
        Ok(replies)
    }

    fn outgoing(&self, round: &Round) -> Box<Outgoing> {
        let Call { body, envelope, .. } = &self.call;
        let mut splice = Splice::new(body.clone());
        for (span, with) in &self.trip.edits {
            splice.replace(*span, with.clone());
        }
        let capabilities = self.session.capabilities();
        let caller = bridge::Caller {
            version: Version::V2026_07_28,
            capabilities: &capabilities,
            info: &self.session.client_info(),
            level: level::level(self.session.level()),
        };
        bridge::modern_request(&mut splice, envelope, &caller, round);
        // A repeated request is another request. Over a shared stream each has a number of its own anyway.
        if self.rounds > 0
            && self.link.is_http()
            && let Some(id) = envelope.id
        {
            splice.replace(id, format!("\"{}-{}\"", ground::fresh::ordered_id(), self.rounds).into_bytes());
        }
        Box::new(Outgoing {
            splice,
            envelope: *envelope,
            body: body.clone(),
            era: wire::era::Era::Modern,
            method: self.call.method.clone(),
            name: self.trip.name.clone(),
            headers: self.param_headers(),
            hears_log: level::level(self.session.level()).is_some(),
            owner: None,
            on_drop: OnDrop::Cancel,
        })
    }

    /// The headers that the tool's definition asks for.
    fn param_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let (Some(name), "tools/call", true) = (&self.trip.name, &*self.call.method, self.link.is_http()) else {
            return Vec::new();
        };
        let catalog = self.trip.server.catalog(None);
        let arguments = self.call.envelope.arguments.map_or(&b"{}"[..], |span| self.call.part(span));
        let header = |header: &wire::param_header::ParamHeader| {
            let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(&header.value(arguments)?).ok()?))
        };
        catalog.headers(name).iter().filter_map(header).collect()
    }

    fn odd(&self, what: &str) -> Failure {
        let name = self.trip.server.name();
        Failure::server(Kind::Protocol, name, Retry::MaybeSent, format!("server `{name}` {what}"))
    }
}

/// What came of a step.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly every step has")]
enum Step {
    Goes(State),
    /// The answer, and whether it is an error.
    Ends(Bytes, bool),
}

impl Asking {
    /// Waits until all questions have an answer.
    async fn collect(&mut self) -> Result<(), Failure> {
        while self.questions.iter().any(|question| question.answer.is_none()) {
            let Some((number, message)) = self.answers.recv().await else {
                let text = "the client left too many requests unanswered";
                return Err(Failure::client(Kind::Overloaded, text));
            };
            if let Some(question) = self.questions.iter_mut().find(|question| question.number == number) {
                let answer = bridge::response(question.ask, &message.body, &message.envelope);
                question.answer =
                    Some(answer.map_err(|unfit| Failure::client(Kind::InvalidRequest, unfit.to_string()))?);
            }
        }
        Ok(())
    }
}

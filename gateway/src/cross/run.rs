//! What goes on at a legacy server for a modern caller, also while nobody waits for it.
//!
//! Dropped before its end, it is cancelled at the server. Whatever the server asked and nobody answered is refused at
//! the end, however it comes, so that no server waits for an answer that never will.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use ground::{Failure, ServerName};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use upstream::{Link, Message, Outgoing};
use wire::Shape;

use super::{
    errand::{self, Heard},
    guest::Seat,
    suspended::Question,
};
use crate::{call::Call, follow, forward, gateway::Lane, in_flight::Begun, route::Trip};

/// Messages that nobody has read yet are looked through at the end of a call, so many of them.
const UNREAD: usize = 256;

/// The call at its server.
pub struct Run {
    lane: Lane,
    seat: Seat,
    link: Arc<Link>,
    heard: Pin<Box<dyn Stream<Item = Result<Heard, Failure>> + Send>>,
    /// Answers on their way to the server.
    telling: Option<JoinHandle<Result<(), Failure>>>,
    /// What the server asked and has no answer to.
    questions: Vec<Question>,
    /// The raw id by which a server on HTTP knows the call.
    id: Bytes,
    /// The number by which one on a shared stream does.
    number: Option<u64>,
    sent: bool,
    deadline: Instant,
    /// Why it is given up, if it is dropped now.
    why: &'static str,
    finished: bool,
}

impl Run {
    /// Opens the way to the server from a guest's seat. The request is sent by the first [`Run::next`].
    ///
    /// # Errors
    /// Why there is no way.
    pub async fn start(
        lane: &Lane,
        call: &Call,
        trip: &Trip,
        seat: Seat,
        begun: Option<&Begun>,
    ) -> Result<Self, Failure> {
        let bounds = &trip.server.spec().bounds;
        let cancelled = follow::given_up(bell(begun));
        let link = tokio::select! {
            link = timeout(bounds.call_timeout, seat.guest.link(lane)) => link,
            () = cancelled => return Err(follow::cancelled_by_caller()),
        };
        let link = link.map_err(|_| forward::late(trip, bounds.call_timeout))??;
        let id = Bytes::from(format!("\"{}\"", ground::fresh::ordered_id()));
        seat.note(true);
        Ok(Self {
            lane: lane.clone(),
            heard: Box::pin(errand::run(lane, call, trip, &seat.guest, link.clone(), &id).fuse()),
            seat,
            link,
            telling: None,
            questions: Vec::new(),
            id,
            number: None,
            sent: false,
            deadline: Instant::now() + bounds.call_deadline,
            why: "the caller went away",
            finished: false,
        })
    }

    /// The next message of the server about the call, within its time and unless its caller gives it up. Cancel-safe.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn next(&mut self, trip: &Trip, begun: Option<&Begun>) -> Result<Message, Failure> {
        let patience = trip.server.spec().bounds.call_timeout;
        let mut cancelled = std::pin::pin!(follow::given_up(bell(begun)));
        loop {
            let by = (Instant::now() + patience).min(self.deadline);
            let heard = tokio::select! {
                heard = self.heard.next() => heard.unwrap_or_else(|| Err(self.link.gone())),
                Some(message) = self.seat.inbox.recv() => return Ok(message),
                told = told(&mut self.telling) => {
                    told?;
                    continue;
                }
                () = &mut cancelled => return Err(follow::cancelled_by_caller()),
                () = sleep_until(by) => {
                    self.why = "no answer in time";
                    return Err(forward::late(trip, patience));
                }
            };
            if let Some(message) = self.take(heard, begun)? {
                return Ok(message);
            }
        }
    }

    fn take(&mut self, heard: Result<Heard, Failure>, begun: Option<&Begun>) -> Result<Option<Message>, Failure> {
        match heard {
            Ok(Heard::Opened(link)) => self.link = link,
            Ok(Heard::Sent(number)) => {
                self.sent = true;
                self.number = number;
                if let (Some(begun), Some(number)) = (begun, number) {
                    begun.went(&self.link, Bytes::from(number.to_string()));
                }
            }
            Ok(Heard::Said(message)) => {
                self.finished = matches!(message.envelope.kind, Shape::Response | Shape::Error);
                self.seat.note(!self.finished);
                return Ok(Some(message));
            }
            Err(failure) => {
                self.finished = true;
                self.seat.note(false);
                return Err(failure);
            }
        }
        Ok(None)
    }

    /// Notes what the server asks.
    pub fn ask(&mut self, question: Question) {
        self.questions.push(question);
    }

    /// What the server asked and has no answer to.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Gives the server answers to its requests, while it is listened to; `missing` are the positions of questions that
    /// have none yet. The call fails when the server does not take them within its `call_timeout`.
    pub fn answer(&mut self, trip: &Trip, answers: Vec<Outgoing>, missing: &[usize]) {
        let patience = trip.server.spec().bounds.call_timeout;
        let late = forward::late(trip, patience);
        let mut at = 0..;
        self.questions.retain(|_| at.next().is_some_and(|at| missing.contains(&at)));
        let (link, pool) = (self.link.clone(), self.lane.pool.clone());
        self.telling = Some(tokio::spawn(async move {
            let telling = async {
                for answer in answers {
                    link.tell(&pool, Box::new(answer)).await?;
                }
                Ok(())
            };
            let told = timeout(patience, telling).await.unwrap_or(Err(late));
            told.map_err(|failure| errand::in_mid_call(&link, &failure))
        }));
    }

    /// Notes that it waits for its caller's input, or goes on.
    pub fn waits(&self, waits: bool) {
        self.seat.waits(waits);
    }

    /// Gives it up for a reason that the server is told.
    pub fn give_up(mut self, why: &'static str) {
        self.why = why;
    }

    /// The link on which it goes on.
    #[must_use]
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        self.link.server()
    }

    /// Refuses what the server asked, also what nobody has read yet.
    fn refuse_all(&mut self) {
        let mut unread = Vec::new();
        while let Ok(message) = self.seat.inbox.try_recv() {
            unread.push(message);
        }
        while self.sent
            && !self.finished
            && unread.len() < UNREAD
            && let Some(Some(heard)) = self.heard.next().now_or_never()
        {
            unread.extend(self.take(heard, None).ok().flatten());
        }
        let why = if self.finished { "the call has ended" } else { self.why };
        for question in &self.questions {
            self.link.refuse_request(&question.id, why);
        }
        for message in unread.iter().filter(|message| message.envelope.kind == Shape::Request) {
            self.link.answer_own(message, Err((wire::era::code::INTERNAL, why)));
        }
    }
}

fn bell(begun: Option<&Begun>) -> Option<Arc<Notify>> {
    begun.map(|begun| begun.cancelled.clone())
}

/// Waits until the answers under way have been taken; for ever where there are none.
async fn told(telling: &mut Option<JoinHandle<Result<(), Failure>>>) -> Result<(), Failure> {
    let Some(task) = telling else { return std::future::pending().await };
    let told = task.await;
    *telling = None;
    // A task that was stopped or panicked has said so itself.
    told.unwrap_or(Ok(()))
}

impl Drop for Run {
    fn drop(&mut self) {
        // At the very end of the program nobody is left to say it, nor to hear it.
        let Ok(runtime) = Handle::try_current() else { return };
        if self.link.is_closed() {
            return;
        }
        self.refuse_all();
        if self.finished {
            return;
        }
        match self.number {
            Some(number) => self.link.give_up(number, self.why),
            // In the legacy era a closed connection is no cancellation.
            None if self.link.is_http() => {
                let (link, pool, id, why) = (self.link.clone(), self.lane.pool.clone(), self.id.clone(), self.why);
                let patience = self.seat.guest.server().spec().bounds.call_timeout;
                runtime.spawn(async move { timeout(patience, link.cancel(&pool, &id, why)).await });
            }
            None => {}
        }
    }
}

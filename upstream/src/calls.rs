//! The answer to a call as it arrives: at once, or message by message until the last.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ground::{Failure, Kind, Retry};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio::time::Instant;
use wire::{Shape, era::Era};

use crate::{
    http::{
        carrier::{Media, Slot, media},
        events::Events,
        pool::{Pool, PooledBody},
    },
    link::{Link, Transport},
    message::Message,
    mux::{DEPTH, Event, Exchange},
    pause::Pause,
};

/// How often a broken stream of a legacy server is taken up again before the call fails.
const RESUMES: u32 = 16;
/// The wait before that, unless the server said another (`retry`).
const RESUME_AFTER: Duration = Duration::from_millis(500);
/// The longest wait a server may ask for.
const RESUME_AFTER_AT_MOST: Duration = Duration::from_secs(30);

/// The start of an answer.
#[expect(clippy::large_enum_variant, reason = "moved once, and the large one is what nearly every call has")]
pub enum Answer {
    /// Messages from a shared stream.
    Exchange(Exchange),
    /// An HTTP answer, of which only the head has been read.
    Http {
        /// Head and body.
        response: Response<PooledBody>,
        /// Its media type.
        media: Media,
        /// Its place among the calls in flight.
        slot: Slot,
    },
}

impl Answer {
    /// An HTTP answer of which only the head has been read.
    #[must_use]
    pub fn http(response: Response<PooledBody>, slot: Slot) -> Self {
        let media = media(response.headers());
        Self::Http { response, media, slot }
    }
}

/// The messages of one answer: notifications and requests of the server, then the answer itself.
pub struct Replies {
    link: Arc<Link>,
    pool: Arc<Pool>,
    from: From,
    pause: Arc<Pause>,
    finished: bool,
}

enum From {
    Exchange(Exchange),
    Whole { response: Option<Response<PooledBody>>, _slot: Slot },
    Events { events: Events, last: Option<Bytes>, wait: Duration, resumes: u32, again: Option<Instant>, _slot: Slot },
}

impl Replies {
    /// Reads an answer message by message.
    #[must_use]
    pub fn new(link: Arc<Link>, pool: Arc<Pool>, answer: Answer) -> Self {
        let from = match answer {
            Answer::Exchange(exchange) => From::Exchange(exchange),
            Answer::Http { response, media: Media::Events, slot } => From::Events {
                events: Events::new(response.into_body(), link.bound),
                last: None,
                wait: RESUME_AFTER,
                resumes: 0,
                again: None,
                _slot: slot,
            },
            Answer::Http { response, slot, .. } => From::Whole { response: Some(response), _slot: slot },
        };
        Self { link, pool, from, pause: Arc::default(), finished: false }
    }

    /// The id by which the server knows the call, where it differs from the caller's.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match &self.from {
            From::Exchange(exchange) => Some(exchange.number()),
            _ => None,
        }
    }

    /// The pauses that the server makes in its stream.
    #[must_use]
    pub fn pause(&self) -> &Arc<Pause> {
        &self.pause
    }

    /// The next message; `None` after the answer or a failure. Cancel-safe but for a resumption under way.
    pub async fn next(&mut self) -> Option<Event> {
        if self.finished {
            return None;
        }
        let event = match &mut self.from {
            From::Exchange(exchange) => exchange.next().await.unwrap_or_else(|| Err(self.link.gone())),
            From::Whole { response, .. } => match response.take() {
                Some(response) => whole(&self.link, response).await,
                None => Err(self.link.gone()),
            },
            From::Events { .. } => Box::pin(self.next_event()).await,
        };
        self.finished = match &event {
            Ok(message) => matches!(message.envelope.kind, Shape::Response | Shape::Error),
            Err(_) => true,
        };
        Some(event)
    }

    async fn next_event(&mut self) -> Event {
        let Transport::Http(carrier) = self.link.transport() else { return Err(self.link.gone()) };
        let From::Events { events, last, wait, resumes, again, .. } = &mut self.from else {
            return Err(self.link.gone());
        };
        loop {
            if let Some(at) = *again {
                tokio::time::sleep_until(at).await;
                let response = carrier.get(&self.pool, last.as_ref()).await?;
                if response.status() != StatusCode::OK || media(response.headers()) != Media::Events {
                    return Err(carrier.endpoint.failure(
                        Kind::Broken,
                        Retry::MaybeSent,
                        "did not take up its stream again",
                    ));
                }
                *events = Events::new(response.into_body(), self.link.bound);
                *again = None;
            }
            let broken = match events.next(&carrier.endpoint).await {
                Ok(Some(event)) => {
                    if let Some(id) = event.id.filter(|id| !id.is_empty()) {
                        *last = Some(id);
                    }
                    if let Some(millis) = event.retry {
                        *wait = Duration::from_millis(millis).min(RESUME_AFTER_AT_MOST);
                    }
                    if event.data.is_empty() {
                        continue;
                    }
                    return read(&self.link, event.data);
                }
                Ok(None) => {
                    carrier.endpoint.failure(Kind::Broken, Retry::MaybeSent, "ended its stream without an answer")
                }
                Err(failure) => failure,
            };
            if self.link.era() == Era::Modern || last.is_none() || *resumes >= RESUMES {
                return Err(broken);
            }
            *resumes += 1;
            *again = Some(Instant::now() + *wait);
            self.pause.tell(*wait);
        }
    }
}

fn read(link: &Link, body: Bytes) -> Event {
    Message::parse(body, DEPTH).map_err(|fault| {
        let text = format!("server `{}` sent something that is no message", link.server());
        Failure::server(Kind::Protocol, link.server(), Retry::MaybeSent, text).with_detail(fault)
    })
}

async fn whole(link: &Link, response: Response<PooledBody>) -> Event {
    let Transport::Http(carrier) = link.transport() else { return Err(link.gone()) };
    if media(response.headers()) != Media::Json {
        return Err(Box::pin(carrier.refusal(response)).await);
    }
    let body = Limited::new(response.into_body(), link.bound).collect().await.map_err(|error| {
        let what = format!("broke off its answer, or sent one of more than {} bytes (bound: `message`)", link.bound);
        carrier.endpoint.failure(Kind::Broken, Retry::MaybeSent, &what).with_detail(error)
    })?;
    read(link, body.to_bytes())
}

impl Link {
    /// Makes a call of Hostler's own and waits for its answer. Other messages meanwhile are handed out as usual.
    ///
    /// # Errors
    /// Why there is no answer. An error answer of the server is an answer.
    pub async fn ask(
        self: &Arc<Self>,
        pool: &Arc<Pool>,
        out: Box<crate::message::Outgoing>,
    ) -> Result<Message, Failure> {
        let answer = self.call(pool, out, None).await?;
        let mut replies = Replies::new(self.clone(), pool.clone(), answer);
        while let Some(event) = replies.next().await {
            let message = event?;
            match message.envelope.kind {
                Shape::Response | Shape::Error => return Ok(message),
                Shape::Request | Shape::Notification => self.own_message(message),
            }
        }
        Err(self.gone())
    }
}

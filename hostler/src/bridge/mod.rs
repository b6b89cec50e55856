//! The bridge between a client that speaks over standard streams and the gateway's WebSocket: a line here is a text frame
//! there. The same for both eras.
//!
//! Survives the loss of the gateway: requests on their way are answered with an error, the connection is opened anew, and
//! a session is greeted anew with the client's own words. Never writes anything but messages to the client's stream.

mod ledger;

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc::{self, Permit},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, Utf8Bytes},
};
use wire::era::code;

use crate::{
    lines::{Line, Lines},
    reach::Socket,
};
use ledger::{Incoming, Ledger, Step};

/// Longest message, in bytes.
pub const MESSAGE: usize = 64 << 20;

/// While the gateway is away, requests wait this long before they are answered with an error.
const PATIENCE: Duration = Duration::from_secs(10);
/// First wait between attempts; it doubles.
const WAIT_FIRST: Duration = Duration::from_millis(100);
/// Longest wait between attempts.
const WAIT_LAST: Duration = Duration::from_secs(5);
/// A connection that lasted this long shows that all is well again.
const PROVEN: Duration = Duration::from_secs(10);
/// The gateway sends at least a ping every half a minute: this much silence means that it is gone.
const SILENCE: Duration = Duration::from_secs(90);
/// For the answer to a repeated handshake.
const GREETING: Duration = Duration::from_secs(30);
/// After the client's last line, for the answers still on their way.
const LINGER: Duration = Duration::from_secs(5);
/// For closing a connection, and for the client to take the last answers.
const FAREWELL: Duration = Duration::from_secs(2);
/// Messages between two tasks.
const QUEUE: usize = 16;
/// Bytes of lines that wait for the gateway, beyond one line.
const WAITING: usize = 16 << 20;

/// A connection to the gateway.
pub type WebSocket = WebSocketStream<Box<dyn Socket>>;

/// Opens a connection, or says why there is none.
pub type Dial = Arc<dyn Fn() -> Dialling + Send + Sync>;

/// An attempt to open a connection.
pub type Dialling = Pin<Box<dyn Future<Output = Result<WebSocket, String>> + Send>>;

/// A stream of the client's lines.
pub type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// The way back to the client.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Runs a bridge until the client is done.
///
/// `name` is the gateway's address for messages; `note` says something to people.
pub async fn run(reader: Reader, writer: Writer, dial: Dial, name: &str, note: fn(&str)) {
    let (out, outbox) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(write_lines(outbox, writer));
    let mut bridge = Bridge {
        lines: Lines::new(reader, MESSAGE),
        ended: None,
        out,
        dial,
        name: name.to_owned(),
        note,
        ledger: Ledger::default(),
        waiting: VecDeque::new(),
        wait: Duration::ZERO,
    };
    while let Some(socket) = bridge.away().await {
        match bridge.carry(socket).await {
            End::Lost(why) => bridge.lost(&why).await,
            End::Done => break,
        }
    }
    drop(bridge);
    let _ = timeout(FAREWELL, writing).await;
}

/// How a connection ended.
enum End {
    /// The gateway went away, for this reason.
    Lost(String),
    /// The client has nothing more to say or to hear.
    Done,
}

struct Bridge {
    lines: Lines<Reader>,
    /// When the client said its last.
    ended: Option<Instant>,
    out: mpsc::Sender<Bytes>,
    dial: Dial,
    name: String,
    note: fn(&str),
    ledger: Ledger,
    /// Lines that were read while the gateway was away.
    waiting: VecDeque<Bytes>,
    /// Before the next attempt to connect.
    wait: Duration,
}

impl Bridge {
    /// Waits for the gateway. Nothing when the client has ended before.
    async fn away(&mut self) -> Option<WebSocket> {
        let mut patient = true;
        let until = Instant::now() + PATIENCE;
        let mut why = String::new();
        let mut attempt = self.attempt();
        loop {
            tokio::select! {
                // A connection that is there is used for the lines that came with it.
                biased;
                tried = &mut attempt => match tried {
                    Ok(socket) => {
                        if !why.is_empty() {
                            (self.note)(&format!("connected to {}", self.name));
                        }
                        return Some(socket);
                    }
                    Err(reason) => {
                        if why.is_empty() {
                            (self.note)(&format!("waiting for the gateway at {}: {reason}", self.name));
                        }
                        why = reason;
                        self.back_off();
                        attempt = self.attempt();
                    }
                },
                () = sleep_until(until), if patient => {
                    patient = false;
                    (self.note)("the gateway is still away; requests are answered with an error until it is back");
                    for line in std::mem::take(&mut self.waiting) {
                        self.refuse(&line, &self.unreachable(&why)).await;
                    }
                    if self.ended.is_some() {
                        return None;
                    }
                }
                line = self.lines.next(), if self.ended.is_none() && self.has_room() => match line {
                    Ok(Some(Line::Text(line))) if patient => self.waiting.push_back(line),
                    Ok(Some(Line::Text(line))) => self.refuse(&line, &self.unreachable(&why)).await,
                    Ok(Some(Line::TooLong)) => self.refuse_too_long().await,
                    Ok(None) | Err(_) => {
                        self.ended = Some(Instant::now());
                        if self.waiting.is_empty() {
                            return None;
                        }
                    }
                },
            }
        }
    }

    fn attempt(&self) -> Dialling {
        let (dial, wait) = (self.dial.clone(), self.wait);
        Box::pin(async move {
            sleep(wait).await;
            dial().await
        })
    }

    fn back_off(&mut self) {
        self.wait = (self.wait * 2).clamp(WAIT_FIRST, WAIT_LAST);
    }

    fn has_room(&self) -> bool {
        self.waiting.iter().map(Bytes::len).sum::<usize>() < WAITING && self.waiting.len() < 1024
    }

    fn unreachable(&self, why: &str) -> String {
        format!("the Hostler gateway at {} cannot be used: {why}", self.name)
    }

    /// Carries messages both ways until either side ends.
    async fn carry(&mut self, socket: WebSocket) -> End {
        let begun = Instant::now();
        let (sink, mut frames) = socket.split();
        let (send, outbox) = mpsc::channel(QUEUE);
        let writing = tokio::spawn(write_frames(outbox, sink));
        let end = self.converse(&send, &mut frames).await;
        drop(send);
        let _ = timeout(FAREWELL, writing).await;
        if begun.elapsed() >= PROVEN {
            self.wait = Duration::ZERO;
        } else {
            self.back_off();
        }
        end
    }

    async fn converse(&mut self, send: &mpsc::Sender<Message>, frames: &mut SplitStream<WebSocket>) -> End {
        let mut heard = Instant::now();
        let mut patience = SILENCE;
        let mut greeting = false;
        if let Some(line) = self.ledger.repeat().and_then(frame) {
            // An empty channel has room.
            let _ = send.try_send(line);
            (greeting, patience) = (true, GREETING);
        }
        let out = self.out.clone();
        loop {
            let over = self.ended.filter(|_| self.waiting.is_empty() && !greeting);
            if over.is_some() && self.ledger.is_settled() {
                return End::Done;
            }
            tokio::select! {
                taken = next_frame(&out, frames) => match taken {
                    Taken::Frame(permit, bytes) => {
                        heard = Instant::now();
                        let Some(bytes) = bytes else { continue };
                        match self.ledger.incoming(&bytes) {
                            Incoming::HandOn => permit.send(wire::one_line(bytes)),
                            Incoming::Repeated { accepted: false } => return End::Lost("the session was refused".into()),
                            Incoming::Repeated { accepted: true } => {
                                (greeting, patience) = (false, SILENCE);
                                if let Some(line) = self.ledger.after_repeat().and_then(frame) {
                                    let _ = send.send(line).await;
                                }
                            }
                        }
                    }
                    Taken::Lost(why) => return End::Lost(why),
                    Taken::ClientGone => return End::Done,
                },
                line = next_line(send, &mut self.waiting, &mut self.lines), if !greeting && over.is_none() => match line {
                    Some((permit, Line::Text(line))) => self.send(permit, line).await,
                    Some((_, Line::TooLong)) => self.refuse_too_long().await,
                    None if send.is_closed() => return End::Lost("the connection broke".into()),
                    None => self.ended = Some(Instant::now()),
                },
                // While the client does not take what it was sent, the gateway is not listened to.
                () = sleep_until(heard + patience) => match out.capacity() {
                    0 => heard = Instant::now(),
                    _ => return End::Lost("it has been silent for too long".into()),
                },
                () = sleep_until(over.unwrap_or(heard) + LINGER), if over.is_some() => return End::Done,
            }
        }
    }

    async fn send(&mut self, permit: Permit<'_, Message>, line: Bytes) {
        let Some(message) = frame(line.clone()) else {
            let what = "not JSON: the message is not UTF-8";
            return self.answer(wire::build::error(None, code::PARSE, what, None, true)).await;
        };
        match self.ledger.outgoing(&line) {
            Step::Send => permit.send(message),
            Step::Drop => {}
            Step::Refuse => self.refuse(&line, "too many requests are waiting for their answers").await,
        }
    }

    /// Takes note of the loss of the gateway and tells the client what became of its requests.
    async fn lost(&mut self, why: &str) {
        (self.note)(&format!("lost the gateway at {}: {why}", self.name));
        let (open, again) = self.ledger.lost();
        let text = format!(
            "the connection to the Hostler gateway at {} was lost ({why}) before the answer came; the request may or may \
             not have been carried out",
            self.name
        );
        for id in open {
            self.answer(wire::build::error(Some(&id), code::INTERNAL, &text, None, false)).await;
        }
        if let Some(line) = again {
            self.waiting.push_front(line);
        }
    }

    /// Answers the requests in a line that is not sent.
    async fn refuse(&self, line: &[u8], why: &str) {
        for id in ledger::requests(line) {
            self.answer(wire::build::error(Some(&id), code::INTERNAL, why, None, false)).await;
        }
    }

    async fn refuse_too_long(&self) {
        let what = format!("the message is longer than {MESSAGE} bytes");
        self.answer(wire::build::error(None, code::INVALID_REQUEST, &what, None, true)).await;
    }

    async fn answer(&self, message: Vec<u8>) {
        // Fails only when the client no longer reads; then the end is near.
        let _ = self.out.send(message.into()).await;
    }
}

/// What came from the gateway, with room for it on the way to the client.
enum Taken<'a> {
    /// A frame; nothing if it is not for the client.
    Frame(Permit<'a, Bytes>, Option<Bytes>),
    Lost(String),
    ClientGone,
}

/// A frame is taken only when the client has room for it, so that neither direction waits for the other.
async fn next_frame<'a>(out: &'a mpsc::Sender<Bytes>, frames: &mut SplitStream<WebSocket>) -> Taken<'a> {
    let Ok(permit) = out.reserve().await else { return Taken::ClientGone };
    match frames.next().await {
        Some(Ok(Message::Text(text))) => Taken::Frame(permit, Some(text.into())),
        Some(Ok(Message::Binary(bytes))) => Taken::Frame(permit, Some(bytes)),
        Some(Ok(Message::Close(_))) | None => Taken::Lost("it closed the connection".to_owned()),
        Some(Ok(_)) => Taken::Frame(permit, None),
        Some(Err(error)) => Taken::Lost(error.to_string()),
    }
}

/// The next line of the client, with room for it on the way to the gateway; nothing at its end, or when that way is gone.
async fn next_line<'a>(
    send: &'a mpsc::Sender<Message>,
    waiting: &mut VecDeque<Bytes>,
    lines: &mut Lines<Reader>,
) -> Option<(Permit<'a, Message>, Line)> {
    let permit = send.reserve().await.ok()?;
    if let Some(line) = waiting.pop_front() {
        return Some((permit, Line::Text(line)));
    }
    Some((permit, lines.next().await.ok()??))
}

/// A line as a text frame, if it is text.
fn frame(line: Bytes) -> Option<Message> {
    Utf8Bytes::try_from(line).ok().map(Message::Text)
}

async fn write_frames(mut outbox: mpsc::Receiver<Message>, mut sink: SplitSink<WebSocket, Message>) {
    while let Some(message) = outbox.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

async fn write_lines(mut outbox: mpsc::Receiver<Bytes>, mut to: Writer) {
    while let Some(line) = outbox.recv().await {
        let written = async {
            to.write_all(&line).await?;
            to.write_all(b"\n").await?;
            to.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

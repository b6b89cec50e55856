//! What a shared stream hands to whom.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use wire::era::Era;

use super::*;

struct Stream {
    mux: Arc<Mux>,
    outbox: mpsc::Receiver<Pieces>,
}

impl Stream {
    fn new() -> Self {
        let (mux, outbox) = Mux::new(ServerName::new("shared").unwrap(), 64);
        Self { mux, outbox }
    }

    async fn call(&mut self, peer: Option<PeerId>, hears_log: bool) -> Exchange {
        self.call_of(None, peer, hears_log).await
    }

    async fn call_of(&mut self, owner: Option<u64>, peer: Option<PeerId>, hears_log: bool) -> Exchange {
        let body = r#"{"jsonrpc":"2.0","id":"theirs","method":"tools/call","params":{"name":"x"}}"#;
        let mut out = Outgoing::own(body, Era::Legacy).unwrap();
        (out.owner, out.hears_log) = (owner, hears_log);
        let exchange = self.mux.call(out, peer).await.unwrap();
        self.outbox.recv().await.unwrap();
        exchange
    }

    fn answer(&self, number: u64) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{}}}}"#);
        self.mux.answer(Message::parse(body.into(), DEPTH).unwrap());
    }

    fn says(&self, message: &'static str) -> Addressee {
        self.mux.attribute(&Message::parse(Bytes::from_static(message.as_bytes()), DEPTH).unwrap())
    }
}

const QUESTION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?"}}"#;
const LOG: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"secret"}}"#;

#[tokio::test(start_paused = true)]
async fn what_may_concern_a_call_that_was_given_up_reaches_no_other_caller() {
    let mut stream = Stream::new();
    let (alice, bob) = (PeerId::fresh(), PeerId::fresh());
    drop(stream.call(Some(alice), true).await);
    let mut bobs = stream.call(Some(bob), true).await;
    assert_eq!(stream.says(QUESTION), Addressee::Ambiguous);
    assert_eq!(stream.says(LOG), Addressee::Ambiguous);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(stream.says(QUESTION), Addressee::Taken);
    assert_eq!(bobs.next().await.unwrap().unwrap().method(), "elicitation/create");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_server_has_answered_or_that_was_the_same_sessions_stands_in_nobodys_way() {
    let mut stream = Stream::new();
    let (alice, bob) = (PeerId::fresh(), PeerId::fresh());
    let given_up = stream.call(Some(alice), true).await;
    stream.mux.cancel(given_up.number(), "enough");
    let _bobs = stream.call(Some(bob), true).await;
    assert_eq!(stream.says(QUESTION), Addressee::Ambiguous);
    stream.answer(given_up.number());
    assert_eq!(stream.says(QUESTION), Addressee::Taken);
    drop(stream.call(Some(bob), true).await);
    assert_eq!(stream.says(QUESTION), Addressee::Taken);
}

#[tokio::test(start_paused = true)]
async fn log_messages_reach_the_one_caller_who_hears_them_and_questions_pass_hosts_own_requests_by() {
    let mut stream = Stream::new();
    let session = PeerId::fresh();
    let _deaf = stream.call(Some(session), false).await;
    let mut asked_for_log = stream.call(None, true).await;
    let _own = stream.call(None, false).await;
    assert_eq!(stream.says(LOG), Addressee::Taken);
    assert_eq!(asked_for_log.next().await.unwrap().unwrap().method(), "notifications/message");
    let _other = stream.call(Some(PeerId::fresh()), true).await;
    assert_eq!(stream.says(LOG), Addressee::Ambiguous);
    let mut alone = Stream::new();
    let _own = alone.call(None, false).await;
    let _session = alone.call(Some(session), true).await;
    assert_eq!(alone.says(QUESTION), Addressee::Taken);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gave_a_call_up_goes_on_hearing_the_log_in_its_next_and_no_other_client_does() {
    let mut stream = Stream::new();
    drop(stream.call_of(Some(1), Some(PeerId::fresh()), true).await);
    let next = stream.call_of(Some(1), Some(PeerId::fresh()), true).await;
    assert_eq!(stream.says(LOG), Addressee::Taken);
    drop(next);
    let _others = stream.call_of(Some(2), Some(PeerId::fresh()), true).await;
    assert_eq!(stream.says(LOG), Addressee::Ambiguous);
}

#[tokio::test]
async fn at_the_end_of_the_stream_a_call_in_flight_may_have_been_acted_on_and_a_later_one_was_not() {
    let mut stream = Stream::new();
    let mut in_flight = stream.call(None, false).await;
    let name = ServerName::new("shared").unwrap();
    stream.mux.close(&Failure::server(Kind::Unavailable, &name, Retry::NeverSent, "has been stopped"));
    let failure = in_flight.next().await.unwrap().unwrap_err();
    assert_eq!(failure.retry(), Retry::MaybeSent);
    let out = Outgoing::own(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Era::Legacy).unwrap();
    let refused = stream.mux.call(out, None).await.err().unwrap();
    assert_eq!(refused.retry(), Retry::NeverSent);
}

#[tokio::test]
async fn a_call_in_flight_does_not_hold_its_large_body() {
    let mut stream = Stream::new();
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"tools/call","params":{{"name":"x","arguments":{{"a":"{}"}},"_meta":{{"progressToken":"t"}}}}}}"#,
        "x".repeat(100_000)
    );
    let body = Bytes::from(body);
    let out = Outgoing::own(body.clone(), Era::Legacy).unwrap();
    let _exchange = stream.mux.call(out, None).await.unwrap();
    drop(stream.outbox.recv().await.unwrap());
    assert!(body.is_unique());
}

//! Events out of bytes and into them, whatever the chunks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

type Outcome = (Vec<Event>, bool);

/// All events of a stream given in chunks, and whether it was refused.
fn decode_chunks<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Outcome {
    let mut decoder = Decoder::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

fn decode(stream: &str) -> Vec<Event> {
    let (events, refused) = decode_chunks([stream.as_bytes()], 1 << 20);
    assert!(!refused);
    events
}

fn event(data: &'static str) -> Event {
    Event { data: Bytes::from_static(data.as_bytes()), ..Event::default() }
}

#[test]
fn the_examples_of_the_specification_are_decoded() {
    assert_eq!(decode("data: YHOO\ndata: +2\ndata: 10\n\n"), [event("YHOO\n+2\n10")]);
    let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    let first = Event { id: Some("1".into()), ..event("first event") };
    let second = Event { id: Some(Bytes::new()), ..event("second event") };
    assert_eq!(decode(stream), [first, second, event(" third event")]);
    // The last one is not ended, so it is not an event.
    assert_eq!(decode("data\n\ndata\ndata\n\ndata:"), [event(""), event("\n")]);
    assert_eq!(decode("data:test\n\ndata: test\n\n"), [event("test"), event("test")]);
}

#[test]
fn all_line_ends_are_known() {
    for end in ["\n", "\r\n", "\r"] {
        let stream = ["event: a", "data: 1", "data: 2", "", "data: 3", "", ""].join(end);
        let first = Event { name: Some("a".into()), ..event("1\n2") };
        assert_eq!(decode(&stream), [first, event("3")], "{end:?}");
    }
    assert_eq!(decode("data: 1\r\r\ndata: 2\n\r\n"), [event("1"), event("2")]);
}

#[test]
fn a_byte_order_mark_at_the_start_is_skipped_and_only_there() {
    assert_eq!(decode("\u{feff}data: 1\n\n\u{feff}data: 2\n\n"), [event("1")]);
    assert!(!decode_chunks("\u{feff}id: 1\n\n".bytes().collect::<Vec<_>>().chunks(1), 5).1, "it does not count");
    assert_eq!(decode("\u{feff}\ndata: 1\n\n"), [event("1")]);
}

#[test]
fn id_name_and_retry_are_told() {
    let stream = "id: 7\nevent: message\nretry: 1500\ndata: x\n\n";
    let all = Event { id: Some("7".into()), name: Some("message".into()), retry: Some(1500), ..event("x") };
    assert_eq!(decode(stream), [all]);
    assert_eq!(decode("data: x\nevent:\n\n"), [event("x")], "an empty name is no name");
    assert_eq!(decode("id: a\0b\ndata: x\n\n"), [event("x")], "an id with NUL is ignored");
    for retry in ["-1", "1.5", "", "abc", "1 ", "99999999999999999999999"] {
        assert_eq!(decode(&format!("retry: {retry}\ndata: x\n\n")), [event("x")], "{retry:?}");
    }
}

#[test]
fn an_event_without_data_is_delivered_when_resuming_needs_it() {
    assert_eq!(decode("id: 1\n\n"), [Event { id: Some("1".into()), ..Event::default() }]);
    assert_eq!(decode("id: 1\ndata:\n\n"), [Event { id: Some("1".into()), ..Event::default() }]);
    assert_eq!(decode("retry: 5\n\n"), [Event { retry: Some(5), ..Event::default() }]);
    assert_eq!(decode("event: ping\n\n"), []);
    assert_eq!(decode(": keep-alive\n\n\n\nunknown: x\nDATA: x\n data: x\n\n"), []);
    assert_eq!(decode("event: ping\n\ndata: x\n\n"), [event("x")], "the name is forgotten with its event");
}

#[test]
fn data_on_one_line_of_one_chunk_is_not_copied() {
    let chunk = Bytes::from(b"id: 1\ndata: {\"a\":1}\n\ndata: second\n\n".to_vec());
    let mut decoder = Decoder::new(100);
    decoder.feed(chunk.clone());
    for place in [12, 27] {
        let data = decoder.next().unwrap().unwrap().data;
        assert_eq!(data.as_ptr(), chunk[place..].as_ptr());
    }
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn a_chunk_fed_too_early_is_not_lost() {
    let mut decoder = Decoder::new(100);
    for chunk in ["data: 1\n", "\ndata:", " 2\n\n"] {
        decoder.feed(Bytes::from_static(chunk.as_bytes()));
    }
    assert_eq!(decoder.next(), Ok(Some(event("1"))));
    assert_eq!(decoder.next(), Ok(Some(event("2"))));
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn an_event_beyond_the_limit_is_refused_for_good() {
    let fits = |stream: &str| !decode_chunks([stream.as_bytes()], 20).1;
    assert!(fits(&format!("data: {}\n\n", "x".repeat(14))));
    assert!(!fits(&format!("data: {}\n\n", "x".repeat(15))));
    assert!(!fits(&format!("data: {}", "x".repeat(15))), "before its line has ended");
    assert!(!fits("data: 12345\ndata: 12345\n\n"), "in several lines");
    assert!(!fits(&format!(":{}\n", "x".repeat(20))), "a comment");
    assert!(fits(&": keep-alive\n".repeat(100)), "short comments may go on for ever");
    assert!(fits(&"data: 123456\n\n".repeat(100)), "each event counts for itself");
    let mut decoder = Decoder::new(3);
    decoder.feed(Bytes::from_static(b"data: 1\n\n"));
    assert_eq!(decoder.next(), Err(TooLarge { limit: 3 }));
    decoder.feed(Bytes::from_static(b"\n\n"));
    assert_eq!(decoder.next(), Err(TooLarge { limit: 3 }));
}

#[test]
fn what_is_kept_of_an_endless_line_is_bounded() {
    let mut decoder = Decoder::new(1000);
    decoder.feed(Bytes::from(vec![b'x'; 1 << 20]));
    assert!(decoder.next().is_err());
    assert!(decoder.partial.len() <= 1004);
}

#[test]
fn an_event_is_written() {
    let mut out = Vec::new();
    encode(Some("s/7"), Some("message"), b"{}", &mut out);
    encode(None, None, b"a\r\nb\nc\rd\r\n", &mut out);
    encode(Some("1"), None, b"", &mut out);
    let expected =
        "id: s/7\nevent: message\ndata: {}\n\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\nid: 1\ndata: \n\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn ids_and_names_cannot_break_out_of_their_line() {
    let mut out = Vec::new();
    encode(Some("1\n\ndata: evil\r\n\0"), Some("a\r\ndata: evil"), b"good", &mut out);
    let events = decode(std::str::from_utf8(&out).unwrap());
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data, "good");
}

#[test]
fn pieces_are_shared_unless_they_must_be_rewritten() {
    let data = [Bytes::from(b"{\"a\":".to_vec()), Bytes::from(b"1}".to_vec())];
    let pieces = encode_pieces(Some("1"), None, data.clone());
    assert_eq!(pieces.concat(), b"id: 1\ndata: {\"a\":1}\n\n");
    assert_eq!(pieces[1].as_ptr(), data[0].as_ptr());
    assert_eq!(pieces[2].as_ptr(), data[1].as_ptr());
    let broken = [Bytes::from_static(b"a\r"), Bytes::from_static(b"\nb")];
    assert_eq!(
        encode_pieces(None, None, broken).concat(),
        b"data: a\ndata: b\n\n",
        "a line break across pieces is one"
    );
}

/// Streams that are mostly lines of events.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "data: ",
        "data:",
        "data",
        "id: 1",
        "id:",
        "event: e",
        "retry: 10",
        "retry: x",
        ":",
        ": c",
        "x",
        " ",
        "\n",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\u{feff}",
        "{\"a\":1}",
        "é",
        "\0",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

/// What the standard says, line by line over the whole stream.
fn naive(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let text = String::from_utf8(stream.to_vec()).unwrap().replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut data, mut now) = (Vec::new(), None::<String>, Event::default());
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            let keep = data.is_some() || now.id.is_some() || now.retry.is_some();
            now.data = data.take().unwrap_or_default().into();
            let ended = std::mem::take(&mut now);
            events.extend(keep.then_some(ended));
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => data = Some(data.map_or(value.to_owned(), |before| format!("{before}\n{value}"))),
            "id" if !value.contains('\0') => now.id = Some(value.to_owned().into()),
            "event" => now.name = (!value.is_empty()).then(|| value.to_owned().into()),
            "retry" if value.bytes().all(|b| b.is_ascii_digit()) => now.retry = value.parse().ok().or(now.retry),
            _ => {}
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decoding_follows_the_standard(stream in stream()) {
        prop_assert_eq!(decode_chunks([&stream[..]], 1 << 20), (naive(&stream), false));
    }

    #[test]
    fn chunks_make_no_difference(stream in stream(), size in 1..9usize, limit in prop_oneof![Just(1 << 20), 0..40usize]) {
        let whole = decode_chunks([&stream[..]], limit);
        prop_assert_eq!(&decode_chunks(stream.chunks(size), limit), &whole);
        let mut early = Decoder::new(limit);
        stream.chunks(size).for_each(|chunk| early.feed(Bytes::copy_from_slice(chunk)));
        let mut events = Vec::new();
        let refused = loop {
            match early.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        prop_assert_eq!((events, refused), whole);
    }

    #[test]
    fn decoding_what_was_encoded_gives_it_back(
        events in prop::collection::vec((prop::option::of("[^\r\n\0]{0,9}"), prop::option::of("[^\r\n\0]{1,9}"), ".{0,30}|[ :\ra\n]{0,12}"), 0..5),
        size in 1..50usize,
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (id, name, data) in &events {
            encode(id.as_deref(), name.as_deref(), data.as_bytes(), &mut stream);
            let normal = data.replace("\r\n", "\n").replace('\r', "\n");
            let (id, name) = (id.clone().map(Bytes::from), name.clone().map(Bytes::from));
            expected.push(Event { data: normal.into(), id, name, retry: None });
        }
        prop_assert_eq!(decode_chunks(stream.chunks(size), 1 << 20), (expected, false));
    }

    #[test]
    fn pieces_make_no_difference(data in prop::collection::vec("[a-c\r\n ]{0,4}", 0..5)) {
        let mut whole = Vec::new();
        encode(Some("i"), Some("e"), data.concat().as_bytes(), &mut whole);
        let pieces = encode_pieces(Some("i"), Some("e"), data.into_iter().map(Bytes::from));
        prop_assert_eq!(pieces.concat(), whole);
    }
}

//! A blocking HTTP/1.1 client of a few lines, for tests that want to see the very bytes of an answer.
//!
//! One connection per request, no redirects, no TLS. Never part of a measurement.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// Reads and writes that take longer fail the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Status code; 0 when the connection ended before there was one.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without the framing of chunks.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the first header field of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{} {text}: {error}", self.status))
    }
}

/// An answer whose body is read event by event.
pub struct Stream {
    /// Status code; 0 when the connection ended before there was one.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    body: Body,
    pending: Vec<u8>,
}

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `event` field.
    pub name: Option<String>,
    /// `id` field.
    pub id: Option<String>,
    /// `retry` field, in milliseconds.
    pub retry: Option<u64>,
    /// `data` lines, joined.
    pub data: String,
}

impl Event {
    /// The data as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{}: {error}", self.data))
    }
}

impl Stream {
    /// The value of the first header field of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The next event; nothing at the end of the stream.
    pub fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.pending.split_off(end + 2);
                let raw = std::mem::replace(&mut self.pending, rest);
                return Some(parse_event(&String::from_utf8_lossy(&raw)));
            }
            let piece = self.body.piece()?;
            self.pending.extend(piece);
        }
    }
}

/// GET.
///
/// # Panics
/// When the server cannot be reached.
pub fn get(url: &str) -> Answer {
    send("GET", url, &[], b"")
}

/// Sends a request and reads the whole answer.
///
/// # Panics
/// When the server cannot be reached.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = open(method, url, headers, body);
    let mut whole = Vec::new();
    while let Some(piece) = stream.body.piece() {
        whole.extend(piece);
    }
    Answer { status: stream.status, headers: stream.headers, body: whole }
}

/// Sends a request and returns as soon as the answer's headers are there.
///
/// # Panics
/// When the server cannot be reached.
pub fn open(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Stream {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let mut connection = TcpStream::connect(host).unwrap_or_else(|error| panic!("cannot connect to {host}: {error}"));
    let _ = connection.set_read_timeout(Some(PATIENCE));
    let _ = connection.set_write_timeout(Some(PATIENCE));
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" || method == "PUT" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    // A server may refuse before it has read everything; its answer counts, not the failed write.
    let _ = connection.write_all(&[head.as_bytes(), body].concat());
    read_head(BufReader::new(connection))
}

fn read_head(mut reader: BufReader<TcpStream>) -> Stream {
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(n) if n > 2 => {
                let (name, value) = line.trim_end().split_once(':').unwrap_or_default();
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
            _ => break,
        }
    }
    let chunked = header(&headers, "transfer-encoding") == Some("chunked");
    let left = match header(&headers, "content-length").and_then(|length| length.parse().ok()) {
        _ if chunked => Left::Chunks,
        Some(length) => Left::Bytes(length),
        None if matches!(status, 0 | 202 | 204) => Left::Bytes(0),
        None => Left::Everything,
    };
    Stream { status, headers, body: Body { reader, left }, pending: Vec::new() }
}

/// What is still to come of a body.
enum Left {
    Bytes(usize),
    Chunks,
    Everything,
}

struct Body {
    reader: BufReader<TcpStream>,
    left: Left,
}

impl Body {
    /// The next piece of the body; nothing at its end, or when the connection breaks.
    fn piece(&mut self) -> Option<Vec<u8>> {
        let wanted = match &mut self.left {
            Left::Bytes(0) => return None,
            Left::Bytes(left) => *left,
            Left::Everything => 1 << 16,
            Left::Chunks => return self.chunk(),
        };
        let mut piece = vec![0; wanted.min(1 << 16)];
        let n = self.reader.read(&mut piece).ok().filter(|n| *n > 0)?;
        piece.truncate(n);
        if let Left::Bytes(left) = &mut self.left {
            *left -= n;
        }
        Some(piece)
    }

    fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok().filter(|size| *size > 0)?;
        let mut piece = vec![0; size];
        self.reader.read_exact(&mut piece).ok()?;
        self.reader.read_line(&mut line).ok()?;
        Some(piece)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

fn parse_event(raw: &str) -> Event {
    let mut event = Event::default();
    let mut data: Vec<&str> = Vec::new();
    for line in raw.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = value.parse().ok(),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_field_by_field() {
        let event = parse_event(": comment\nid: 7-1\nevent: message\nretry: 50\ndata: a\ndata:b\n\n");
        let expected =
            Event { name: Some("message".into()), id: Some("7-1".into()), retry: Some(50), data: "a\nb".into() };
        assert_eq!(event, expected);
    }
}

//! One keep-alive connection of the load: ready bytes out, the least parsing that tells a right answer from a wrong one.
//!
//! Never a general HTTP client: it must cost much less than what it measures.

use anyhow::{Context as _, Result, bail, ensure};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::script::{Script, text};
use testkit::protocol::Era;

/// Bytes asked from the system at once.
const PIECE: usize = 16 << 10;
/// Largest answer taken, in bytes.
const LARGEST: usize = 1 << 20;

/// A connection and what was read from it.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    text: memmem::Finder<'static>,
}

/// Where in the buffer an answer lies.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: usize,
    /// End of the whole answer.
    end: usize,
}

impl Client {
    /// Connects and, in the legacy era, makes a session. Gives back the session's id, empty in the modern era.
    ///
    /// # Errors
    /// When the server is not there or refuses.
    pub async fn connect(script: &Script) -> Result<(Self, String)> {
        let stream = TcpStream::connect(script.address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let text = memmem::Finder::new(&text()).into_owned();
        let mut client = Self { stream, buffer: Vec::with_capacity(PIECE), text };
        if script.era == Era::Modern {
            return Ok((client, String::new()));
        }
        let answer = client.exchange(&script.initialize()).await?;
        ensure!(answer.status == 200, "initialize: status {}", answer.status);
        let head = String::from_utf8_lossy(&client.buffer[..answer.head]).into_owned();
        let session = value(head.as_bytes(), b"mcp-session-id").map(|id| String::from_utf8_lossy(id).into_owned());
        let session = session.unwrap_or_default();
        let answer = client.exchange(&script.initialized(&session)).await?;
        ensure!(answer.status == 202, "notifications/initialized: status {}", answer.status);
        Ok((client, session))
    }

    /// Sends a call and checks its answer: status 200, the call's id, the text that was sent, no error.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not right.
    pub async fn call(&mut self, request: &[u8], id: u64) -> Result<()> {
        let answer = self.exchange(request).await?;
        let body = &self.buffer[answer.head..answer.end];
        let mut digits = [0; 10];
        let right = answer.status == 200
            && self.text.find(body).is_some()
            && memmem::find(body, spell(id, &mut digits)).is_some()
            && memmem::find(body, b"\"error\":{").is_none();
        if !right {
            bail!("status {}: {}", answer.status, String::from_utf8_lossy(&body[..body.len().min(300)]));
        }
        Ok(())
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.buffer.clear();
        self.stream.write_all(request).await.context("write")?;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.context("read")?;
            ensure!(read > 0, "the server closed the connection");
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
            ensure!(self.buffer.len() < LARGEST, "the answer has no end");
            self.buffer.reserve(PIECE);
        }
    }
}

/// Finds the end of an answer; nothing while it is not all there.
fn parse(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(head) = memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let status = bytes.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    let status = status.context("no status line")?;
    let fields = &bytes[..head];
    let end = if let Some(length) = value(fields, b"content-length") {
        head + std::str::from_utf8(length)?.parse::<usize>()?
    } else if value(fields, b"transfer-encoding").is_some() {
        match chunks_end(&bytes[head..])? {
            Some(end) => head + end,
            None => return Ok(None),
        }
    } else {
        ensure!(matches!(status, 202 | 204), "an answer without a length");
        head
    };
    Ok((bytes.len() >= end).then_some(Answer { status, head, end }))
}

/// The value of a header field, its name in lower case.
fn value<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\n', &head[at..]).map(|n| at + n + 1) {
        let line = &head[next..];
        if line.len() > name.len() && line[name.len()] == b':' && line[..name.len()].eq_ignore_ascii_case(name) {
            let end = memchr::memchr(b'\r', line)?;
            return Some(line[name.len() + 1..end].trim_ascii());
        }
        at = next;
    }
    None
}

/// Where the last chunk ends; nothing while it is not there.
fn chunks_end(body: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some(line) = memmem::find(&body[at..], b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&body[at..at + line])?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        at += line + 2 + size + 2;
        if at > body.len() {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

/// The ten digits of an id.
fn spell(mut id: u64, digits: &mut [u8; 10]) -> &[u8] {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (id % 10) as u8;
        id /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let bytes = b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(parse(bytes).unwrap(), Some(Answer { status: 200, head: bytes.len() - 5, end: bytes.len() }));
        assert_eq!(parse(&bytes[..bytes.len() - 1]).unwrap(), None);
        assert_eq!(parse(&bytes[..20]).unwrap(), None);
    }

    #[test]
    fn an_answer_in_chunks_ends_after_the_empty_one() {
        let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        assert_eq!(parse(bytes).unwrap().unwrap().end, bytes.len());
        for cut in 1..16 {
            assert_eq!(parse(&bytes[..bytes.len() - cut]).unwrap(), None, "{cut} short");
        }
    }

    #[test]
    fn an_accepted_notification_needs_no_length_and_an_answer_does() {
        assert_eq!(parse(b"HTTP/1.1 202 Accepted\r\n\r\n").unwrap().unwrap().status, 202);
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}

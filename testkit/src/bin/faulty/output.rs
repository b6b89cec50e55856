//! The way out: stdout, one message a line, spoiled as the options say.
//!
//! Everything that is written goes through here under one lock, so that lines of different threads never mix.

use std::{
    io::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::value::RawValue;
use testkit::protocol::{Outcome, response};

use crate::options::Options;

/// Stdout, and what is wrong with it.
pub struct Output {
    stdout: Mutex<std::io::Stdout>,
    garbage: bool,
    twice: bool,
    unknown_id: bool,
    wrong_jsonrpc: bool,
}

impl Output {
    pub fn new(options: &Options) -> Self {
        Self {
            stdout: Mutex::new(std::io::stdout()),
            garbage: options.garbage_on_stdout,
            twice: options.answer_twice,
            unknown_id: options.unknown_id,
            wrong_jsonrpc: options.wrong_jsonrpc,
        }
    }

    /// What some servers print before they serve.
    pub fn greet(&self) {
        if self.garbage {
            write(&mut self.lock(), b"Server running on stdio\n");
        }
    }

    /// Answers a request.
    pub fn respond(&self, id: &RawValue, outcome: &Outcome) {
        let mut line = response(id, outcome);
        if self.wrong_jsonrpc {
            line = line.replacen(r#""jsonrpc":"2.0""#, r#""jsonrpc":"1.0""#, 1);
        }
        line.push('\n');
        let mut stdout = self.lock();
        if self.garbage {
            write(&mut stdout, b"{\"jsonrpc\":\"2.0\",\"id\":\n\xff\xfe\x00 no text\n[]\n42\n\n");
        }
        if self.unknown_id {
            write(&mut stdout, b"{\"jsonrpc\":\"2.0\",\"id\":\"never-asked\",\"result\":{}}\n");
        }
        for _ in 0..if self.twice { 2 } else { 1 } {
            write(&mut stdout, line.as_bytes());
        }
    }

    /// Sends a notification or a request.
    pub fn send(&self, message: &str) {
        let mut stdout = self.lock();
        write(&mut stdout, format!("{message}\n").as_bytes());
    }

    /// Begins a line that never ends, and keeps stdout to itself for ever after.
    pub fn never_end(&self, id: &RawValue, bytes: usize) -> ! {
        let mut stdout = self.lock();
        write(
            &mut stdout,
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#).as_bytes(),
        );
        let piece = [b'x'; 1 << 14];
        let mut left = bytes;
        while left > 0 {
            let n = left.min(piece.len());
            write(&mut stdout, &piece[..n]);
            left -= n;
        }
        loop {
            std::thread::park();
        }
    }

    fn lock(&self) -> MutexGuard<'_, std::io::Stdout> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader that went away is noticed at the end of stdin, not here.
fn write(stdout: &mut std::io::Stdout, bytes: &[u8]) {
    let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
}

//! Drives a program over its standard streams, message by message: the test's side of a stdio server.
//!
//! Never leaves its program behind: dropping it kills and reaps it (its own children are the test's concern).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// Lines kept for a test that is not reading.
const KEPT_LINES: usize = 1024;
/// How long [`Pipe::request`] and [`Pipe::message`] wait before they call it a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program and its streams.
pub struct Pipe {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    next_id: u64,
}

impl Pipe {
    /// Starts the program. Its stderr is discarded unless the command says otherwise.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (sender, lines) = sync_channel(KEPT_LINES);
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                loop {
                    let mut line = Vec::new();
                    match stdout.read_until(b'\n', &mut line) {
                        Ok(0) | Err(_) => return,
                        Ok(_) if sender.send(line).is_err() => return,
                        Ok(_) => {}
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        Self { child, stdin, lines, next_id: 1 }
    }

    /// Starts `faulty` with these arguments, its stderr discarded.
    pub fn faulty(arguments: &[&str]) -> Self {
        Self::start(Command::new(crate::program("faulty")).args(arguments).stderr(Stdio::null()))
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line as it is. A program that is gone is no failure here: the answer will be missing.
    pub fn send_line(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{line}");
        }
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string());
    }

    /// The next line, without its end; nothing when none came in time or the stream has ended.
    pub fn line(&mut self, patience: Duration) -> Option<Vec<u8>> {
        match self.lines.recv_timeout(patience) {
            Ok(mut line) => {
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                Some(line)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes in time, or it is no JSON.
    pub fn message(&mut self) -> Value {
        let line = self.line(PATIENCE).unwrap_or_else(|| panic!("no message came"));
        let text = String::from_utf8_lossy(&line);
        serde_json::from_slice(&line).unwrap_or_else(|error| panic!("no message: {text}: {error}"))
    }

    /// Sends a request and returns the response, with what came before it.
    ///
    /// # Panics
    /// When no response comes in time.
    pub fn request(&mut self, method: &str, params: Value) -> (Value, Vec<Value>) {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let mut before = Vec::new();
        loop {
            let message = self.message();
            if message["id"] == id && message.get("method").is_none() {
                return (message, before);
            }
            before.push(message);
        }
    }

    /// Calls a tool in the legacy era and returns the `result`.
    ///
    /// # Panics
    /// When no result comes.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let (response, _) = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(response.get("result").is_some(), "{response}");
        response["result"].clone()
    }

    /// Closes the program's stdin, the first step of an orderly stop.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Waits for the program to end by itself.
    ///
    /// # Panics
    /// When the system refuses to say.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap_or_else(|error| panic!("cannot wait: {error}"))
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

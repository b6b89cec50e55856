//! The slow tool: counts down in steps, reports its progress, and can be cancelled by dropping it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::sleep};

use super::{
    message::{Level, Object, Request, notification},
    session,
    tools::structured_too,
};

/// Most steps of one countdown.
const STEPS: u64 = 100;
/// Longest countdown, in seconds.
const SECONDS: f64 = 600.0;

/// A countdown that has been asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Countdown {
    steps: u64,
    seconds: f64,
}

/// The tool as it is listed.
pub(super) fn tool() -> Value {
    json!({
        "name": "countdown",
        "title": "Countdown",
        "description": "Counts down slowly, reporting its progress after each step.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "steps": {
                    "type": "integer", "minimum": 1, "maximum": STEPS, "default": 5,
                    "description": "How many steps",
                },
                "seconds": {
                    "type": "number", "minimum": 0, "maximum": SECONDS, "default": 5,
                    "description": "How long all steps take together",
                },
            },
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": { "steps": { "type": "integer" }, "seconds": { "type": "number" } },
            "required": ["steps", "seconds"],
        },
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    })
}

impl Countdown {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence.
    pub(super) fn read(arguments: &Object) -> Result<Self, String> {
        let steps = match arguments.get("steps") {
            None => Some(5),
            // 3.0 is an integer too (JSON Schema 2020-12, "integer").
            Some(steps) => steps.as_u64().or_else(|| steps.as_f64().filter(|s| s.fract() == 0.0).map(|s| s as u64)),
        };
        let steps = steps.filter(|steps| (1..=STEPS).contains(steps));
        let seconds = arguments.get("seconds").map_or(Some(5.0), Value::as_f64);
        let seconds = seconds.filter(|seconds| (0.0..=SECONDS).contains(seconds));
        Ok(Self {
            steps: steps.ok_or_else(|| format!("`steps` must be an integer from 1 to {STEPS}"))?,
            seconds: seconds.ok_or_else(|| format!("`seconds` must be a number from 0 to {SECONDS}"))?,
        })
    }

    /// Counts down and answers the request.
    pub(super) async fn run(self, request: Request, out: mpsc::Sender<Bytes>) {
        let Self { steps, seconds } = self;
        let step = Duration::from_secs_f64(seconds / steps as f64);
        log(&request, &out, Level::INFO, format!("counting down from {steps}")).await;
        for done in 1..=steps {
            sleep(step).await;
            let left = steps - done;
            log(&request, &out, Level::DEBUG, format!("{left} left")).await;
            if let Some(token) = &request.progress {
                let message = if left == 0 { "lift-off".to_owned() } else { format!("{left} to go") };
                let params = json!({ "progressToken": token, "progress": done, "total": steps, "message": message });
                session::send(&out, &notification("notifications/progress", params, None)).await;
            }
        }
        let sentence = format!("Counted down {steps} steps in {seconds} seconds.");
        let outcome = structured_too(&sentence, json!({ "steps": steps, "seconds": seconds }));
        session::send(&out, &request.answer(outcome)).await;
    }
}

async fn log(request: &Request, out: &mpsc::Sender<Bytes>, level: Level, what: String) {
    if request.level.is_some_and(|wanted| level >= wanted) {
        let params = json!({ "level": level.word(), "logger": "countdown", "data": what });
        session::send(out, &notification("notifications/message", params, None)).await;
    }
}

//! The tools that may run on after their answer (SEP-2663, the Tasks extension).
//!
//! Never makes a task for a client that did not say that it knows tasks.

use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CreateTaskResult, InputRequest,
    },
    service::RequestContext,
    task_manager::{TaskContext, TaskExit, TaskOptions},
};
use serde_json::{Value, json};

use crate::{
    calls::said,
    questions,
    rounds::{self, Known},
    server::{Reference, complete, typed},
};

/// Long enough that a client sees the task at work.
const WHILE: Duration = Duration::from_millis(1000);
/// The longest that `slow_compute` takes, in seconds.
const LONGEST: f64 = 3600.0;

/// Tools that cannot answer other than by a task.
const ALWAYS: [&str; 4] = ["failing_job", "confirm_delete", "multi_input", "test_tool_with_task"];

/// What a task does.
enum Job {
    Compute { time: Duration, label: String },
    Fail,
    Break,
    Confirm(String),
    AskTwice,
    Greet(String),
}

/// Answers a call of a tool of this kind; nothing for the others.
///
/// # Errors
/// -32021 when the tool is always a task and the client does not know tasks.
pub async fn call(
    server: &Reference,
    call: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResponse>, ErrorData> {
    let arguments = json!(call.arguments);
    let text = |name: &str, otherwise: &str| arguments[name].as_str().unwrap_or(otherwise).to_owned();
    let knows_tasks = context.client_capabilities().is_some_and(|declared| declared.supports_tasks());
    if ALWAYS.contains(&call.name.as_ref()) && !knows_tasks {
        let needed = ClientCapabilities::builder().enable_tasks().build();
        return Err(ErrorData::missing_required_client_capability(needed));
    }
    let job = match call.name.as_ref() {
        "greet" => return said(&format!("Hello, {}!", text("name", ""))).map(|result| Some(result.into())),
        "slow_compute" => {
            let seconds = arguments["seconds"].as_f64().unwrap_or(1.0).clamp(0.0, LONGEST);
            Job::Compute { time: Duration::from_secs_f64(seconds), label: text("label", "slow_compute") }
        }
        "failing_job" => Job::Fail,
        "protocol_error_job" => Job::Break,
        "confirm_delete" => Job::Confirm(text("filename", "a file")),
        "multi_input" => Job::AskTwice,
        "test_tool_with_task" => match questions::of_tool(&call.name, &arguments) {
            Some(asking) => match rounds::ask(server, asking, call, context).await? {
                Known::NotYet(result) => return Ok(Some(result.into())),
                Known::All(answers) => Job::Greet(questions::name_in(&answers).to_owned()),
            },
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if !knows_tasks {
        return job.run(None).await.map(|result| Some(result.into())).map_err(broken);
    }
    let task = server.shared.tasks.spawn(TaskOptions::default(), |task| Box::pin(job.run(Some(task))));
    Ok(Some(CreateTaskResult::new(task).into()))
}

fn broken(exit: TaskExit) -> ErrorData {
    match exit {
        TaskExit::Error(error) => error,
        TaskExit::Cancelled => ErrorData::internal_error("cancelled", None),
    }
}

impl Job {
    /// `task` is nothing when the caller waits for the answer.
    async fn run(self, task: Option<TaskContext>) -> Result<CallToolResult, TaskExit> {
        Ok(match self {
            Self::Compute { time, label } => {
                pause(time, task.as_ref()).await?;
                said(&format!("{label}: done after {} s", time.as_secs_f64()))?
            }
            Self::Fail => {
                pause(WHILE, task.as_ref()).await?;
                let text = json!({ "type": "text", "text": "The job failed, as it always does." });
                complete(json!({ "content": [text], "isError": true }))?
            }
            Self::Break => {
                pause(WHILE, task.as_ref()).await?;
                return Err(ErrorData::internal_error("the job broke, as it always does", None).into());
            }
            Self::Confirm(file) => {
                let question = questions::yes_or_no(&format!("Delete {file}?"), "confirm");
                let answer = ask(task.as_ref(), "confirm", question).await?;
                said(&format!("{file}: {}", answer["content"]["confirm"]))?
            }
            Self::AskTwice => {
                let question = |key: &'static str| ask(task.as_ref(), key, questions::form("Which value?", "value"));
                let (first, second) = (question("first"), question("second"));
                let (first, second) = tokio::try_join!(first, second)?;
                said(&format!("{} and {}", first["content"]["value"], second["content"]["value"]))?
            }
            Self::Greet(name) => {
                pause(WHILE, task.as_ref()).await?;
                said(&format!("Hello, {name}!"))?
            }
        })
    }
}

/// Waits, unless the client cancels.
async fn pause(time: Duration, task: Option<&TaskContext>) -> Result<(), TaskExit> {
    let cancelled = async {
        match task {
            Some(task) => task.cancelled().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = cancelled => Err(TaskExit::Cancelled),
        () = tokio::time::sleep(time) => Ok(()),
    }
}

async fn ask(task: Option<&TaskContext>, key: &str, question: Value) -> Result<Value, TaskExit> {
    let question: InputRequest = typed(question)?;
    match task {
        Some(task) => task.request_input(key, question).await,
        None => Err(ErrorData::internal_error("only a task can ask", None).into()),
    }
}

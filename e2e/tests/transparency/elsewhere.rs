//! What passes beside the calls of the two plain endpoints.
//!
//! Never allows for anything but the documented splices.

use serde_json::json;

use crate::{
    JSON,
    message::{Era, MARK},
    stage::{Arrived, Stage, VIEWS, View, arrived, forget, is_message, prepare, same},
    web,
};

#[tokio::test]
async fn parameters_and_meta_that_are_null_pass_as_they_are() {
    let web = web(Era::Legacy);
    let stage = Stage::http(&web, Era::Legacy, VIEWS[0]).await;
    let caller = stage.caller(View::Untouched).await;
    let answer = r#"{"result":{"_meta": null,"prompts":[]},"jsonrpc":"2.0","id":"@id@"}"#;
    prepare(&web, "prompts/list", "", JSON, answer.as_bytes());
    prepare(&web, "tools/call", "", JSON, answer.as_bytes());
    for (method, params) in [
        ("prompts/list", json!(null)),
        ("prompts/list", json!({ "_meta": null })),
        ("tools/call", json!({ "name": "echo", "_meta": null, "arguments": null })),
    ] {
        forget(&web);
        let sent = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"n\",\"method\":\"{method}\",\"params\":{params} ,{MARK}:\"null\"}}"
        );
        let got = caller.ask(method, "", sent.clone()).send().await.unwrap();
        is_message(&sent, &got, 200);
        same(&sent, &got.bytes().await, answer.replace("@id@", "n").as_bytes());
        let came = arrived(&web).into_iter().find(Arrived::is_ours).expect("the request arrived");
        same("the server", &came.body, sent.as_bytes());
    }
}

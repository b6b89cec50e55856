//! The gateway's administration API, read. Never changes anything there.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::reach::{Events, Gateway, Trouble, is_stream, refusal, whole};

/// Reads a document.
///
/// # Errors
/// When there is none, or it is not what was expected.
pub async fn read<T: DeserializeOwned>(gateway: &Gateway, path: &str) -> Result<T, Trouble> {
    let body = whole(get(gateway, path, "application/json").await?).await?;
    serde_json::from_slice(&body)
        .map_err(|fault| Trouble::Broken(format!("the answer to {path} is not understood: {fault}")))
}

/// Follows a stream of events.
///
/// # Errors
/// When there is none.
pub async fn follow(gateway: &Gateway, path: &str) -> Result<Events, Trouble> {
    let response = get(gateway, path, "text/event-stream").await?;
    if !is_stream(&response) {
        return Err(Trouble::Broken(format!("the answer to {path} is no stream of events")));
    }
    Ok(Events::of(response))
}

async fn get(gateway: &Gateway, path: &str, accept: &'static str) -> Result<Response<Incoming>, Trouble> {
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = gateway.uri(path)?;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
    let response = gateway.send(request).await?;
    if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
}

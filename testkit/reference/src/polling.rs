//! Sessions whose calls can close their own stream, so that a client has to come back for the answer (SEP-1699).
//!
//! Everything else is the SDK's own session manager; never keeps a session or an event itself.

use std::time::Duration;

use futures_util::{Stream, stream};
use rmcp::{
    model::{ClientJsonRpcMessage, GetExtensions as _, ServerJsonRpcMessage},
    transport::{
        common::server_side_http::ServerSseMessage,
        streamable_http_server::session::{
            SessionId, SessionManager,
            local::{LocalSessionHandle, LocalSessionManager, LocalSessionManagerError as Error, SessionTransport},
        },
    },
};

/// The stream on which a request will be answered; among the request's extensions.
#[derive(Clone)]
pub struct OwnStream {
    session: LocalSessionHandle,
    request: Option<u64>,
}

impl OwnStream {
    /// Ends the stream. What is sent from now on waits for the client to come back with `Last-Event-ID`.
    pub async fn close(&self) {
        if let Some(request) = self.request {
            let _ = self.session.close_sse_stream(request, None).await;
        }
    }
}

/// The sessions of the legacy era.
pub struct Sessions(LocalSessionManager);

impl Sessions {
    /// `retry`: what the event that opens each stream tells the client about coming back.
    pub fn new(retry: Duration) -> Self {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.sse_retry = Some(retry);
        Self(sessions)
    }
}

impl SessionManager for Sessions {
    type Error = Error;
    type Transport = SessionTransport;

    async fn create_stream(
        &self,
        id: &SessionId,
        mut message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Error> {
        let session = self.0.sessions.read().await.get(id).cloned();
        let session = session.ok_or_else(|| Error::SessionNotFound(id.clone()))?;
        let stream = session.establish_request_wise_channel().await?;
        let request = stream.http_request_id;
        if let ClientJsonRpcMessage::Request(asked) = &mut message {
            asked.request.extensions_mut().insert(OwnStream { session: session.clone(), request });
        }
        session.push_message(message, request).await?;
        let mut events = stream.inner;
        Ok(stream::poll_fn(move |context| events.poll_recv(context)))
    }

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Error> {
        self.0.create_session().await
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Error> {
        self.0.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Error> {
        self.0.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Error> {
        self.0.close_session(id).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Error> {
        self.0.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Error> {
        self.0.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Error> {
        self.0.resume(id, last_event_id).await
    }
}

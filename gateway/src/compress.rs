//! Compression of answers for clients that ask for it. Event streams are left alone: each event must leave at once.

use std::convert::Infallible;

use http::{Request, Response, header};
use http_body_util::Either;
use hyper::body::Incoming;
use tower_http::{
    CompressionLevel,
    compression::{
        Compression, CompressionBody,
        predicate::{And, NotForContentType, Predicate, SizeAbove},
    },
};
use tower_service::Service;

use crate::{body::Body, gateway::Lane, listen};

type Wanted = And<SizeAbove, NotForContentType>;

/// The body of a response, as it is or compressed.
pub type Sent = Either<Body, CompressionBody<Body>>;

/// Dispatches a request; the answer is compressed if the client says that it may be and it is large enough.
pub async fn dispatch(lane: Lane, request: Request<Incoming>) -> Response<Sent> {
    // Most programs on the same machine do not ask, and then pay nothing.
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return listen::dispatch(&lane, request).await.map(Either::Left);
    }
    let smallest = lane.gateway.plan.load().limits.compress;
    let wanted: Wanted = SizeAbove::new(smallest as u64).and(NotForContentType::SSE);
    let mut compressing = Compression::new(Dispatch(lane)).quality(CompressionLevel::Fastest).compress_when(wanted);
    match compressing.call(request).await {
        Ok(response) => response.map(Either::Right),
        Err(never) => match never {},
    }
}

struct Dispatch(Lane);

impl Service<Request<Incoming>> for Dispatch {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let lane = self.0.clone();
        Box::pin(async move { Ok(listen::dispatch(&lane, request).await) })
    }
}

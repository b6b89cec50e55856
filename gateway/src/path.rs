//! The track: what happens to a call, a line a stage, in walking order.
//!
//! Every client message walks it, in both eras and on every transport. Each stage is a file of that name; none of them
//! turns a failure into an answer (`failure` does) or writes to the log (`finish` does).

use bytes::Bytes;
use ground::Failure;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use wire::{Envelope, Shape, era::Era};

use crate::{
    admit, body::Body, call::Call, enter, finish::Ticket, forward, forward::Outcome, gateway::Lane, lists, notify, own,
    place::Place, respond, route, session::Wire,
};

/// A body posted to a Streamable HTTP endpoint, from its first byte to its answer's.
pub async fn walk(lane: &Lane, place: Place, request: Request<Incoming>) -> Response<Body> {
    let plan = lane.gateway.plan.load_full();
    let (head, body) = request.into_parts();
    if let Err(failure) = admit::gate(&plan, &head.uri, &head.headers) {
        return respond::refused(lane, &failure);
    }
    let body = match enter::read(&head.headers, body, &plan.limits, &lane.gateway.budget).await {
        Ok(body) => body,
        Err(failure) => return respond::refused(lane, &failure),
    };
    if wire::is_batch(&body) {
        return Box::pin(respond::batch(lane, place, &head.headers, body)).await;
    }
    match Envelope::parse(&body, plan.limits.depth) {
        Ok(envelope) => one(lane, place, &head.headers, body, envelope).await,
        Err(fault) => respond::refused(lane, &enter::fault(&fault)),
    }
}

/// One message on Streamable HTTP.
pub async fn one(lane: &Lane, place: Place, headers: &HeaderMap, body: Bytes, envelope: Envelope) -> Response<Body> {
    let tone = respond::Caller::of(&envelope, &body, headers);
    let call = match enter::streamable(&lane.gateway, place, headers, body, envelope) {
        Ok(call) => call,
        Err(failure) => return respond::failed(lane, &failure, &tone, None),
    };
    if call.method == "initialize" && call.era == Era::Legacy && call.envelope.kind == Shape::Request {
        let mut ticket = Ticket::open(&lane.gateway, call.era, &call.method);
        return match Box::pin(own::initialize(lane, &call, Wire::Streamable)).await {
            Ok((session, outcome)) => respond::greeted(&session, outcome, ticket),
            Err(failure) => {
                ticket.failed(&failure);
                respond::failed(lane, &failure, &tone, Some(ticket))
            }
        };
    }
    match travel(lane, call).await {
        Ok(outcome) => respond::chosen(outcome, headers),
        Err((failure, ticket)) => respond::failed(lane, &failure, &tone, ticket),
    }
}

/// A call on its way, whatever brought it: to the gateway's own answers or to a server.
///
/// # Errors
/// The failure, with the account to close once it has been answered.
pub async fn travel(lane: &Lane, call: Call) -> Result<Outcome, (Failure, Option<Ticket>)> {
    if call.envelope.kind != Shape::Request {
        return Box::pin(notify::take(lane, call)).await.map_err(|failure| (failure, None));
    }
    let mut ticket = Ticket::open(&lane.gateway, call.era, &call.method);
    let failed = |mut ticket: Ticket, failure: Failure| {
        ticket.failed(&failure);
        (failure, Some(ticket))
    };
    match route::request(&lane.gateway, &call) {
        Err(failure) => Err(failed(ticket, failure)),
        Ok(route::Route::Own) => match Box::pin(own::answer(lane, &call)).await {
            Ok(outcome) => Ok(respond::accounted(outcome, ticket)),
            Err(failure) => Err(failed(ticket, failure)),
        },
        Ok(route::Route::Server(trip)) => {
            ticket.goes_to(trip.server.name(), trip.name.as_ref(), trip.listed);
            if lists::may_be_remembered(&call)
                && let Some(outcome) = Box::pin(lists::remembered(lane, &call, &trip.server)).await
            {
                return Ok(respond::accounted(outcome, ticket));
            }
            forward::forward(lane, call, trip, ticket).await.map_err(|(failure, ticket)| failed(ticket, failure))
        }
    }
}

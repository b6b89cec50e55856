//! Another node that holds a suspended call: the request that resumes it is passed on to it, its answer passed back.
//!
//! Which node that is was sealed into the state, so no caller can choose an address.

use std::{collections::BTreeMap, sync::Arc};

use ground::{Failure, Kind, ServerName};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use tokio::time::timeout;
use upstream::{
    Answer, Outgoing,
    http::{
        carrier::{Carrier, Media},
        endpoint::Endpoint,
    },
    spec::{Bounds, RemoteSpec, RemoteTransport},
};
use wire::era::Era;

use crate::{body::Body, call::Call, forward::Outcome, gateway::Lane};

/// Says that a request comes from another node, which must not pass it on again.
pub const PASSED_ON: HeaderName = HeaderName::from_static("hostler-passed-on");

/// Requests passed on to one node at once, from one caller's request each.
const AT_ONCE: usize = 1;

/// Asks a node.
///
/// # Errors
/// `Unavailable` when it cannot be reached.
pub async fn ask(lane: &Lane, call: &Call, node: &str) -> Result<Outcome, Failure> {
    let unavailable = |detail: &str| {
        let text = "the node that holds the call cannot be reached; make the call anew";
        Failure::gateway(Kind::Unavailable, text).with_detail(detail)
    };
    if call.passed_on {
        return Err(unavailable("its own name differs from the one in the state (`cluster.advertise`)"));
    }
    if node.is_empty() {
        return Err(unavailable("it has no address (`cluster.advertise`)"));
    }
    let url: Uri = format!("{}{}", node.trim_end_matches('/'), call.place.path("mcp"))
        .parse()
        .map_err(|_| unavailable("its address is no URL"))?;
    let name = ServerName::new("node").map_err(|_| unavailable("no name"))?;
    let spec = RemoteSpec { url, headers: BTreeMap::new(), transport: RemoteTransport::Streamable };
    let endpoint = Endpoint::new(&name, &spec).map_err(|failure| unavailable(&failure.to_string()))?;
    let carrier = Carrier::new(Arc::new(endpoint), Era::Modern, AT_ONCE);
    let slot = carrier.slot()?;
    let patience = Bounds::default().call_timeout;
    let sent = timeout(patience, carrier.post(&lane.pool, outgoing(call))).await;
    let response = match sent {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => return Err(unavailable(&failure.to_string())),
        Err(_) => return Err(unavailable("it did not answer in time")),
    };
    match Answer::http(response, slot) {
        Answer::Http { response, media: Media::Json, slot } => {
            let status = response.status();
            Ok(Outcome::Whole { status, body: Body::server(response.into_body(), slot, Some(patience)) })
        }
        Answer::Http { response, media: Media::Events, slot } if response.status() == StatusCode::OK => {
            Ok(Outcome::Raw(Body::server(response.into_body(), slot, Some(patience))))
        }
        _ => Err(unavailable("it answered with something that is no message")),
    }
}

fn outgoing(call: &Call) -> Box<Outgoing> {
    let mut out = call.outgoing(&[], None);
    // The name as it stands in the body: this request is the caller's own.
    let named = call.envelope.name.or(call.envelope.uri).and_then(|span| wire::text(call.part(span)));
    out.name = named.map(Arc::from);
    out.headers.push((PASSED_ON, HeaderValue::from_static("1")));
    if let Some(credential) = &call.credential {
        out.headers.push((header::AUTHORIZATION, credential.clone()));
    }
    out
}

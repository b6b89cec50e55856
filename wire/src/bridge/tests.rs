//! Every row of the bridge's two tables, and what must hold for all messages.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod examples;
mod legacy_client;
mod modern_client;
mod round_trips;

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::{Envelope, Splice};

const INFO: &[u8] = br#"{"name":"ExampleServer","version":"1.0.0"}"#;

fn parse(body: &str) -> Envelope {
    Envelope::parse(body.as_bytes(), 64).unwrap_or_else(|fault| panic!("{fault}: {body}"))
}

/// A message after edits, which must be a message again.
fn edited(body: &str, edit: impl FnOnce(&mut Splice, &Envelope)) -> String {
    let mut splice = Splice::new(Bytes::from(body.to_owned()));
    edit(&mut splice, &parse(body));
    let out = String::from_utf8(splice.into_bytes().to_vec()).unwrap();
    parse(&out);
    out
}

fn value(json: impl AsRef<[u8]>) -> Value {
    let json = json.as_ref();
    serde_json::from_slice(json).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)))
}

fn answer(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

//! Streams of server-sent events in chunks of any size; see `fuzz::sse`. Never judges by itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sse(data));

//! Messages and parts of messages that cross eras; see `fuzz::bridge`. Never judges by itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bridge(data));

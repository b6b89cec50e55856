//! Bodies that strangers send, read as messages; see `fuzz::envelope`. Never judges by itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::envelope(data));

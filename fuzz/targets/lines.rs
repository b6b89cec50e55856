//! Standard output of a server, cut into messages; see `fuzz::lines`. Never judges by itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::lines(data));

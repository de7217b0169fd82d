//! Runs the target for chunked content under libFuzzer. `sanserve_fuzz::body` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::body::check(data));

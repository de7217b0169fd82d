//! Runs the target for chunked content under libFuzzer. `sanserve_fuzz::body` has its properties.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::body::check(data));

//! Runs the target for request heads under libFuzzer. `sanserve_fuzz::head` has its properties.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::head::check(data));

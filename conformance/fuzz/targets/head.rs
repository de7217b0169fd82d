//! Runs the target for request heads under libFuzzer. `sanserve_fuzz::head` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::head::check(data));

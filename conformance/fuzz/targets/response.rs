//! Runs the target for response heads under libFuzzer. `sanserve_fuzz::response` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::response::check(data));

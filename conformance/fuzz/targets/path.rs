//! Runs the target for paths under libFuzzer. `sanserve_fuzz::path` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::path::check(data));

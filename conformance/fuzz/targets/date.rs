//! Runs the target for dates under libFuzzer. `sanserve_fuzz::date` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::date::check(data));

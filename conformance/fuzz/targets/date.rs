//! Runs the target for dates under libFuzzer. `sanserve_fuzz::date` has its properties.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::date::check(data));

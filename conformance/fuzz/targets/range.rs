//! Runs the target for ranges under libFuzzer. `sanserve_fuzz::range` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::range::check(data));

//! Runs the target for ranges under libFuzzer. `sanserve_fuzz::range` has its properties.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::range::check(data));

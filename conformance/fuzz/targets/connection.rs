//! Runs the target for a whole connection under libFuzzer. `sanserve_fuzz::connection` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::connection::check(data));

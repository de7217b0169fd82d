//! Runs the target for upload forms under libFuzzer. `sanserve_fuzz::form` says what is checked.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::form::check(data));

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::form::check(data));

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sanserve_fuzz::response::check(data));

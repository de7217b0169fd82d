//! Tests that the header is what cbindgen generates from the source. `RENEW=1` writes it.

use std::fs;
use std::path::Path;

#[test]
fn the_header_is_that_of_the_source() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config =
        cbindgen::Config::from_file(package.join("cbindgen.toml")).expect("a configuration");
    let bindings = cbindgen::generate_with_config(package, config).expect("the source can be read");
    let mut generated = Vec::new();
    bindings.write(&mut generated);
    let header = package.join("include/sanserve.h");
    if std::env::var_os("RENEW").is_some() {
        fs::write(&header, &generated).expect("the header can be written");
    }
    let committed = fs::read(&header).expect("there is a header");
    assert!(
        committed == generated,
        "include/sanserve.h is out of date: RENEW=1 cargo test --package sanserve-c --test header"
    );
}

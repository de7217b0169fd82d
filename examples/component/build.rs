//! Generates the source for the built-in files: those of the folder named by `SITE`, or else of `site`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=SITE");
    let site = env::var_os("SITE").unwrap_or_else(|| "site".into());
    println!("cargo::rerun-if-changed={}", Path::new(&site).display());
    let out = env::var_os("OUT_DIR").expect("Cargo sets it");
    fs::write(
        Path::new(&out).join("site.rs"),
        sanserve_server::Flash::source(site)?,
    )
}
